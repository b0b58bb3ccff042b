package jwtsession

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/internal/connections"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/origin"
)

// cacheKeySize is the length of Config.CacheKey.
const cacheKeySize = 32

// patience bounds what Close and an operation's end wait for code that is not
// ours and may not return.
const patience = time.Second

// TokenSource signs in, keeps the session fresh, and hands out its token. It is
// an [oauth2.TokenSource], and safe for concurrent use.
//
// The first call signs in. From then on a timer refreshes the session at a
// random point between 70 and 80 % of each token's life, whether the source is
// used or not, and callers go on with the live token meanwhile. A refresh that
// fails is tried again until the token expires; one that the server refuses
// leads to a new sign-in.
//
// A source needs no Close to be collected: nothing keeps one that the program
// has forgotten.
type TokenSource struct {
	// What callers see is current and nothing else: nil, or a session that never
	// changes once it is here. Reading it takes no lock.
	//
	// All else is in state, which package core decides about; what it decides is
	// done here and in operation.go. mu guards it and the fields below it, and is
	// held for a few instructions, never across a call to a server, a provider, a
	// cache or a callback, nor while waiting.
	current atomic.Pointer[snapshot]

	mu      sync.Mutex
	state   *core.State   // behind a pointer: fmt follows none in a field
	last    *snapshot     // the newest that current was
	stepped time.Duration // what the wall clock was ahead of the monotonic one then
	timer   *time.Timer   // holds the source weakly
	alarm   core.Moment   // that the timer is set to; zero: none
	waiting *wait         // callers; nil: none
	leaving *wait         // in Revoke
	running *running      // the operations under way; nil: none is
	account string        // for events

	config   *core.Config
	issuer   *Issuer              // a pointer: fmt shows what an interface in a field holds, a password perhaps
	own      *Client              // the issuer, if it is made of Config.Credentials
	provider *CredentialsProvider // Config.Credentials, beside an Issuer
	sharing  *shared              // nil without a cache
	origins  []origin.Origin
	caller   *http.Client // Config.HTTPClient
	reporter *reporter
	clock    func() time.Time
}

// wait is what callers wait for together.
type wait struct {
	over    chan struct{} // closed when the rest is there
	session *snapshot
	err     error
}

// running is a row of operations, each of which follows from the one before.
type running struct {
	cancel context.CancelFunc // of the present one
	ended  chan struct{}      // closed at the end of the last
}

// New returns a source that signs in as config says. It makes no call to the
// server; a config that cannot work is an error that says what to set.
func New(config Config) (*TokenSource, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	issuer, own := config.Issuer, (*Client)(nil)
	if issuer == nil {
		client, err := config.client()
		if err != nil {
			return nil, err
		}
		issuer, own = client, client
	}
	origins, err := config.origins()
	if err != nil {
		return nil, err
	}
	ts := &TokenSource{
		issuer:  &issuer,
		own:     own,
		origins: origins,
		account: accountDomain(config.Account),
		clock:   time.Now,
		state:   new(core.State),
	}
	ts.config = configOf(core.Config{
		Timeout: cmp.Or(config.Timeout, DefaultTimeout),
		Cache:   config.Cache != nil,
		Asks:    config.Credentials != nil,
	})
	ts.sharing = newShared(config, own, ts.host())
	ts.state.Known = ts.sharing != nil && ts.sharing.Named()
	ts.caller = config.HTTPClient
	if own == nil && config.Credentials != nil {
		provider := config.Credentials // alone: all of config would stay
		ts.provider = &provider
	}
	if config.Logger != nil || config.OnEvent != nil {
		ts.reporter = &reporter{logger: config.Logger, onEvent: config.OnEvent}
	}
	return ts, nil
}

// Token returns a live token, as [TokenSource.TokenContext] does without an end
// to its wait other than Config.Timeout's.
func (ts *TokenSource) Token() (*oauth2.Token, error) {
	return ts.TokenContext(context.Background())
}

// TokenContext returns a live token. The caller may change it: it is a copy. Its
// TokenType is how the Authorization header begins in which the session is sent;
// it is empty where there is no such header, or where the header does not end with
// a space and the token: then only [Transport] signs requests in as Protocol.Send
// says.
//
// With a live session that takes no lock and no wait. Else the caller waits for
// the sign-in under way, or starts one, until ctx ends; giving up ends its own
// wait and nothing else.
//
// What can be retried is retried within Config.Timeout; then the error is handed
// to all callers at once until the next attempt is due, at growing intervals of
// up to a minute. Credentials that the server refused are not sent again for a
// minute, then two, up to fifteen, and callers get the same error meanwhile; but
// the [CredentialsProvider] is asked each time, and what it has changed is tried
// at once.
//
// Errors: [ErrClosed]; ctx's, wrapped; those of the session calls, an
// [*APIError] for instance; those of the provider.
func (ts *TokenSource) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	s, err := ts.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: s.token(), TokenType: ts.tokenType(), Expiry: s.expiry()}, nil
}

// tokenType is the scheme of the Authorization header that carries the token
// (O6).
func (ts *TokenSource) tokenType() string {
	if ts.signer() == nil {
		return "Bearer"
	}
	if client, ok := (*ts.issuer).(*Client); ok {
		return client.tokenType()
	}
	return "" // the Signer knows
}

// acquire returns a live session.
func (ts *TokenSource) acquire(ctx context.Context) (*snapshot, error) {
	if s := ts.current.Load(); s.liveAt(ts.clock()) {
		return s, nil
	}
	return ts.await(ctx)
}

