package jwtsession

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

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
