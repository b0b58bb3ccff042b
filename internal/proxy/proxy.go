// Package proxy is a reverse proxy to one API that signs every request in, so
// that a client in any language, pointed at it, needs no credentials and no idea
// of sessions.
//
// It hands a signed-in API to whoever reaches it. So it listens on the loopback
// interface or at a Unix socket only, unless it is told otherwise and has a
// certificate and a secret that its clients must know; and it refuses what a web
// page may make a browser send to it. See [Config].
//
// What passes is the method, the path with its escapes as they came, the query
// and the body, both ways as they arrive. What does not pass, unless it is asked
// for: the client's own Authorization, cookies of either side, what tells about
// the client's network (Forwarded, X-Forwarded-For and its like, which no API on
// the outside needs), requests to switch protocols, and calls of the session API
// itself, which would end the session that all clients share.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/jwtsession/jwtsession"
)

const (
	// DefaultAddress is where a proxy listens.
	DefaultAddress = "127.0.0.1:8888"

	// DefaultMaxConnections is how many clients may be connected.
	DefaultMaxConnections = 1024

	// DefaultDrain is how long a proxy that is stopped waits for its requests.
	DefaultDrain = 10 * time.Second

	// SecretHeader is the header of a request that carries the client's secret. It
	// is one of our own: a browser does not send it for another site without
	// asking first, and Authorization and Proxy-Authorization mean other things to
	// the clients' libraries.
	SecretHeader = "Jwtsession-Secret"

	// ShortestSecret is how many bytes a secret must have.
	ShortestSecret = 16
)

const (
	longestHeaderWait = 10 * time.Second // for a request's header
	longestIdle       = 2 * time.Minute  // of a connection between requests
	largestHeader     = 64 << 10
)

// Config says what a proxy is for, and who may use it. Source and BaseURL are
// required; the zero value of each other field is a good default.
type Config struct {
	// Source signs the requests in. It must be that of the API at BaseURL.
	Source *jwtsession.TokenSource

	// BaseURL is the API's. Its path goes before that of every request.
	BaseURL string

	// Address is where to listen: a loopback host and a port, 0 for any that is
	// free, or "unix:" and the path of a socket, which only its owner can use.
	// [DefaultAddress] if it is empty.
	Address string

	// AllowRemote lets the proxy listen at an address that other machines reach.
	// CertFile, KeyFile and Secret are required then.
	AllowRemote bool

	// CertFile and KeyFile make the proxy serve HTTPS. Its clients may then call
	// it by the names in the certificate.
	CertFile, KeyFile string

	// Secret is what a client must send in its [SecretHeader], at least
	// [ShortestSecret] bytes; empty asks for nothing.
	Secret string

	// Hosts are further names by which clients call the proxy, "name" for any port
	// or "name:port".
	Hosts []string

	// Origins are those of web pages, "http://localhost:3000", whose requests are
	// answered besides the proxy's own.
	Origins []string

	// KeepAuthorization lets a request that has an Authorization header pass with
	// it, and not signed in.
	KeepAuthorization bool

	// KeepCookies lets the client's cookies and the API's pass.
	KeepCookies bool

	// MaxConnections bounds the connections of clients; those beyond it wait to be
	// accepted. [DefaultMaxConnections] if it is zero.
	MaxConnections int

	// Drain is how long Serve waits for requests under way once it is stopped;
	// [DefaultDrain] if it is zero.
	Drain time.Duration

	// Transport carries the requests to the API; nil stands for what NewTransport
	// returns.
	Transport http.RoundTripper

	// Metrics is where the proxy counts; nil counts for nobody.
	Metrics *Metrics

	// Logger is told what goes wrong between the proxy and its clients; nil is
	// silent.
	Logger *slog.Logger
}

