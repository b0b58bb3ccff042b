package realservers

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// The account that every server has.
const (
	email    = "clerk@example.com"
	password = "correct-horse-battery-staple"
)

// server is a real one, with what the suite needs to know of it.
type server struct {
	name     string
	protocol jwtsession.Protocol
	address  string
	resource string            // a path that only a session opens
	extra    map[string]string // of the credentials
	life     time.Duration     // of its tokens
	revoke   func()            // ends all sessions there
	ends     bool              // the log-out ends the token, too
}

// gate is the way of TCP connections to a server, which can be shut: then they are
// refused. One that was accepted and closed might have carried a refresh token, and
// a source signs in after that, as it should.
type gate struct {
	t           *testing.T
	address, to string

	mu       sync.Mutex
	listener net.Listener // nil: shut
	conns    []net.Conn
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	g := &gate{t: t, address: "127.0.0.1:0", to: to}
	g.open()
	t.Cleanup(g.shut)
	return g
}

// open listens, from the second time on at the port of the first.
func (g *gate) open() {
	g.t.Helper()
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener, g.address = listener, listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.pass(conn)
		}
	}()
}

// shut ends all connections, too.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
	}
	g.listener = nil
	for _, conn := range g.conns {
		conn.Close()
	}
	g.conns = nil
}

func (g *gate) pass(conn net.Conn) {
	defer conn.Close()
	backend, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer backend.Close()
	if !g.keep(conn, backend) {
		return
	}
	go func() {
		io.Copy(backend, conn)
		backend.Close()
	}()
	io.Copy(conn, backend)
}

// keep notes connections, unless the gate is shut.
func (g *gate) keep(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns = append(g.conns, conns...)
	return g.listener != nil
}

// rig is what the trials have in common.
type rig struct {
	*testing.T
	server
	gate      *gate
	directory string
	source    *jwtsession.TokenSource

	mu     sync.Mutex
	events map[jwtsession.EventKind]int
	change chan struct{} // closed and replaced by every event
}

// newRig returns a rig with a source, on the cache of another one if there is one.
func newRig(t *testing.T, s server, before ...*rig) *rig {
	t.Helper()
	r := &rig{T: t, server: s, gate: newGate(t, s.address), directory: t.TempDir() + "/cache", events: map[jwtsession.EventKind]int{}, change: make(chan struct{})}
	for _, other := range before {
		r.gate, r.directory = other.gate, other.directory
	}
	store, err := filecache.New(r.directory)
	if err != nil {
		t.Fatal(err)
	}
	r.source, err = jwtsession.New(jwtsession.Config{
		BaseURL: r.base(), Protocol: &s.protocol, Cache: store, CacheKey: []byte(cacheKey), OnEvent: r.record,
		Credentials: jwtsession.Credentials{Email: email, Password: password, Extra: s.extra},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.source.Close() })
	return r
}

// wholeLife is a session's life at a real server.
func wholeLife(t *testing.T, s server) {
	r := newRig(t, s)
	r.works("signed in")
	other := startWorker(t, worker{BaseURL: r.base(), Resource: s.resource, Protocol: s.name, Directory: r.directory, Extra: s.extra})
	r.fiveLives()
	r.revoked()
	told := other.end()
	if told.Failed != 0 || told.Requests < 10 {
		t.Errorf("the other process: %d of %d requests failed, want none: %s", told.Failed, told.Requests, told.Error)
	}
	// Without a refresh each new session is a sign-in, of one of them.
	n, sessions := r.count(jwtsession.EventSignedIn)+told.SignedIn, r.count(newSession...)
	if r.renews() && n != 2 {
		t.Errorf("the two processes signed in %d times, want once, and once more after the revocation", n)
	}
	if n > sessions+1 {
		t.Errorf("the two processes signed in %d times for %d sessions, want one for each", n, sessions)
	}
	r.away()
	r.wrongPassword()
	r.logOut()
	signedIn := r.count(jwtsession.EventSignedIn)
	r.works("after the log-out")
	r.await("after the log-out", signedIn+1, jwtsession.EventSignedIn)
}

func (r *rig) base() string { return "http://" + r.gate.address }
func (r *rig) renews() bool { return r.protocol.Refresh != "" }

func (r *rig) record(e jwtsession.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[e.Kind]++
	close(r.change)
	r.change = make(chan struct{})
}

func (r *rig) count(kinds ...jwtsession.EventKind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range kinds {
		n += r.events[kind]
	}
	return n
}

// await waits until there have been so many events of these kinds.
func (r *rig) await(what string, n int, kinds ...jwtsession.EventKind) {
	r.Helper()
	deadline := time.After(10 * r.life)
	for {
		r.mu.Lock()
		change := r.change
		r.mu.Unlock()
		if r.count(kinds...) >= n {
			return
		}
		select {
		case <-change:
		case <-deadline:
			r.Fatalf("%s: got %d events %v in %v, want %d", what, r.count(kinds...), kinds, 10*r.life, n)
		}
	}
}

