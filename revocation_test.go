package jwtsession

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

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

// T13: the newest session is not always the one that is held.
func TestRevokeEndsTheNewestSessionWhateverItHoldsItself(t *testing.T) {
	for name, c := range map[string]struct {
		hold func(t *testing.T, box *sessiontest.Server, here *TokenSource)
		then func(box *sessiontest.Server)
	}{
		"nothing":                  {func(*testing.T, *sessiontest.Server, *TokenSource) {}, nil},
		"one that ended unnoticed": {func(t *testing.T, box *sessiontest.Server, here *TokenSource) { expectOK(t, box, here) }, nil},
		"one that was rejected": {func(t *testing.T, box *sessiontest.Server, here *TokenSource) {
			here.Invalidate(token(t, here))
		}, nil},
		"one that ended unnoticed, and the first DELETE fails": {
			func(t *testing.T, box *sessiontest.Server, here *TokenSource) { expectOK(t, box, here) },
			func(box *sessiontest.Server) { box.Inject(sessiontest.OpRevoke, 1, sessiontest.Fault{Status: 503}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				here, there := newSource(t, box, through(store)), newSource(t, box, through(store))
				expectOK(t, box, there)
				c.hold(t, box, here)
				pass(time.Second)
				box.RevokeAll()
				expectOK(t, box, there) // signs in anew
				newest := token(t, there)
				if c.then != nil {
					c.then(box)
				}
				revoke(t, here)
				if opens(t, box, newest) {
					t.Error("after Revoke returned nil, the session that another source had brought still opens the API")
				}
				if got := token(t, here); got == newest || !opens(t, box, got) {
					t.Error("the next token does not open the API, want that of a new sign-in")
				}
				expectCalls(t, box, 3, box.Counts().Refreshes, box.Counts().Revokes)
			})
		})
	}
}

// T13: a session that has expired, or that the cache cannot tell of, is nothing
// to delete; a DELETE that the server answers with 401 is then as good as done.
func TestRevokeOfASessionThatEndedUnnoticedIsDoneIfNoOtherIsKnown(t *testing.T) {
	withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
		ts := open()
		dead := token(t, ts)
		box.RevokeAll()
		revoke(t, ts)
		expectCalls(t, box, 1, 0, 1)
		if got := token(t, ts); got == dead {
			t.Error("the dead token was handed out after Revoke")
		}
		revoke(t, ts)
		pass(time.Hour) // nothing is refreshed that was revoked
		expectCalls(t, box, 2, 0, 2)
	})
}

// T13: what has been said of a session does not keep it from being deleted.
func TestRevokeDeletesASessionThatWasRejectedAndLives(t *testing.T) {
	for name, reject := range map[string]func(*testing.T, *sessiontest.Server, *TokenSource){
		"a 401 to a request that cannot be repeated": func(t *testing.T, box *sessiontest.Server, ts *TokenSource) {
			box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: 401})
			if got := upload(t, box, ts); got != 401 {
				t.Fatalf("the request got %d, want the 401", got)
			}
		},
		"Invalidate": func(t *testing.T, _ *sessiontest.Server, ts *TokenSource) { ts.Invalidate(token(t, ts)) },
		"a 401, and a refresh that judges nothing": func(t *testing.T, box *sessiontest.Server, ts *TokenSource) {
			box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 503})
			ts.Invalidate(token(t, ts))
			token(t, ts)
		},
	} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				old := token(t, ts)
				reject(t, box, ts)
				revoke(t, ts)
				if opens(t, box, old) {
					t.Error("after Revoke returned nil, the session still opens the API")
				}
				expectCalls(t, box, 1, box.Counts().Refreshes, 1)
			})
		})
	}
}

// T6: wherever it comes back from.
func TestARejectedTokenIsNotBackAfterRevoke(t *testing.T) {
	for name, ended := range map[string]bool{"ended elsewhere": true, "rejected without a reason": false} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				old := token(t, ts)
				if ended {
					box.RevokeAll()
				}
				ts.Invalidate(old)
				revoke(t, ts)
				for _, source := range []*TokenSource{ts, open()} {
					if got := token(t, source); got == old || !opens(t, box, got) {
						t.Error("the next token is the rejected one, or dead")
					}
				}
			})
		})
	}
}
