package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"time"
	"weak"

	"github.com/cenkalti/backoff/v4"
)

// purpose is why a flight was launched.
type purpose int

const (
	onDemand      purpose = iota // a caller has no live token: sign in
	aheadOfExpiry                // the timer: refresh, while callers have one
	revocation                   // Revoke
)

// errSuperseded is the end of a flight that Revoke replaced: those who wait for
// it look again.
var errSuperseded = errors.New("jwtsession: superseded by a revocation")

// flight is one operation of a source, its retries included. It runs on a
// goroutine and a context of its own, so that no caller's giving up ends it.
//
// The fields are the flight's own until done is closed, and constant from then
// on.
type flight struct {
	purpose  purpose
	cancel   context.CancelFunc
	done     chan struct{}
	previous <-chan struct{} // done of the flight that this one replaced

	// What the source was like at the launch.
	old        *snapshot
	refusal    *refusal
	outage     *outage
	chainEnded bool
	retries    bool // a temporary failure is retried within the time-out
	retry      *backoff.ExponentialBackOff
	attempts   int

	// What became of it.
	landed      *snapshot
	err         error
	wait        time.Duration // after err, until another attempt may be made
	created     bool          // landed by signing in
	refused     bool          // err is a verdict on the credentials
	remembered  bool          // err is an earlier verdict, and nothing was sent
	fingerprint [32]byte      // of the credentials that were used
	account     string
}

// inFlight marks the context of a source's own operations. It holds the source
// weakly: the runtime keeps a context's stopped timer until it would have fired,
// and a source that the program has forgotten must not be kept along with it.
type inFlight struct{ source weak.Pointer[TokenSource] }

// launch starts a flight in the place of the present one, if there is any. mu is
// held.
func (ts *TokenSource) launch(p purpose) *flight {
	now := ts.clock()
	f := &flight{
		purpose:    p,
		done:       make(chan struct{}),
		old:        ts.current.Load(),
		refusal:    ts.refusal,
		outage:     ts.outage,
		chainEnded: ts.chainEnded,
		retries:    ts.outage == nil || ts.outage.untold,
		retry:      ts.retry,
		attempts:   ts.attempts,
		account:    ts.account,
	}
	if f.retry == nil || p == revocation {
		f.retry = newBackoff()
	}
	timeout := ts.timeout
	if p == aheadOfExpiry && f.old.liveAt(now) {
		timeout = attemptWithin(f.old.expiry.Sub(now.Round(0)), timeout)
	}
	if ts.flight != nil {
		ts.flight.cancel()
		f.previous = ts.flight.done
	}
	ctx := context.WithValue(context.Background(), inFlight{weak.Make(ts)}, true)
	ctx, f.cancel = context.WithTimeout(ctx, timeout)
	ts.flight = f
	if ts.timer != nil {
		ts.timer.Stop()
	}
	go ts.fly(ctx, f)
	return f
}

// fly does what the flight is for, and lands it.
func (ts *TokenSource) fly(ctx context.Context, f *flight) {
	defer f.cancel()
	if f.previous != nil {
		<-f.previous
	}
	var s Session
	switch f.purpose {
	case onDemand:
		s, f.err = ts.signIn(ctx, f)
	case aheadOfExpiry:
		s, f.err = ts.renew(ctx, f)
	case revocation:
		f.err = ts.revoke(ctx, f)
	}
	ts.land(f, s)
}

// renew refreshes the session, or signs in if that is the end of its chain. It
// makes one attempt: the timer makes the next one.
func (ts *TokenSource) renew(ctx context.Context, f *flight) (Session, error) {
	if f.old.liveAt(ts.clock()) && !f.chainEnded {
		start := ts.clock()
		s, err := attempt(ctx, func(ctx context.Context) (Session, error) {
			return ts.issuer.Refresh(ctx, f.old.session())
		}, f.old.token)
		if err == nil {
			err = ts.check(opRefresh, s)
		}
		switch {
		case err == nil && advances(f.old.expiry, s.ExpiresAt, f.old.expiry.Sub(f.old.issued.Round(0))):
			return s, nil
		case err == nil:
			f.chainEnded = true
		case kindOf(err) == rejected, errors.Is(err, errExpiredOnArrival):
			f.chainEnded = true
			ts.failed(ctx, f, EventRefreshFailed, start, err, 0)
		default:
			left := f.old.expiry.Sub(ts.clock().Round(0))
			f.wait = retryWithin(left, f.retry.NextBackOff(), retryAfterOf(err))
			ts.failed(ctx, f, EventRefreshFailed, start, err, f.wait)
			return Session{}, err
		}
	}
	return ts.signIn(ctx, f)
}