// get makes a request, and returns its status; an error is zero.
func (r *rig) get(client *http.Client) (int, error) {
	res, err := client.Get(r.base() + r.resource)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}

func (r *rig) works(when string) {
	r.Helper()
	if status, err := r.get(r.source.Client()); status != http.StatusOK {
		r.Fatalf("%s: got %d, %v; want 200", when, status, err)
	}
}

// newSession are the events with which there is another token.
var newSession = []jwtsession.EventKind{jwtsession.EventSignedIn, jwtsession.EventRefreshed, jwtsession.EventAdopted}

// failure are the events of a call that brought none.
var failure = []jwtsession.EventKind{jwtsession.EventRefreshFailed, jwtsession.EventSignInFailed}

func (r *rig) fiveLives() {
	r.Helper()
	for n := range 5 {
		r.await("five lives", n+2, newSession...)
		r.works("in another life")
	}
	if n := r.count(jwtsession.EventSignedIn); r.renews() && n != 1 {
		r.Errorf("five lives: got %d sign-ins, want 1", n)
	}
}

// revoked has the server end all sessions, once both processes have the newest.
func (r *rig) revoked() {
	r.Helper()
	r.await("before the revocation", r.count(newSession...)+1, newSession...)
	time.Sleep(r.life / 5)
	r.revoke()
	r.works("revoked")
	time.Sleep(r.life / 5) // the other process notices, too
}

// away shuts the server off for the time in which the refresh is due, and opens it
// before the token has expired.
func (r *rig) away() {
	r.Helper()
	r.await("before the server is away", r.count(newSession...)+1, newSession...)
	signedIn, failed := r.count(jwtsession.EventSignedIn), r.count(failure...)
	r.gate.shut()
	r.await("the server is away", failed+1, failure...)
	if _, err := r.source.Token(); err != nil {
		r.Errorf("while the server was away and the token lived: %v", err)
	}
	r.gate.open()
	r.await("the server is back", r.count(newSession...)+1, newSession...)
	r.works("the server is back")
	if n := r.count(jwtsession.EventSignedIn) - signedIn; r.renews() && n != 0 {
		r.Errorf("the server is back: got %d sign-ins, want a refresh", n)
	}
}

// wrongPassword has a new source begin with a wrong password, which is sent once;
// the right one is tried at once.
func (r *rig) wrongPassword() {
	r.Helper()
	var given atomic.Pointer[string]
	give := func(password string) { given.Store(&password) }
	var refused atomic.Int32
	source, err := jwtsession.New(jwtsession.Config{
		BaseURL: r.base(), Protocol: &r.protocol,
		Credentials: jwtsession.CredentialsProviderFunc(func(context.Context) (jwtsession.Credentials, error) {
			return jwtsession.Credentials{Email: email, Password: *given.Load(), Extra: r.extra}, nil
		}),
		OnEvent: func(e jwtsession.Event) {
			if e.Kind == jwtsession.EventSignInFailed {
				refused.Add(1)
			}
		},
	})
	if err != nil {
		r.Fatal(err)
	}
	give("wrong")
	for range 3 {
		if _, err := source.Token(); !errors.Is(err, jwtsession.ErrInvalidCredentials) {
			r.Errorf("a wrong password: got %v, want ErrInvalidCredentials", err)
		}
	}
	give(password)
	if status, err := r.get(source.Client()); status != http.StatusOK {
		r.Errorf("the right password: got %d, %v; want 200", status, err)
	}
	source.Close()
	if n := refused.Load(); n != 1 {
		r.Errorf("a wrong password: got %d refused sign-ins, want 1", n)
	}
}

// logOut ends the session, and the token where the server can do that.
func (r *rig) logOut() {
	r.Helper()
	seen := &recorder{}
	if status, err := r.get(&http.Client{Transport: &jwtsession.Transport{Source: r.source, Base: seen}}); status != http.StatusOK {
		r.Fatalf("before the log-out: got %d, %v", status, err)
	}
	if err := r.source.Revoke(r.Context()); err != nil {
		r.Fatalf("the log-out: %v", err)
	}
	res, err := http.DefaultTransport.RoundTrip(seen.last.Clone(r.Context()))
	if err != nil {
		r.Fatal(err)
	}
	res.Body.Close()
	if open := res.StatusCode == http.StatusOK; open == r.ends {
		r.Errorf("the token after the log-out: got %s, and the log-out ends it: %v", res.Status, r.ends)
	}
	if r.source.Status().Live {
		r.Error("after the log-out the source has a session still")
	}
}

// recorder keeps the last request that it carried.
type recorder struct{ last *http.Request }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.last = req
	return http.DefaultTransport.RoundTrip(req)
}
