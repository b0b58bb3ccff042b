package jwtsession

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T11
func TestOnlyTheCurrentTokenCanBeInvalidated(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	first := token(t, ts)
	ts.Invalidate("another")
	if got := token(t, ts); got != first {
		t.Error("a word about another token changed the current one")
	}
	// Three answers to requests under way, all about the first token.
	box.RevokeAll()
	ts.Invalidate(first)
	second := token(t, ts)
	ts.Invalidate(first)
	ts.Invalidate(first)
	if got := token(t, ts); got != second || second == first {
		t.Error("late words about an old token ended the new one")
	}
	expectCalls(t, box, 2, 1, 0)
}

// T12
func TestIfSigningInAgainDidNotHelpItIsNotDoneAgainForAMinute(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		client := ts.Client()
		box.Inject(sessiontest.OpResource, -1, sessiontest.Fault{Status: 401})
		start := time.Now()
		for time.Since(start) < 10*time.Minute-time.Second {
			res, err := client.Get(box.URL + "/me")
			if err != nil || res.StatusCode != 401 {
				t.Fatalf("got %v, %v; want the resource's 401", res, err)
			}
			res.Body.Close()
			pass(time.Second)
		}
		if n := box.Counts().Creates; n < 9 || n > 11 {
			t.Errorf("600 rejected requests in ten minutes caused %d sign-ins, want the first and one a minute", n)
		}
	})
}

// T12: two log-outs elsewhere are two reasons to sign in.
func TestARejectionAMinuteAfterTheLastSignsInAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		for n := 1; n <= 3; n++ {
			first := token(t, ts)
			expectCalls(t, box, n, n-1, 0) // each rejection is asked about first
			box.RevokeAll()
			ts.Invalidate(first)
			token(t, ts)
			pass(time.Minute)
		}
	}, sessiontest.WithTokenLife(24*time.Hour))
}

// T13
func TestRevokeEndsTheSessionAndTheNextCallerSignsIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		var j journal
		ts := newSource(t, box, j.record)
		first := token(t, ts)
		if err := ts.Revoke(t.Context()); err != nil {
			t.Fatalf("Revoke: %v", err)
		}
		expectCalls(t, box, 1, 0, 1)
		if status := ts.Status(); status.Live || !status.RefreshAt.IsZero() {
			t.Errorf("after Revoke the status is %+v, want no session and nothing planned", status)
		}
		pass(24 * time.Hour)
		expectCalls(t, box, 1, 0, 1)
		if second := token(t, ts); second == first {
			t.Error("after Revoke a caller got the revoked token")
		}
		expectCalls(t, box, 2, 0, 1)
		synctest.Wait()
		if got, want := j.kinds(), "signed in, revoked, signed in"; got != want {
			t.Errorf("events: %s; want %s", got, want)
		}
	}, sessiontest.WithTokenLife(48*time.Hour))
}

// T13
func TestASessionThatHasEndedAlreadyIsRevokedWithoutAnError(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		box.RevokeAll()
		if err := ts.Revoke(t.Context()); err != nil {
			t.Errorf("the server said 401: got %v, want nil", err)
		}
		if ts.Status().Live {
			t.Error("the session is still there")
		}
	})
}

// T13
func TestRevokeWithoutASessionMakesNoCall(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		if err := ts.Revoke(t.Context()); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		expectCalls(t, box, 0, 0, 0)
	})
}

// T13
func TestARevocationThatFailsIsRetriedAndThenAnErrorThatLosesNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		box.Inject(sessiontest.OpRevoke, 2, sessiontest.Fault{Status: 503})
		if err := ts.Revoke(t.Context()); err != nil {
			t.Errorf("two failures, then a success: got %v, want nil", err)
		}
		expectCalls(t, box, 1, 0, 3)

		first := token(t, ts)
		box.Inject(sessiontest.OpRevoke, -1, sessiontest.Fault{Status: 403})
		if err := ts.Revoke(t.Context()); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("the server said 403: got %v, want ErrUnauthorized", err)
		}
		if got := token(t, ts); got != first {
			t.Error("the session that could not be revoked is gone")
		}
		if ts.Status().RefreshAt.IsZero() {
			t.Error("the session that could not be revoked is not refreshed any more")
		}
	})
}

// T13: whoever gives up waiting has logged out all the same.
func TestARevocationGoesOnWhenItsCallerGivesUp(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := ts.Revoke(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		pass(10 * time.Second)
		if ts.Status().Live {
			t.Error("the session lives on")
		}
		expectCalls(t, box, 1, 0, 1)
	}, sessiontest.WithLatency(5*time.Second))
}

// T13, T5
func TestThoseWhoWaitForASignInGetOneAfterARevocation(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		ts.Invalidate(token(t, ts))
		waiting := make(chan error)
		go func() { _, err := ts.Token(); waiting <- err }()
		pass(time.Second)
		go ts.Revoke(t.Context())
		synctest.Wait()
		if err := <-waiting; err != nil {
			t.Errorf("a caller who waited got %v, want a token", err)
		}
	}, sessiontest.WithLatency(5*time.Second))
}

// T12: a token that expired on its way to the server is no rejection, and does
// not put off the sign-in that a revocation right after it asks for.
func TestA401ToATokenThatHasExpiredIsNoRejection(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, -1, sessiontest.Fault{Status: 503})
		ts := newSource(t, box)
		old := token(t, ts)
		pass(15 * time.Minute)
		ts.Invalidate(old)
		box.Heal()
		pass(time.Minute)
		token(t, ts)
		pass(10 * time.Second)
		box.RevokeAll()
		expectOK(t, box, ts)
	})
}