// signIn signs in. For a caller's sake it retries what can be retried, within
// the flight's time.
func (ts *TokenSource) signIn(ctx context.Context, f *flight) (Session, error) {
	if f.purpose == onDemand && f.outage != nil && f.outage.untold {
		f.wait = f.outage.until.Sub(ts.clock())
		if err := f.sleep(ctx, ts.clock, f.wait, f.outage.err); err != nil {
			return Session{}, err
		}
	}
	for {
		start := ts.clock()
		s, err := ts.create(ctx, f)
		if err == nil {
			err = ts.check(opCreate, s)
		}
		if err == nil {
			f.created = true
			return s, nil
		}
		if f.remembered {
			f.wait = f.refusal.until.Sub(ts.clock())
			return Session{}, err
		}
		again := false
		switch kindOf(err) {
		case rejected:
			f.refused = true
			f.wait = lockout(f.refusals())
		case unusable:
			f.wait = f.retry.NextBackOff()
		case temporary:
			f.wait = max(f.retry.NextBackOff(), retryAfterOf(err))
			again = f.purpose == onDemand && f.retries
		}
		if f.purpose == aheadOfExpiry && !f.refused && f.old.liveAt(ts.clock()) {
			left := f.old.expiry.Sub(ts.clock().Round(0))
			f.wait = retryWithin(left, f.wait, retryAfterOf(err))
		}
		ts.failed(ctx, f, EventSignInFailed, start, err, f.wait)
		if !again || f.sleep(ctx, ts.clock, f.wait, err) != nil {
			return Session{}, err
		}
	}
}

// create makes one attempt to sign in. Credentials that the server refused, and
// that have to wait, are not sent again.
func (ts *TokenSource) create(ctx context.Context, f *flight) (Session, error) {
	client, ok := ts.issuer.(*Client)
	if !ok {
		return attempt(ctx, ts.issuer.Create)
	}
	credentials, err := attempt(ctx, client.retrieve)
	if err != nil {
		return Session{}, err
	}
	f.account = accountDomain(credentials.Email)
	f.fingerprint = credentials.fingerprint()
	if f.refusal.holds(f.fingerprint, ts.clock()) {
		f.remembered = true
		return Session{}, f.refusal.err
	}
	return attempt(ctx, func(ctx context.Context) (Session, error) {
		return client.create(ctx, credentials)
	}, credentials.Password)
}

// revoke deletes the session at the server.
func (ts *TokenSource) revoke(ctx context.Context, f *flight) error {
	if f.old == nil {
		return nil
	}
	f.attempts = 0
	for {
		start := ts.clock()
		_, err := attempt(ctx, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, ts.issuer.Revoke(ctx, f.old.session())
		}, f.old.token)
		var api *APIError
		if err == nil || errors.Is(err, ErrUnauthorized) && !(errors.As(err, &api) && api.StatusCode == 403) {
			return nil
		}
		wait := max(f.retry.NextBackOff(), retryAfterOf(err))
		ts.failed(ctx, f, EventRevokeFailed, start, err, wait)
		if kindOf(err) != temporary || f.sleep(ctx, ts.clock, wait, err) != nil {
			return err
		}
	}
}

// refusals counts those of the same credentials in a row, this one included.
func (f *flight) refusals() int {
	if f.refusal != nil && f.refusal.fingerprint == f.fingerprint {
		return f.refusal.count + 1
	}
	return 1
}

// sleep waits, if the flight's time allows it. If not, it returns err at once.
func (f *flight) sleep(ctx context.Context, clock func() time.Time, wait time.Duration, err error) error {
	deadline, _ := ctx.Deadline()
	if deadline.Sub(clock()) <= wait {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return err
	}
}

// failed notes an attempt that failed, unless the program itself ended it.
func (ts *TokenSource) failed(ctx context.Context, f *flight, kind EventKind, start time.Time, err error, wait time.Duration) {
	f.attempts++
	if ctx.Err() == context.Canceled {
		return
	}
	e := Event{Kind: kind, Time: ts.clock().Round(0), Account: f.account, Attempt: f.attempts, Duration: ts.clock().Sub(start), RetryIn: wait, Err: err}
	if f.old != nil {
		e.SessionID, e.ExpiresAt = f.old.jti, f.old.expiry
	}
	ts.reporter.report(e)
}