// Validate finds what contradicts itself, or is not safe, the Source left aside.
// It opens nothing.
func (c Config) Validate() error {
	path, isSocket := socketPath(c.Address)
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a TLS certificate and its key go together: give both")
	case c.Secret != "" && len(c.Secret) < ShortestSecret:
		return fmt.Errorf("the client secret has %d bytes: give at least %d", len(c.Secret), ShortestSecret)
	case strings.ContainsFunc(c.Secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the client secret must be visible ASCII characters: it goes into a header")
	case c.MaxConnections < 0:
		return fmt.Errorf("the number of connections is %d: give one or more", c.MaxConnections)
	case c.Drain < 0:
		return fmt.Errorf("the time to drain is %v: give zero or more", c.Drain)
	case isSocket && path == "":
		return errors.New("the address is unix: without a path")
	case isSocket && c.AllowRemote:
		return errors.New("a Unix socket is for this machine alone: no remote clients with it")
	}
	if _, err := newGuard(c, nil); err != nil {
		return err
	}
	if _, err := parseBase(c.BaseURL); err != nil || isSocket {
		return err
	}
	host, _, err := net.SplitHostPort(c.address())
	switch {
	case err != nil:
		return fmt.Errorf("the address is %q: give a host and a port, such as %s, or unix:/path", c.Address, DefaultAddress)
	case c.AllowRemote && c.CertFile == "":
		return errors.New("remote clients need TLS: give a certificate and its key")
	case c.AllowRemote && c.Secret == "":
		return errors.New("remote clients need a secret: without one, whoever reaches the proxy is signed in")
	case !c.AllowRemote && host != "localhost" && !net.ParseIP(host).IsLoopback():
		return fmt.Errorf("other machines could reach %q, and be signed in: give a loopback address, such as %s, or allow remote clients, with TLS and a secret", c.Address, DefaultAddress)
	}
	return nil
}

func (c Config) address() string { return cmp.Or(c.Address, DefaultAddress) }

// parseBase reads the API's URL. That it is safe to send a token to has been
// judged by the source.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the URL of the API is not usable: give one like %s", jwtsession.DefaultBaseURL)
	}
	return u, nil
}

// Proxy is a proxy that listens. It is safe for concurrent use.
type Proxy struct {
	config   Config
	listener net.Listener
	url      string
	source   atomic.Pointer[jwtsession.TokenSource]
	server   http.Server
}

// Listen opens a proxy's address. Nothing is answered until Serve; one of Serve
// and Close must follow.
func Listen(config Config) (*Proxy, error) {
	if config.Source == nil {
		return nil, errors.New("proxy: Config has no Source")
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	listener, hosts, err := listen(config)
	if err != nil {
		return nil, err
	}
	p := &Proxy{config: config, listener: listener, url: address(config, listener)}
	p.source.Store(config.Source)
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	p.server = http.Server{
		ReadHeaderTimeout:            longestHeaderWait,
		IdleTimeout:                  longestIdle,
		MaxHeaderBytes:               largestHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like any target without a path
		ErrorLog:                     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if p.server.Handler, err = p.handler(hosts); err != nil {
		listener.Close()
		return nil, err
	}
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

// Source is what signs the requests in.
func (p *Proxy) Source() *jwtsession.TokenSource { return p.source.Load() }

// Replace has another source sign the requests in from now on. Requests under way
// may still use the old one for a while, so that it is not to be closed at once.
func (p *Proxy) Replace(source *jwtsession.TokenSource) { p.source.Store(source) }

// Serve answers requests until ctx ends, and keeps the session alive meanwhile,
// with or without requests. Then it accepts no more, and waits for the requests
// under way; those that take longer than Config.Drain are cut off. It leaves
// closing the source to the caller.
func (p *Proxy) Serve(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		p.keepSignedIn(keeping)
	}()
	defer func() {
		stop()
		<-kept
	}()

	ended := make(chan error, 1)
	go func() { ended <- p.accept() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(p.config.Drain, DefaultDrain))
	defer cancel()
	if err := p.server.Shutdown(drain); err != nil {
		p.server.ErrorLog.Printf("requests were cut off: they took longer than %v", cmp.Or(p.config.Drain, DefaultDrain))
		p.server.Close()
	}
	<-ended
	return nil
}

func (p *Proxy) accept() error {
	limited := netutil.LimitListener(p.listener, cmp.Or(p.config.MaxConnections, DefaultMaxConnections))
	var err error
	if p.config.CertFile == "" {
		err = p.server.Serve(limited)
	} else {
		err = p.server.ServeTLS(limited, p.config.CertFile, p.config.KeyFile)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close stops listening at once. After Serve it is not needed.
func (p *Proxy) Close() error {
	p.server.Close()
	return p.listener.Close()
}
