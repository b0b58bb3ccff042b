package jwtsession

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// T5, T13: a revocation does not overlap with the refresh under way, whose session
// it would have to end as well, although an issuer takes its time to notice the end
// of its context.
func TestARevocationWaitsForTheCallThatItReplaces(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		var running, most atomic.Int32
		enter := func() func() {
			most.Store(max(most.Load(), running.Add(1)))
			return func() { running.Add(-1) }
		}
		issuer := &issuerFuncs{
			refresh: func(ctx context.Context, _ Session) (Session, error) {
				defer enter()()
				<-ctx.Done()
				time.Sleep(patience / 2)
				return Session{}, ctx.Err()
			},
			revoke: func(context.Context, Session) error {
				defer enter()()
				time.Sleep(time.Second)
				return nil
			},
		}
		ts := newSourceOf(t, Config{Issuer: issuer})
		token(t, ts)
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		if running.Load() != 1 {
			t.Fatal("no refresh is under way: the test would show nothing")
		}
		var err error
		waited := took(func() { err = ts.Revoke(t.Context()) })
		if want := DefaultTimeout*2/3 - time.Second + patience/2 + time.Second; err != nil || waited != want {
			t.Errorf("Revoke: got %v after %v, want nil after the refresh's attempt and its own call, %v", err, waited, want)
		}
		if got := most.Load(); got != 1 {
			t.Errorf("there were up to %d session calls at a time, want 1", got)
		}
	})
}

// T13: a provider that was asked for a caller is asked anew, and what it says of
// its end is no failure of the log-out's.
func TestARevocationDoesNotWaitForAProviderThatHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		var asked atomic.Int32
		ts := newSource(t, box, func(c *Config) {
			own := c.Credentials
			c.Cache = cache.NewMemory()
			c.Credentials = CredentialsProviderFunc(func(ctx context.Context) (Credentials, error) {
				if asked.Add(1) == 1 {
					<-ctx.Done()
					return Credentials{}, ctx.Err()
				}
				return own.Retrieve(ctx)
			})
		})
		go ts.Token()
		pass(time.Second)
		var err error
		if waited := took(func() { err = ts.Revoke(t.Context()) }); err != nil || waited != 0 || asked.Load() < 2 {
			t.Errorf("Revoke: got %v after %v and %d questions, want nil at once, and another question", err, waited, asked.Load())
		}
	})
}

// O3: only a refresh uses up a state, and only one that was sent.
func TestACallIsLostIfItMayHaveUsedUpAState(t *testing.T) {
	with, without := Session{Token: "t", State: "s"}, Session{Token: "t"}
	reset, dial := errors.New("connection reset"), &net.OpError{Op: "dial", Err: errors.New("refused")}
	nonsense := &unusableError{&sentError{ErrMalformedToken, true}, false}
	for name, c := range map[string]struct {
		op   operation
		old  Session
		err  error
		want core.Outcome
	}{
		"a refresh with a state":                     {opRefresh, with, reset, core.Lost},
		"a refresh without one":                      {opRefresh, without, reset, core.Away},
		"a refresh that was not sent":                {opRefresh, with, dial, core.Away},
		"a refresh answered with what is no session": {opRefresh, with, nonsense, core.Lost},
		"without a state":                            {opRefresh, without, nonsense, core.Unusable},
		"a log-out of what has a state":              {opRevoke, with, reset, core.Away},
		"a log-out answered with nonsense":           {opRevoke, with, nonsense, core.Unusable},
	} {
		if got := outcomeOf(c.op, c.old, c.err); got != c.want {
			t.Errorf("%s: got outcome %d, want %d", name, got, c.want)
		}
	}
}
