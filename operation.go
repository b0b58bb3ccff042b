package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// renew refreshes the session, or signs in if that is the end of its chain. It
// makes one attempt: the timer makes the next one.
func (ts *TokenSource) renew(ctx context.Context, f *flight) (*snapshot, error) {
	if newer := ts.seek(ctx, f); newer != nil {
		return f.bring(EventAdopted, newer)
	}
	if f.old.liveAt(ts.clock()) && !f.chainEnded {
		start := ts.clock()
		s, err := ts.refresh(ctx, f.old)
		_, dead := ts.standing()
		switch {
		case err == nil && dead != nil && dead.token == f.old.token:
			// Rejected meanwhile: what it has brought may have ended with it.
			f.chainEnded = true
		case err == nil && advances(f.old.expiry, s.expiry, f.old.life()):
			ts.leave(ctx, f, s)
			return f.bring(EventRefreshed, s)
		case err == nil:
			f.chainEnded = true
		case kindOf(err) == rejected, errors.Is(err, errExpiredOnArrival):
			f.chainEnded = true
			ts.failed(ctx, f, EventRefreshFailed, start, err, 0)
			if f.found.liveAt(ts.clock()) && !f.found.mayHaveEndedWith(f.old) {
				return f.bring(EventAdopted, f.found)
			}
		default:
			left := f.old.expiry.Sub(ts.clock().Round(0))
			f.wait = retryWithin(left, f.retry.NextBackOff(), retryAfterOf(err))
			ts.failed(ctx, f, EventRefreshFailed, start, err, f.wait)
			return nil, err
		}
	}
	return ts.signIn(ctx, f)
}

// refresh makes one attempt to refresh a session.
func (ts *TokenSource) refresh(ctx context.Context, old *snapshot) (*snapshot, error) {
	s, err := attempt(ctx, func(ctx context.Context) (Session, error) {
		return ts.issuer.Refresh(ctx, old.session())
	}, old.token)
	return ts.accept(opRefresh, s, err)
}

// errNothingNewer is the end of a flight that was not allowed to sign in.
var errNothingNewer = &unusableError{errors.New("jwtsession: the server rejects the token, and there is no other one for now"), false}

// signIn signs in. For a caller's sake it retries what can be retried, within
// the flight's time.
func (ts *TokenSource) signIn(ctx context.Context, f *flight) (*snapshot, error) {
	if f.purpose == onDemand && f.outage != nil && f.outage.untold {
		f.wait = f.outage.until.Sub(ts.clock())
		if err := f.sleep(ctx, f.wait, f.outage.err); err != nil {
			return nil, err
		}
	}
	for {
		start := ts.clock()
		s, err := ts.create(ctx, f)
		if err == nil || err == errNothingNewer {
			return s, err
		}
		again := false
		switch {
		case f.verdict != nil:
			f.wait = f.verdict.until.Sub(ts.clock())
			if f.verdict == f.refusal.of(f.fingerprint) {
				return nil, err
			}
		case kindOf(err) == temporary:
			f.wait = max(f.retry.NextBackOff(), retryAfterOf(err))
			again = f.purpose == onDemand && f.retries
		case f.purpose == onDemand && isLocal(err):
			f.wait = 0
		default:
			f.wait = f.retry.NextBackOff()
		}
		if f.purpose == aheadOfExpiry && f.verdict == nil && f.old.liveAt(ts.clock()) {
			left := f.old.expiry.Sub(ts.clock().Round(0))
			f.wait = retryWithin(left, f.wait, retryAfterOf(err))
		}
		ts.failed(ctx, f, EventSignInFailed, start, err, f.wait)
		f.letGo()
		if !again || f.sleep(ctx, f.wait, err) != nil {
			return nil, err
		}
	}
}

// create makes one attempt to get a session for somebody who has none: from the
// cache, or by signing in. Credentials that the server refused, and that have to
// wait, are not sent again, whoever sent them.
func (ts *TokenSource) create(ctx context.Context, f *flight) (*snapshot, error) {
	call, secret := ts.issuer.Create, ""
	if client, ok := ts.issuer.(*Client); ok {
		credentials, err := ts.retrieve(ctx, f, client)
		if err != nil {
			return nil, err
		}
		call = func(ctx context.Context) (Session, error) { return client.create(ctx, credentials) }
		secret = credentials.Password
	}
	if f.refusal.holds(f.fingerprint, ts.clock()) {
		f.verdict = f.refusal.of(f.fingerprint)
		return nil, f.verdict.err
	}
	if s := ts.seek(ctx, f); s != nil {
		return f.bring(EventAdopted, s)
	}
	if f.shared != nil && ts.clock().Before(f.shared.until) {
		f.verdict = f.shared
		f.verdict.fingerprint = f.fingerprint
		return nil, f.verdict.err
	}
	if _, dead := ts.standing(); f.found == nil && f.kept.liveAt(ts.clock()) && dead != nil && f.kept.token != dead.token {
		f.found, f.doubtful = f.kept, true
	}
	if f.doubtful {
		if s, err := ts.verify(ctx, f); s != nil || err != nil {
			return s, err
		}
	}
	if f.kept != nil && !f.maySignIn {
		return nil, errNothingNewer
	}
	f.kept = nil // it has ended
	s, err := attempt(ctx, call, secret)
	created, err := ts.accept(opCreate, s, err)
	if err == nil {
		ts.leave(ctx, f, created)
		return f.bring(EventSignedIn, created)
	}
	if kindOf(err) == rejected {
		n := f.refusals()
		f.verdict = &refusal{err: err, until: ts.clock().Add(lockout(n)), count: n, fingerprint: f.fingerprint}
		ts.leaveRefusal(ctx, f, f.verdict)
	}
	return nil, err
}

