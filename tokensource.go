package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/oauth2"
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
// fails is tried again until the token expires; one that the server rejects
// leads to a new sign-in.
//
// A source needs no Close to be collected: nothing keeps one that the program
// has forgotten.
type TokenSource struct {
	// What callers see is current and nothing else: nil, or a session that never
	// changes once it is here. Reading it takes no lock.
	//
	// All else is guarded by mu, which is held for a few instructions, and never
	// across a call to a server, a provider or a callback, nor while waiting.
	//
	//  1. There is at most one flight at a time, and only the flight in the field
	//     may bring a session: Revoke replaces it, and what it brings is dropped.
	//  2. Nothing but a landing flight sets current to a session.
	//  3. Once closed is true current is nil, no flight is launched and the timer
	//     is stopped.
	//  4. The timer is armed if and only if due is set and there is no flight.
	//  5. dead is the last session that the server rejected, or that was revoked,
	//     until another one lands. What may have ended with it is handed to nobody
	//     before a refresh has shown that it lives.
	//  6. kept is not current: the next flight takes it over, and replaces it or
	//     goes back to it.
	//  7. sharing is used by the one flight in the air, and by nobody else.
	current atomic.Pointer[snapshot]

	mu             sync.Mutex
	flight         *flight
	timer          *time.Timer // holds the source weakly
	due            time.Time   // of the next early refresh; zero: none
	retry          *backoff.ExponentialBackOff
	attempts       int       // that failed since the last success
	problem        error     // of the last attempt that failed
	refusal        *refusal  // of the credentials
	outage         *outage   // of the server
	dead           *snapshot // rejected or revoked, and not yet replaced
	kept           *snapshot // dropped on suspicion, or rejected too soon after the last one: to go back to
	rejectedSignIn time.Time // the last sign-in that a rejection caused
	proven         int64     // issue of the last session that was brought after a rejection, in nanoseconds since 1970
	closed         bool
	chainEnded     bool // the server will not refresh the current token
	rejected       bool // dead was: the sign-in that replaces it counts as caused by that
	maySignIn      bool // kept may be replaced by signing in

	issuer   Issuer
	sharing  *sharing // nil without a cache
	timeout  time.Duration
	origins  []origin
	base     http.RoundTripper // of Client
	reporter *reporter
	host     string // for errors
	account  string // for events; guarded by mu
	clock    func() time.Time
}

// New returns a source that signs in as config says. It makes no call to the
// server; a config that cannot work is an error that says what to set.
func New(config Config) (*TokenSource, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	issuer, err := config.issuer()
	if err != nil {
		return nil, err
	}
	origins, err := config.origins()
	if err != nil {
		return nil, err
	}
	ts := &TokenSource{
		issuer:  issuer,
		timeout: config.Timeout,
		origins: origins,
		account: accountDomain(config.Account),
		clock:   time.Now,
	}
	if ts.timeout == 0 {
		ts.timeout = DefaultTimeout
	}
	ts.sharing = newSharing(config, issuer)
	if config.HTTPClient != nil {
		ts.base = config.HTTPClient.Transport
	}
	if client, ok := issuer.(*Client); ok {
		ts.host = client.host
	} else if len(origins) > 0 {
		ts.host = origins[0].host
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

// TokenContext returns a live token. The caller may change it: it is a copy.
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
	return &oauth2.Token{AccessToken: s.token, TokenType: "Bearer", Expiry: s.expiry}, nil
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
	if ctx.Value(inFlight{weak.Make(ts)}) != nil {
		return nil, &unusableError{errors.New("jwtsession: the sign-in asks for the token that it is to bring: give the issuer, or Config.HTTPClient, a transport without this source"), true}
	}
	if ctx.Err() != nil {
		return nil, ts.gaveUp(ctx) // and start nothing
	}
	for {
		s, f, err := ts.join()
		if s != nil || err != nil {
			return s, err
		}
		if err := ts.wait(ctx, f); err != nil {
			return nil, err
		}
		switch {
		case f.landed != nil && f.err == nil:
			return f.landed, nil
		case f.purpose == onDemand && f.err != errSuperseded:
			return nil, f.err
		}
	}
}

// join returns a live session, or the flight to wait for, or why there will be
// neither for now.
func (ts *TokenSource) join() (*snapshot, *flight, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	now := ts.clock()
	if ts.closed {
		return nil, nil, ErrClosed
	}
	if s := ts.current.Load(); s.liveAt(now) {
		return s, nil, nil
	}
	if ts.flight != nil {
		return nil, ts.flight, nil
	}
	if down := ts.outage; down != nil && !down.untold && now.Before(down.until) {
		return nil, nil, down.err
	}
	if _, asks := ts.issuer.(*Client); !asks && ts.refusal.holds([32]byte{}, now) {
		return nil, nil, ts.refusal.err
	}
	return nil, ts.launch(onDemand), nil
}

// wait returns when the flight has landed, or with ctx's error.
func (ts *TokenSource) wait(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ts.gaveUp(ctx)
	}
}

