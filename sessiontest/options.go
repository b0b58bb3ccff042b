package sessiontest

import (
	"bytes"
	"time"

	"github.com/jwtsession/jwtsession/internal/exchange"
)

// Option changes what a server is like.
type Option func(*options)

type options struct {
	addr     string
	life     time.Duration
	latency  time.Duration
	skew     time.Duration
	tls      bool
	inMemory bool
	users    []struct{ email, password string }
	observe  func(Call)
	strict   Failer
	key      []byte

	protocol        *exchange.Description // nil: PacerPro's
	extra           map[string]string
	rotation, reuse bool
	sliding         bool
	expiryUnit      time.Duration // zero: RFC 3339
}

// WithUser adds a user. A server without any has one with [Email] and
// [Password].
func WithUser(email, password string) Option {
	return func(o *options) {
		o.users = append(o.users, struct{ email, password string }{email, password})
	}
}

// WithTokenLife sets how long tokens live; 15 minutes if it is not given. Expiry
// times have whole seconds, so that a token may live up to a second less.
func WithTokenLife(life time.Duration) Option { return func(o *options) { o.life = life } }

// WithLatency delays the answer to each session call, but not to a request to
// the protected resource.
func WithLatency(d time.Duration) Option { return func(o *options) { o.latency = d } }

// WithClockSkew sets the server's clock ahead of the local one, or behind it: in
// its tokens, in expiresAt and in the Date of its answers.
func WithClockSkew(d time.Duration) Option { return func(o *options) { o.skew = d } }

// WithSigningKey signs the tokens with this key (HS256), for a test of a program
// that verifies them. A server without one draws its own.
func WithSigningKey(key []byte) Option { return func(o *options) { o.key = bytes.Clone(key) } }

// WithTLS serves HTTPS, over HTTP/1.1 and HTTP/2, with httptest's certificate.
// [Server.Client] trusts it.
func WithTLS() Option { return func(o *options) { o.tls = true } }

// WithAddr listens at this address, "127.0.0.1:8787" for instance, in place of a
// free port of the loopback interface.
func WithAddr(addr string) Option { return func(o *options) { o.addr = addr } }

// InMemory serves without a socket, so that a test may run in a bubble of
// testing/synctest, in virtual time. Only [Server.Client] reaches the server: give
// it to Config.HTTPClient. The server is of the bubble that it is made in; one with
// a socket, or made outside, has the bubble wait for ever.
func InMemory() Option { return func(o *options) { o.inMemory = true } }

// WithObserver is told each call when it has been answered, on the goroutine
// that answers it.
func WithObserver(f func(Call)) Option { return func(o *options) { o.observe = f } }

// Failer is the part of a testing.TB that [Strict] needs.
type Failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// Strict fails t for each session call that is not exactly as the API describes
// it: a wrong method, a header too many or missing, a body where none belongs.
// It is not the default, since the API itself is not strict: generated clients
// send a Content-Type with every call, and get their answer.
//
// Headers that net/http adds by itself are allowed, and any User-Agent is.
func Strict(t Failer) Option { return func(o *options) { o.strict = t } }