// retrieve asks the provider, and learns whose session this is.
func (ts *TokenSource) retrieve(ctx context.Context, f *flight, client *Client) (Credentials, error) {
	credentials, err := attempt(ctx, client.retrieve)
	if err != nil {
		return Credentials{}, err
	}
	f.account = accountDomain(credentials.Email)
	f.fingerprint = credentials.fingerprint()
	ts.sharing.know(credentials, f.fingerprint)
	return credentials, nil
}

// verify refreshes a session from the cache that may have been revoked, or is
// about to expire, before anybody uses it. It returns nothing if the server
// rejects it.
func (ts *TokenSource) verify(ctx context.Context, f *flight) (*snapshot, error) {
	start := ts.clock()
	s, err := ts.refresh(ctx, f.found)
	switch _, dead := ts.standing(); {
	case err == nil && (dead != nil || advances(f.found.expiry, s.expiry, f.found.life())):
		ts.leave(ctx, f, s)
		return f.bring(EventRefreshed, s)
	case err == nil:
		return nil, nil
	case kindOf(err) == temporary && f.kept != nil:
		return nil, errNothingNewer
	case kindOf(err) == temporary && dead == nil && f.found.liveAt(ts.clock()):
		return f.bring(EventAdopted, f.found)
	case kindOf(err) == temporary:
		return nil, err
	}
	ts.failed(ctx, f, EventRefreshFailed, start, err, 0)
	return nil, nil
}

// revoke deletes the session at the server, and then in the cache: under the
// lease, so that a refresh of another process does not store one that has ended.
func (ts *TokenSource) revoke(ctx context.Context, f *flight) error {
	if client, ok := ts.issuer.(*Client); ok && ts.sharing != nil && ts.sharing.sealer == nil {
		if _, err := ts.retrieve(ctx, f, client); err != nil {
			return err
		}
	}
	if _, worked := ts.look(ctx, f); worked {
		ts.take(ctx, f)
	}
	if f.old == nil {
		f.old = f.found
	}
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
			ts.remove(ctx, f)
			return nil
		}
		wait := max(f.retry.NextBackOff(), retryAfterOf(err))
		ts.failed(ctx, f, EventRevokeFailed, start, err, wait)
		if kindOf(err) != temporary || f.sleep(ctx, wait, err) != nil {
			return err
		}
	}
}

// bring notes how the session came.
func (f *flight) bring(kind EventKind, s *snapshot) (*snapshot, error) {
	f.kind = kind
	return s, nil
}

// refusals counts those of the same credentials in a row, this one included.
func (f *flight) refusals() int {
	n := 1
	if last := f.refusal.of(f.fingerprint); last != nil {
		n = last.count + 1
	}
	if f.shared != nil {
		n = max(n, f.shared.count+1)
	}
	return n
}

// sleep waits, if the flight's time allows it. If not, it returns err at once.
func (f *flight) sleep(ctx context.Context, wait time.Duration, err error) error {
	deadline, _ := ctx.Deadline()
	if time.Until(deadline) <= wait {
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

// accept turns what an issuer returned into what callers can use. A session that
// no request could use is an error.
func (ts *TokenSource) accept(op operation, s Session, err error) (*snapshot, error) {
	if err != nil {
		return nil, err
	}
	if s.ExpiresAt.Unix() > latestExpiry {
		s.ExpiresAt = time.Time{} // as the Client has it: a mistake, milliseconds for instance
	}
	err = checkToken(s.Token)
	if err == nil && !s.ExpiresAt.IsZero() && !ts.clock().Round(0).Before(s.ExpiresAt) {
		err = fmt.Errorf("%w (it expired at %s)", errExpiredOnArrival, s.ExpiresAt.Format(time.RFC3339))
	}
	if err != nil {
		return nil, &unusableError{fmt.Errorf("jwtsession: %s%s: %w", op, ts.at(), err), false}
	}
	return newSnapshot(s, ts.clock()), nil
}
