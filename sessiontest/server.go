package sessiontest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/internal/pipe"
)

// The user that a server has unless it is given others.
const (
	Email    = "clerk@example.com"
	Password = "correct horse battery staple"
)

const (
	basePath    = "/v1"
	sessionPath = basePath + "/session"
	defaultLife = 15 * time.Minute
)

// Server is a session API in a box. It is safe for concurrent use.
type Server struct {
	// URL is the API's base, with its path and without a slash at the end: what
	// goes into jwtsession.Config.BaseURL.
	URL string

	server  *httptest.Server
	pipe    *pipe.Listener // in memory only
	client  *http.Client
	key     []byte
	options options
	speaker *speaker      // of a described protocol; nil: PacerPro's
	ended   chan struct{} // closed by Close: lets go of calls that hang
	endOnce sync.Once

	mu      sync.Mutex // guards the rest; held for a few instructions
	users   map[string]*user
	faults  map[Op][]*fault
	healed  chan struct{} // closed and replaced by Heal
	counts  Counts
	begun   map[Op]int
	waiters []waiter
}

type user struct {
	id       int
	password string
	jti      string
	codes    []string // good for one sign-in each
}

// waiter is one Await.
type waiter struct {
	op   Op
	n    int
	done chan struct{}
}

// NewServer starts a server, and panics if it cannot listen, as httptest does.
// The caller closes it.
func NewServer(opts ...Option) *Server {
	s, err := Start(opts...)
	if err != nil {
		panic(err)
	}
	return s
}

// Start starts a server as NewServer does. That it cannot listen at the address
// of [WithAddr] is an error.
func Start(opts ...Option) (*Server, error) {
	s := &Server{
		options: options{addr: "127.0.0.1:0", life: defaultLife},
		ended:   make(chan struct{}),
		users:   map[string]*user{},
		faults:  map[Op][]*fault{},
		healed:  make(chan struct{}),
		begun:   map[Op]int{},
	}
	for _, opt := range opts {
		opt(&s.options)
	}
	if len(s.options.users) == 0 {
		WithUser(Email, Password)(&s.options)
	}
	for i, u := range s.options.users {
		s.users[u.email] = &user{id: i + 1, password: u.password, jti: newUUID()}
	}
	if s.options.inMemory && s.options.tls {
		return nil, errors.New("sessiontest: InMemory and WithTLS do not go together: choose one")
	}
	if s.key = s.options.key; s.key == nil {
		s.key = make([]byte, 32)
		rand.Read(s.key)
	}
	if s.options.protocol != nil {
		var err error
		if s.speaker, err = newSpeaker(*s.options.protocol); err != nil {
			return nil, err
		}
	}
	return s, s.listen()
}

// listen opens the listener and serves on it.
func (s *Server) listen() error {
	if s.options.inMemory {
		s.pipe = pipe.Listen()
		s.server = &httptest.Server{Listener: s.pipe, Config: &http.Server{Handler: s}}
		s.server.Start()
		s.URL = "http://localhost" + basePath
		s.client = &http.Client{Transport: &http.Transport{DialContext: s.pipe.Dial, MaxIdleConnsPerHost: 100}}
		return nil
	}
	listener, err := net.Listen("tcp", s.options.addr)
	if err != nil {
		return fmt.Errorf("sessiontest: listen at %s: %w", s.options.addr, err)
	}
	s.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s}, EnableHTTP2: s.options.tls}
	if s.options.tls {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	s.URL = s.server.URL + basePath
	s.client = s.server.Client()
	if transport, ok := s.client.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = 1000
	}
	return nil
}

// String names the server by its URL.
func (s *Server) String() string { return "sessiontest.Server(" + s.URL + ")" }

// Format prints what String returns, whatever the verb: the users have passwords.
func (s *Server) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// Client returns a client that reaches the server: over TLS it trusts its
// certificate, and in memory it is the only way. Its connections end with Close.
// Each call returns a client of its own.
func (s *Server) Client() *http.Client {
	client := *s.client
	return &client
}

// Close lets go of the calls that hang, closes all connections and returns when
// no call is being answered. Closing again does nothing.
func (s *Server) Close() {
	s.endOnce.Do(func() {
		close(s.ended)
		s.client.CloseIdleConnections()
		s.server.CloseClientConnections()
		s.server.Close()
	})
}

// SetPassword changes a user's password, or adds the user. Tokens live on.
func (s *Server) SetPassword(email, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, known := s.users[email]; known {
		u.password = password
		return
	}
	s.users[email] = &user{id: len(s.users) + 1, password: password, jti: newUUID()}
}

// Revoke ends all sessions of a user, as a DELETE by somebody else does.
func (s *Server) Revoke(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, known := s.users[email]; known {
		u.jti = newUUID()
	}
}

// RevokeAll ends all sessions of all users.
func (s *Server) RevokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		u.jti = newUUID()
	}
}

// Await returns a channel that is closed once n calls of op have begun, counted
// from the server's start.
func (s *Server) Await(op Op, n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := waiter{op, n, make(chan struct{})}
	if s.begun[op] >= n {
		close(w.done)
	} else {
		s.waiters = append(s.waiters, w)
	}
	return w.done
}

// begin notes that a call has come in. mu is held.
func (s *Server) begin(op Op) {
	s.begun[op]++
	if op.session() {
		s.begun[OpSession]++
	}
	waiting := s.waiters[:0]
	for _, w := range s.waiters {
		if s.begun[w.op] >= w.n {
			close(w.done)
		} else {
			waiting = append(waiting, w)
		}
	}
	s.waiters = waiting
}

// now is the server's clock.
func (s *Server) now() time.Time { return time.Now().Add(s.options.skew) }

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
