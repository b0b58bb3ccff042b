// Package proxy is a reverse proxy to one API, or several, that signs every
// request in, so that a client in any language, pointed at it, needs no
// credentials and no idea of sessions.
//
// It hands a signed-in API to whoever reaches it: every program, and every user.
// So it listens on the loopback interface or at a Unix socket only, unless it is
// told otherwise and has a certificate and a secret that its clients must know;
// and it refuses what a web page may make a browser send to it. See [Config].
//
// What passes is the method, the path with its escapes as they came, the query,
// the headers, the body and the trailers, both ways as they arrive. What does not
// pass is in few places: headers in headerRules; paths where canonical reads them;
// pages in isForeignPage.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jwtsession/jwtsession"
)

const (
	longestHeaderWait = 10 * time.Second // for a request's header
	longestIdle       = 2 * time.Minute  // of a connection between requests
	largestHeader     = 64 << 10

	// farewell is how long a proxy that is to stop goes on as before, but for
	// telling clients that their connections end: so they are not closed while a
	// request is on its way.
	farewell = 200 * time.Millisecond

	// complainEvery is how often the log has what goes wrong between the proxy and
	// the API, at most.
	complainEvery = time.Second
)

// Proxy is a proxy that listens. It is safe for concurrent use.
type Proxy struct {
	config      Config
	listener    net.Listener
	connections *connections
	url         string
	targets     []*target
	server      http.Server
	metrics     *Metrics
	bodies      *bodies
	logger      *slog.Logger

	stopping   atomic.Bool
	complained atomic.Int64 // when, in Unix nanoseconds
	upgrades   sync.WaitGroup
	ended      context.Context // of all that goes on after an upgrade
	end        context.CancelFunc
}

// target is an API, and what signs in to it at present.
type target struct {
	name   string
	source atomic.Pointer[jwtsession.TokenSource]
	counts *sessionMetrics
}

func (t *target) use(source *jwtsession.TokenSource) {
	t.source.Store(source)
	t.counts.Watch(source)
}

// Listen opens a proxy's address. Nothing is answered until Serve; one of Serve
// and Close must follow.
func Listen(config Config) (*Proxy, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if err := config.validateAPIs(); err != nil {
		return nil, err
	}
	p := &Proxy{config: config, metrics: config.Metrics, bodies: newBodies(), logger: config.Logger}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	p.ended, p.end = context.WithCancel(context.Background())
	if p.metrics == nil {
		var names []string
		for _, api := range config.APIs {
			names = append(names, api.Name)
		}
		p.metrics = NewMetrics(names...)
	}
	for _, api := range config.APIs {
		t := &target{name: api.Name, counts: p.metrics.sessions[api.Name]}
		if t.counts == nil {
			return nil, errors.New("proxy: the Metrics are not of the APIs' names")
		}
		t.use(api.Source)
		p.targets = append(p.targets, t)
	}
	listener, hosts, err := listen(config)
	if err != nil {
		return nil, err
	}
	handler, err := p.handler(hosts)
	if err != nil {
		listener.Close()
		return nil, err
	}
	p.listener, p.url = listener, address(config, listener)
	p.connections = newConnections(listener, cmp.Or(config.MaxConnections, DefaultMaxConnections))
	p.server = http.Server{
		Handler:                      handler,
		ReadHeaderTimeout:            longestHeaderWait,
		IdleTimeout:                  longestIdle,
		MaxHeaderBytes:               largestHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like any target without a path
		ErrorLog:                     slog.NewLogLogger(p.logger.Handler(), slog.LevelWarn),
		ConnState:                    p.connections.watch,
		ConnContext:                  withConnection,
		Protocols:                    new(http.Protocols),
	}
	p.server.Protocols.SetHTTP1(true)
	p.server.Protocols.SetHTTP2(true)
	p.server.Protocols.SetUnencryptedHTTP2(config.CertFile == "") // for gRPC, on this machine
	return p, nil
}

// address is where a listener is, as a person writes it.
func address(config Config, listener net.Listener) string {
	if path, isSocket := socketPath(config.Address); isSocket {
		return "unix:" + path
	}
	if config.CertFile != "" {
		return "https://" + listener.Addr().String()
	}
	return "http://" + listener.Addr().String()
}

// URL is where the proxy listens: the URL that clients use in place of the
// API's, or "unix:" and the path of the socket.
func (p *Proxy) URL() string { return p.url }

// Replace has another source sign in, from now on, the requests to the API of
// this name. Requests under way may still use the old one for a while, so that it
// is not to be closed at once.
func (p *Proxy) Replace(name string, source *jwtsession.TokenSource) {
	for _, t := range p.targets {
		if t.name == name {
			t.use(source)
		}
	}
}

// Serve answers requests until ctx ends, and keeps the sessions alive meanwhile,
// with or without requests. Then it accepts no more, and waits for the requests
// under way; those that take longer than Config.Drain are cut off. It leaves
// closing the sources to the caller.
func (p *Proxy) Serve(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	for _, t := range p.targets {
		kept.Go(func() { t.keepSignedIn(keeping) })
	}
	defer func() {
		stop()
		kept.Wait()
	}()

	ended := make(chan error, 1)
	go func() { ended <- p.accept() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	p.stopping.Store(true)
	time.Sleep(farewell)
	longest := cmp.Or(p.config.Drain, DefaultDrain)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	if err := p.server.Shutdown(drain); err != nil {
		p.logger.Warn("jwtsession: requests were cut off", "longer than", longest)
		p.server.Close()
	}
	p.end()
	p.upgrades.Wait()
	<-ended
	return nil
}

func (p *Proxy) accept() (err error) {
	if p.config.CertFile == "" {
		err = p.server.Serve(p.connections)
	} else {
		err = p.server.ServeTLS(p.connections, p.config.CertFile, p.config.KeyFile)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close stops listening at once. After Serve it is not needed.
func (p *Proxy) Close() error {
	p.end()
	p.server.Close()
	return p.listener.Close()
}

// complain has the log say what went wrong on the way to the API, which the
// client is not told; once in a while, however often it does.
func (p *Proxy) complain(host string, err error) {
	last, now := p.complained.Load(), time.Now().UnixNano()
	if now-last >= int64(complainEvery) && p.complained.CompareAndSwap(last, now) {
		p.logger.Warn("jwtsession: a request was not carried", "host", host, "error", err)
	}
}