// gaveUp is the error of a caller whose context has ended.
func (ts *TokenSource) gaveUp(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != err {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("jwtsession: stopped waiting for a session%s: %w", ts.at(), err)
}

// Invalidate tells the source that the server rejected this token, although it
// had not expired. If it is still the current one it is dropped, and the next
// caller gets a newer one from the cache, or signs in; a late word about an older
// token changes nothing.
//
// If a rejection caused a sign-in less than a minute ago, there is no other one:
// signing in did not help, and doing it again would not either. Without a newer
// one in the cache the token is kept.
// [Transport] calls Invalidate by itself.
func (ts *TokenSource) Invalidate(accessToken string) {
	if s := ts.current.Load(); s != nil && s.token == accessToken {
		ts.reject(s)
	}
}

// reject drops the current session because the server has rejected this one,
// which is it, or an older one that may have ended along with it: a request that
// was under way while the session was refreshed, and then revoked, tells of both.
// What the last rejection has led to is not doubted for older sessions' sake.
func (ts *TokenSource) reject(s *snapshot) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	now, current := ts.clock(), ts.current.Load()
	if !current.liveAt(now) || ts.closed {
		return // it is about to be replaced, and not on account of this
	}
	suspected := current.token != s.token
	if suspected && (!current.mayHaveEndedWith(s) || !s.liveAt(now) || s.issued.UnixNano() < ts.proven) {
		return
	}
	paused := !ts.rejectedSignIn.IsZero() && now.Sub(ts.rejectedSignIn) < rejectionPause
	if paused && !suspected && ts.sharing == nil {
		return
	}
	ts.current.Store(nil)
	ts.plan(time.Time{})
	ts.dead = s
	ts.maySignIn, ts.rejected = !paused, !paused
	if paused || suspected {
		ts.kept = current
	}
	if !paused {
		ts.reporter.report(Event{Kind: EventRejected, Time: now.Round(0), Account: ts.account, SessionID: s.jti, ExpiresAt: s.expiry})
	}
}

// Revoke logs out: it deletes the session at the server, which ends every
// session of the user, in every process and on every machine, and then forgets
// it. A server that says that the session has ended already is as good. Without
// a session there is nothing to revoke, and no call is made. A refresh under way
// is dropped.
//
// If the server cannot be reached within Config.Timeout that is an error, and
// the session stays. ctx ends the caller's wait, and not the operation.
//
// The source can be used again: the next call for a token signs in.
func (ts *TokenSource) Revoke(ctx context.Context) error {
	if ctx.Value(inFlight{weak.Make(ts)}) != nil {
		return &unusableError{errors.New("jwtsession: Revoke was called from within a session call of the same source"), true}
	}
	ts.mu.Lock()
	if ts.closed {
		ts.mu.Unlock()
		return ErrClosed
	}
	f := ts.flight
	if f == nil || f.purpose != revocation {
		f = ts.launch(revocation)
	}
	ts.mu.Unlock()
	if err := ts.wait(ctx, f); err != nil {
		return err
	}
	return f.err
}

// Client returns an http.Client that is always signed in: its requests to the
// API carry the token, and it needs nothing else. Its transport is a [Transport]
// on that of Config.HTTPClient.
func (ts *TokenSource) Client() *http.Client {
	return &http.Client{Transport: &Transport{Source: ts, Base: ts.base}}
}

// Close ends the timer and what is under way, and waits for it. It never
// revokes: the session may be other processes', too. Afterwards every call is
// answered with [ErrClosed]; closing again does nothing. The error is always
// nil.
//
// Config.OnEvent gets what has happened before Close returns, unless it takes
// longer than a second.
func (ts *TokenSource) Close() error {
	ts.mu.Lock()
	ts.closed = true
	ts.current.Store(nil)
	ts.plan(time.Time{})
	f := ts.flight
	if f != nil {
		f.cancel()
	}
	ts.mu.Unlock()
	if f != nil {
		<-f.done
	}
	ts.reporter.wait(patience)
	return nil
}

// at says where, if that is known: an Issuer alone does not tell.
func (ts *TokenSource) at() string {
	if ts.host == "" {
		return ""
	}
	return " at " + ts.host
}

// String names the API; it holds no secret.
func (ts *TokenSource) String() string { return "jwtsession.TokenSource(" + ts.host + ")" }

// Format prints what String returns, whatever the verb.
func (ts *TokenSource) Format(f fmt.State, _ rune) { io.WriteString(f, ts.String()) }