// await returns a live session, once there is one.
func (ts *TokenSource) await(ctx context.Context) (*snapshot, error) {
	if ts.isWithin(ctx) {
		return nil, &unusableError{errors.New("jwtsession: the sign-in asks for the token that it is to bring: give the issuer, or Config.HTTPClient, a transport without this source"), true}
	}
	if ctx.Err() != nil {
		return nil, ts.gaveUp(ctx) // and start nothing
	}
	ts.mu.Lock()
	if s := ts.current.Load(); s.liveAt(ts.clock()) {
		ts.mu.Unlock()
		return s, nil
	}
	w := ts.waiting
	if w == nil {
		w = &wait{over: make(chan struct{})}
		ts.waiting = w
		ts.step(core.Input{Kind: core.Want})
	}
	ts.mu.Unlock()
	return w.result(ctx, ts)
}

// result returns what the wait was for, or ctx's error.
func (w *wait) result(ctx context.Context, ts *TokenSource) (*snapshot, error) {
	select {
	case <-w.over:
		return w.session, w.err
	case <-ctx.Done():
		return nil, ts.gaveUp(ctx)
	}
}

// isWithin reports whether ctx is that of a call which the source itself makes.
func (ts *TokenSource) isWithin(ctx context.Context) bool {
	return ctx.Value(inFlight{weak.Make(ts)}) != nil
}

// gaveUp is the error of a caller whose context has ended.
func (ts *TokenSource) gaveUp(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != err {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	ts.mu.Lock()
	problem := ts.state.Problem
	ts.mu.Unlock()
	if problem != nil {
		return fmt.Errorf("jwtsession: stopped waiting for a session%s: %w; the last attempt: %v", ts.at(), err, problem)
	}
	return fmt.Errorf("jwtsession: stopped waiting for a session%s: %w", ts.at(), err)
}

// Invalidate tells the source that the server rejected this token, although it
// had not expired. If it is still the current one it is doubted, and the server
// is its judge: before anybody uses the session again it is asked about by one
// refresh, for all who wait, after a look into the cache for a newer one. What the
// server renews is good; what it refuses is replaced by signing in; and where it
// cannot be asked the session is kept. A late word about an older token changes
// nothing.
//
// If what the refresh brought is rejected as well within a minute, the source
// signs in; and if that did not help either, it does nothing more on account of
// rejections for a minute, and the token is kept. [Transport] calls Invalidate by
// itself.
func (ts *TokenSource) Invalidate(accessToken string) {
	if s := ts.current.Load(); s != nil && s.token() == accessToken {
		ts.reject(s)
	}
}

// reject tells the core that the server rejected a session, which may be an older
// one than the current.
func (ts *TokenSource) reject(s *snapshot) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.step(core.Input{Kind: core.Rejected, Session: s.session()})
}

// Revoke logs out: it deletes the newest session that there is, the source's own
// or the cache's, at the server, and then forgets it. PacerPro's API ends every
// session of the user, in every process and on every machine. A server that says
// that the session has ended already is as good, if there is no other one. What a
// refresh under way brings is deleted, too. Without a session there is nothing to
// revoke, and no call is made.
//
// If the server cannot be reached within Config.Timeout that is an error, and
// the session stays. ctx ends the caller's wait, and not the operation.
//
// The source can be used again: the next call for a token signs in. Credentials
// that were refused, and a server that asked to be left alone, are so still.
func (ts *TokenSource) Revoke(ctx context.Context) error {
	if ts.isWithin(ctx) {
		return &unusableError{errors.New("jwtsession: Revoke was called from within a session call of the same source"), true}
	}
	ts.mu.Lock()
	w := ts.leaving
	if w == nil {
		w = &wait{over: make(chan struct{})}
		ts.leaving = w
		ts.step(core.Input{Kind: core.Revoke})
	}
	ts.mu.Unlock()
	_, err := w.result(ctx, ts)
	return err
}

// Client returns an http.Client that is always signed in: its requests to the
// API carry the token, and it needs nothing else. Its transport is a [Transport]
// on that of Config.HTTPClient.
func (ts *TokenSource) Client() *http.Client {
	return &http.Client{Transport: &Transport{Source: ts, Base: connections.ForRequests(ts.caller)}}
}

// Close ends the timer and what is under way, and waits for it. It never
// revokes: the session may be other processes', too. What a refresh brings at
// that moment is still stored in the cache, within a second or two. Afterwards
// every call is answered with [ErrClosed]; closing again does nothing. The error
// is always nil.
//
// Config.OnEvent gets what has happened before Close returns, unless it takes
// longer than a second.
func (ts *TokenSource) Close() error {
	ts.mu.Lock()
	ts.step(core.Input{Kind: core.Close})
	under := ts.running
	ts.mu.Unlock()
	if under != nil {
		<-under.ended
	}
	ts.reporter.wait(patience)
	return nil
}

// at says where, if that is known: an Issuer alone does not tell.
func (ts *TokenSource) at() string {
	if host := ts.host(); host != "" {
		return " at " + host
	}
	return ""
}

// String names the API; it holds no secret.
func (ts *TokenSource) String() string { return "jwtsession.TokenSource(" + ts.host() + ")" }

func (ts *TokenSource) host() string {
	if ts.issuer == nil {
		return "" // of no New
	}
	if client, ok := (*ts.issuer).(*Client); ok {
		return client.host()
	}
	if len(ts.origins) > 0 {
		return ts.origins[0].Host
	}
	return ""
}

// Format prints what String returns, whatever the verb.
func (ts *TokenSource) Format(f fmt.State, _ rune) { io.WriteString(f, ts.String()) }
