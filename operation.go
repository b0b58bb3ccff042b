package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
	"weak"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/contained"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/internal/sealing"
	"github.com/jwtsession/jwtsession/internal/sharing"
)

// inFlight marks the context of a source's own operations. It holds the source
// weakly: the runtime keeps a context's stopped timer until it would have fired,
// and a source that the program has forgotten must not be kept along with it.
type inFlight struct{ source weak.Pointer[TokenSource] }

// work is what the operations that follow one another have in common, and nobody
// else sees: the lease, and the credentials for the sign-in that is to come.
type work struct {
	lease       cache.Lease
	credentials Credentials
}

// run performs an operation, and those that follow from it.
func (ts *TokenSource) run(ctx context.Context, op core.Op) {
	var w work
	for op.Kind != core.Idle {
		in := ts.perform(ctx, op, &w)
		in.Kind = core.Done
		if in.Outcome != core.OK && context.Cause(ctx) == errCancelled {
			in.Outcome = core.Cancelled
		}
		ctx, op = ts.done(in)
	}
}

// errCancelled is the cause of an operation's end that the core has asked for.
var errCancelled = errors.New("jwtsession: the operation was cancelled")

// perform does what an operation is for. It decides nothing: what comes of it is
// the core's to judge.
func (ts *TokenSource) perform(ctx context.Context, op core.Op, w *work) core.Input {
	switch op.Kind {
	case core.Ask:
		return ts.ask(ctx, w)
	case core.Load:
		return ts.sharing.Load(ctx, ts.clock)
	case core.Lock:
		lease, in := ts.sharing.Lock(ctx, ts.clock)
		w.lease = lease
		return in
	case core.Store:
		return ts.sharing.Write(ctx, w.lease, op, ts.clock())
	case core.Remove:
		return ts.sharing.Remove(ctx, w.lease)
	case core.Unlock:
		sharing.Unlock(w.lease)
		w.lease = nil
		return core.Input{}
	case core.Create:
		return ts.call(ctx, opCreate, Session{}, func(ctx context.Context) (Session, error) {
			if ts.own != nil {
				return ts.own.create(ctx, w.credentials)
			}
			return (*ts.issuer).Create(ctx)
		}, w.credentials.secrets()...)
	case core.Refresh:
		old := issuerSession(op.Session)
		return ts.call(ctx, opRefresh, old, func(ctx context.Context) (Session, error) {
			return (*ts.issuer).Refresh(ctx, old)
		}, old.secrets()...)
	case core.Delete:
		old := issuerSession(op.Session)
		return ts.call(ctx, opRevoke, old, func(ctx context.Context) (Session, error) {
			return Session{}, (*ts.issuer).Revoke(ctx, old)
		}, old.secrets()...)
	}
	return ts.sleep(ctx, op.Until)
}

// ask asks the provider, and learns whose session this is.
func (ts *TokenSource) ask(ctx context.Context, w *work) core.Input {
	credentials, err := attempt(ctx, ts.retrieve)
	if err != nil {
		outcome := core.Away
		if isLocal(err) {
			outcome = core.Local
		}
		return core.Input{Outcome: outcome, Err: err}
	}
	w.credentials = credentials
	fingerprint := credentials.fingerprint()
	if ts.sharing != nil {
		ts.sharing.Know(fingerprint, func() *sealing.Sealer { return ts.sharing.sealer(credentials) })
	}
	ts.name(emailDomain(credentials.Email))
	return core.Input{Credentials: fingerprint}
}

// retrieve asks whoever has the credentials.
func (ts *TokenSource) retrieve(ctx context.Context) (Credentials, error) {
	if ts.own != nil {
		return ts.own.retrieve(ctx)
	}
	c, err := (*ts.provider).Retrieve(ctx)
	if err != nil {
		return Credentials{}, &unusableError{&callError{"get the credentials" + ts.at(), c.redactor(Session{}).error(err)}, true}
	}
	return c, nil
}

// call makes a session call.
func (ts *TokenSource) call(ctx context.Context, op operation, old Session, call func(context.Context) (Session, error), secrets ...string) core.Input {
	start := ts.clock()
	s, err := attempt(ctx, call, secrets...)
	if err == nil && op != opRevoke {
		err = ts.accept(op, &s)
	}
	if err != nil {
		return core.Input{Outcome: outcomeOf(op, old, err), Err: err, RetryAfter: retryAfterOf(err)}
	}
	if op == opRevoke {
		return core.Input{}
	}
	if ts.sharing != nil {
		ts.sharing.Learn(s.Token, s.ExpiresAt)
	}
	issued := coreSession(s, start)
	if client, ok := (*ts.issuer).(*Client); ok {
		issued.Ended = !client.renews(s)
	}
	return core.Input{Session: issued}
}

// attempt makes one call to code that is not ours. No error shows the secrets.
func attempt[T any](ctx context.Context, call func(context.Context) (T, error), secrets ...string) (T, error) {
	value, err := contained.Within(ctx, patience, nil, func(ctx context.Context) (T, error) {
		value, err := call(ctx)
		return value, redact(secrets...).error(err)
	})
	var fault *contained.Fault
	if errors.As(err, &fault) {
		err = fmt.Errorf("jwtsession: a callback failed: %w", fault)
		if fault.Unwrap() == nil {
			err = &unusableError{err, true}
		}
	}
	return value, err
}

// accept checks what an issuer returned.
func (ts *TokenSource) accept(op operation, s *Session) error {
	if s.ExpiresAt.Unix() > lifetime.Latest {
		s.ExpiresAt = time.Time{} // as the Client has it: a mistake, milliseconds for instance
	}
	if err := checkToken(s.Token); err != nil {
		return &unusableError{fmt.Errorf("jwtsession: %s%s: %w", op, ts.at(), err), false}
	}
	return nil
}

// outcomeOf judges an error of a session call.
func outcomeOf(op operation, old Session, err error) core.Outcome {
	switch kindOf(err) {
	case rejected:
		var api *APIError
		switch {
		case op != opRevoke:
			return core.Refused
		case errors.Is(err, ErrUnauthorized) && !(errors.As(err, &api) && api.StatusCode == 403):
			return core.Gone
		}
		return core.Unusable
	case unusable:
		var tells interface{ WasSent() bool }
		switch {
		case isLocal(err):
			return core.Local
		case op == opRefresh && old.State != "" && errors.As(err, &tells) && tells.WasSent():
			return core.Lost // it was answered with what is no session
		}
		return core.Unusable
	}
	if op == opRefresh && old.State != "" && wasSent(err) {
		return core.Lost
	}
	return core.Away
}

// wasSent reports whether the server may have got a request whose answer nobody
// has. An issuer's error can tell by a method WasSent; else it is taken for sent
// unless no connection came about.
func wasSent(err error) bool {
	var api *APIError
	var tells interface{ WasSent() bool }
	var network *net.OpError
	switch {
	case errors.As(err, &api):
		return false // it was answered
	case errors.As(err, &tells):
		return tells.WasSent()
	case errors.As(err, &network) && network.Op == "dial":
		return false
	}
	return true
}

// sleep waits, by the wall clock.
func (ts *TokenSource) sleep(ctx context.Context, until core.Moment) core.Input {
	timer := time.NewTimer(until.Time().Sub(ts.clock().Round(0)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return core.Input{}
}