// errExpiredOnArrival marks a session that was of no use from the start.
var errExpiredOnArrival = errors.New("the session that the server issued has expired already: compare the clocks of both machines")

// check refuses a session that no request could use.
func (ts *TokenSource) check(op operation, s Session) error {
	err := checkToken(s.Token)
	if err == nil && !s.ExpiresAt.IsZero() && !ts.clock().Round(0).Before(s.ExpiresAt) {
		err = fmt.Errorf("%w (it expired at %s)", errExpiredOnArrival, s.ExpiresAt.Format(time.RFC3339))
	}
	if err != nil {
		return &unusableError{fmt.Errorf("jwtsession: %s%s: %w", op, ts.at(), err)}
	}
	return nil
}

// land ends a flight and, if it is the source's present one, makes what it
// brought what callers see.
func (ts *TokenSource) land(f *flight, s Session) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	defer close(f.done)
	if ts.flight != f {
		f.err = errSuperseded
		return
	}
	ts.flight = nil
	if ts.closed {
		f.err = ErrClosed
		return
	}
	ts.account = f.account
	now := ts.clock()
	switch {
	case f.purpose == revocation:
		ts.landRevocation(f, now)
	case f.err == nil:
		ts.landSession(f, s, now)
	default:
		ts.landFailure(f, now)
	}
}

func (ts *TokenSource) landSession(f *flight, s Session, now time.Time) {
	f.landed = newSnapshot(s, now)
	ts.settle()
	kind := EventRefreshed
	if f.created {
		kind = EventSignedIn
		if ts.rejectedToken != "" {
			ts.rejectedSignIn = now
		}
	}
	ts.rejectedToken = ""
	ts.current.Store(f.landed)
	if f.created && f.old.liveAt(now) && !advances(f.old.expiry, s.ExpiresAt, f.old.expiry.Sub(f.old.issued.Round(0))) {
		// Not even a sign-in moves the expiry on: do not hurry to ask again.
		ts.retry = f.retry
		ts.plan(now.Add(retryWithin(s.ExpiresAt.Sub(now.Round(0)), f.retry.NextBackOff(), 0)))
	} else {
		ts.planRefresh(f.landed)
	}
	ts.reporter.report(Event{Kind: kind, Time: now.Round(0), Account: f.account, SessionID: f.landed.jti, ExpiresAt: f.landed.expiry, Attempt: f.attempts + 1})
}

func (ts *TokenSource) landFailure(f *flight, now time.Time) {
	ts.retry, ts.attempts, ts.chainEnded = f.retry, f.attempts, f.chainEnded
	until := now.Add(f.wait)
	s := ts.current.Load()
	live := s.liveAt(now)
	switch {
	case f.remembered:
	case f.refused:
		ts.problem, ts.outage = f.err, nil
		ts.refusal = &refusal{err: f.err, until: until, count: f.refusals(), fingerprint: f.fingerprint}
	default:
		ts.problem = f.err
		if !live || retryAfterOf(f.err) > 0 {
			ts.outage = &outage{err: f.err, until: until, untold: f.purpose == aheadOfExpiry}
		}
	}
	if live && until.Before(s.expiry) {
		ts.plan(until)
	} else {
		ts.plan(time.Time{})
	}
}

// settle forgets what went wrong before.
func (ts *TokenSource) settle() {
	ts.retry, ts.attempts, ts.chainEnded = nil, 0, false
	ts.problem, ts.refusal, ts.outage = nil, nil, nil
}

func (ts *TokenSource) landRevocation(f *flight, now time.Time) {
	if f.err != nil {
		ts.problem = f.err
		if s := ts.current.Load(); s.liveAt(now) {
			ts.planRefresh(s)
		}
		return
	}
	ts.settle()
	ts.rejectedToken, ts.rejectedSignIn = "", time.Time{}
	ts.current.Store(nil)
	ts.plan(time.Time{})
	if f.old != nil {
		ts.reporter.report(Event{Kind: EventRevoked, Time: now.Round(0), Account: f.account, SessionID: f.old.jti, ExpiresAt: f.old.expiry})
	}
}
