package jwtsession

import (
	"context"
	"errors"
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

// errSuperseded is the end of a flight that Revoke replaced, or whose session may
// have been revoked meanwhile: those who wait for it look again.
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
	dead       *snapshot
	kept       *snapshot // to go back to, if no other session is to be had
	maySignIn  bool      // although there is one to go back to
	refusal    *refusal
	outage     *outage
	chainEnded bool
	retries    bool // a temporary failure is retried within the time-out
	retry      *backoff.ExponentialBackOff
	attempts   int

	// What it found in the cache.
	lease    *leased   // nil: it does not hold it
	found    *snapshot // a session, good or bad
	doubtful bool      // it is to be refreshed before anybody uses it
	shared   *refusal  // of the credentials that another source has sent

	// What became of it.
	landed      *snapshot
	err         error
	wait        time.Duration // after err, until another attempt may be made
	kind        EventKind     // how landed came
	verdict     *refusal      // err is this verdict on the credentials
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
		dead:       ts.dead,
		kept:       ts.kept,
		maySignIn:  ts.maySignIn,
		refusal:    ts.refusal,
		outage:     ts.outage,
		chainEnded: ts.chainEnded,
		retries:    ts.outage == nil || ts.outage.untold,
		retry:      ts.retry,
		attempts:   ts.attempts,
		account:    ts.account,
	}
	if f.retry == nil || p == revocation || p == onDemand && f.retries {
		f.retry = newBackoff() // what an early refresh has waited for is not this caller's wait
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
	ts.kept = nil
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
	switch f.purpose {
	case onDemand:
		f.landed, f.err = ts.signIn(ctx, f)
	case aheadOfExpiry:
		f.landed, f.err = ts.renew(ctx, f)
	case revocation:
		f.err = ts.revoke(ctx, f)
	}
	f.letGo()
	ts.land(f)
}

// land ends a flight and, if it is the source's present one, makes what it
// brought what callers see.
func (ts *TokenSource) land(f *flight) {
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
	case f.err == nil && f.kind != EventSignedIn && ts.dead != f.dead && f.landed.mayHaveEndedWith(ts.dead):
		// The old one was rejected while this one was on its way.
		f.err, ts.kept = errSuperseded, f.landed
	case f.err == nil:
		ts.landSession(f, now)
	default:
		ts.landFailure(f, now)
	}
}

func (ts *TokenSource) landSession(f *flight, now time.Time) {
	s := f.landed
	ts.settle()
	if f.kind == EventSignedIn && ts.rejected {
		ts.rejectedSignIn = now
	}
	if ts.dead != nil {
		ts.proven = s.issued.UnixNano()
	}
	ts.dead, ts.kept, ts.rejected = nil, nil, false
	ts.current.Store(s)
	ts.planRefresh(s)
	e := Event{Kind: f.kind, Time: now.Round(0), Account: f.account, SessionID: s.jti, ExpiresAt: s.expiry}
	if f.kind != EventAdopted {
		e.Attempt = f.attempts + 1
	}
	ts.reporter.report(e)
}

func (ts *TokenSource) landFailure(f *flight, now time.Time) {
	ts.retry, ts.attempts, ts.chainEnded = f.retry, f.attempts, f.chainEnded
	until := now.Add(f.wait)
	s := ts.current.Load()
	live := s.liveAt(now)
	switch {
	case f.kept != nil:
		ts.keep(f, now)
		return
	case f.verdict != nil:
		ts.problem, ts.outage = f.err, nil
		if f.verdict != ts.refusal.of(f.verdict.fingerprint) {
			ts.refusal = f.verdict.after(ts.refusal)
		}
	default:
		ts.problem = f.err
		if p := f.purpose; f.wait > 0 && (p == onDemand || retryAfterOf(f.err) > 0) {
			ts.outage = &outage{err: f.err, until: until, untold: f.purpose == aheadOfExpiry}
		}
	}
	if live && until.Before(s.expiry) {
		ts.plan(until)
	} else {
		ts.plan(time.Time{})
	}
}

// keep goes back to a session that the server has rejected, or may have, since
// another one was not to be had.
func (ts *TokenSource) keep(f *flight, now time.Time) {
	ts.dead, ts.rejected = nil, false
	if f.kept.liveAt(now) {
		f.landed, f.err = f.kept, nil
		ts.current.Store(f.kept)
		ts.planRefresh(f.kept)
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
	ts.dead, ts.kept, ts.rejected, ts.rejectedSignIn = f.old, nil, false, time.Time{}
	ts.current.Store(nil)
	ts.plan(time.Time{})
	if f.old != nil {
		ts.reporter.report(Event{Kind: EventRevoked, Time: now.Round(0), Account: f.account, SessionID: f.old.jti, ExpiresAt: f.old.expiry})
	}
}
