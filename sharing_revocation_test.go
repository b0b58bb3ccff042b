package jwtsession

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// expectOK makes a request through the source, which must succeed.
func expectOK(t *testing.T, box *sessiontest.Server, ts *TokenSource) {
	t.Helper()
	res, err := ts.Client().Get(box.URL + "/me")
	if err != nil {
		t.Fatalf("a request got %v, want an answer", err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a request got %s, want 200", res.Status)
	}
}

// T11, C1: one signs in after a revocation, and the others take over.
func TestAfterARevocationOneSourceSignsInForAll(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		fleet := make([]*TokenSource, 20)
		for i := range fleet {
			fleet[i] = newSource(t, box, through(store))
			token(t, fleet[i])
		}
		box.RevokeAll()
		together(len(fleet), func(i int) { expectOK(t, box, fleet[i]) })
		expectCalls(t, box, 2, 1, 0)
		if n := box.Counts().Unauthorized; n != len(fleet) {
			t.Errorf("%d requests of %d sources were rejected, want one each", n, len(fleet))
		}
	}, sessiontest.WithLatency(300*time.Millisecond))
}

// C1: a session in the cache that ended with the rejected one is not handed to
// a caller, whose second and last request it would fail.
func TestAStoredSessionThatEndedWithTheRejectedOneIsNotAdopted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		behind, ahead := newSource(t, box, through(store)), newSource(t, box, through(store))
		token(t, behind)
		token(t, ahead)
		pass(time.Minute)
		refreshNow(ahead) // stores a session that the other has not met
		pass(time.Second)
		if token(t, behind) == token(t, ahead) {
			t.Fatal("both have the same session: the test would show nothing")
		}
		box.RevokeAll()
		expectOK(t, box, behind)
		expectOK(t, box, ahead)
		expectCalls(t, box, 2, 2, 0) // one of the refreshes asks whether the stored session lives
	})
}

// T11: an Invalidate without a revocation costs no sign-in where the cache has a
// newer session.
func TestANewerSessionInTheCacheIsWorthARefreshAndNoSignIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		behind, ahead := newSource(t, box, through(store)), newSource(t, box, through(store))
		old := token(t, behind)
		token(t, ahead)
		pass(time.Minute)
		refreshNow(ahead)
		pass(time.Second)
		behind.Invalidate(old)
		if got := token(t, behind); got == old {
			t.Error("got the rejected token again")
		}
		expectCalls(t, box, 1, 2, 0)
	})
}

// T12: within the minute in which no rejection causes a sign-in, the cache may
// still have a newer session.
func TestASecondLogOutWithinAMinuteIsAnsweredFromTheCache(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		a, b := newSource(t, box, through(store)), newSource(t, box, through(store))
		for _, ts := range []*TokenSource{a, b} {
			expectOK(t, box, ts)
		}
		box.RevokeAll()
		expectOK(t, box, a) // signs in, and may not again for a minute
		expectOK(t, box, b)
		pass(10 * time.Second)
		box.RevokeAll()
		expectOK(t, box, b) // may sign in: its last session was adopted
		expectOK(t, box, a)
		expectCalls(t, box, 3, 2, 0)
	})
}

// T13, T6: what a refresh of another process brings meanwhile is not stored
// again, and the others sign in once between them.
func TestALogOutDuringAnotherSourcesRefreshEndsTheSharedSession(t *testing.T) {
	for name, hold := range map[string]time.Duration{"answered before": 0, "answered after": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				leaver := newSource(t, box, through(store))
				fleet := make([]*TokenSource, 10)
				token(t, leaver)
				for i := range fleet {
					fleet[i] = newSource(t, box, through(store))
					token(t, fleet[i])
				}
				box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Delay: hold})
				refresh := box.Await(sessiontest.OpRefresh, 1)
				<-refresh
				if err := leaver.Revoke(t.Context()); err != nil {
					t.Fatalf("Revoke: %v", err)
				}
				together(len(fleet), func(i int) { expectOK(t, box, fleet[i]) })
				if got := box.Counts(); got.Creates != 2 || got.Revokes != 1 || got.Unauthorized > len(fleet) {
					t.Errorf("%d sign-ins, %d revocations, %d rejected requests of %d sources; want 2, 1 and one each at most",
						got.Creates, got.Revokes, got.Unauthorized, len(fleet))
				}
				token(t, leaver)
				expectOK(t, box, leaver)
				expectCalls(t, box, 2, box.Counts().Refreshes, 1)
			})
		})
	}
}

// T13: a command that logs out has not signed in itself.
func TestRevokeEndsASessionThatOnlyTheCacheHas(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		token(t, newSource(t, box, through(store)))
		if err := newSource(t, box, through(store)).Revoke(t.Context()); err != nil {
			t.Fatalf("Revoke: %v", err)
		}
		expectCalls(t, box, 1, 0, 1)
		expectOK(t, box, newSource(t, box, through(store)))
		expectCalls(t, box, 2, 0, 1)
		if n := box.Counts().Unauthorized; n != 0 {
			t.Errorf("%d requests were rejected, want none: the entry is to be gone", n)
		}
	})
}

// T13, C4
func TestRevokeWorksWithoutTheCache(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := &faultyStore{Cache: cache.NewMemory()}
		ts := newSource(t, box, through(store))
		token(t, ts)
		away := waysToFail["fails"]
		store.fault.Store(&away)
		if err := ts.Revoke(t.Context()); err != nil {
			t.Fatalf("Revoke: %v", err)
		}
		store.fault.Store(nil)
		expectOK(t, box, ts) // although the cache still has the revoked session
		if got := box.Counts(); got.Creates != 2 || got.Unauthorized != 0 {
			t.Errorf("%d sign-ins and %d rejected requests, want 2 and none", got.Creates, got.Unauthorized)
		}
	})
}

// A command that runs for a second must not print a token that lives for less.
func TestASessionNearItsEndIsRefreshedBeforeAColdSourceUsesIt(t *testing.T) {
	for name, fault := range map[string]sessiontest.Fault{"refreshed": {}, "unreachable": {Status: 503}} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				first := newSource(t, box, through(store))
				old := token(t, first)
				end := first.Status().ExpiresAt
				first.Close()
				pass(time.Until(end) - 20*time.Second)
				box.Inject(sessiontest.OpRefresh, 1, fault)
				got := token(t, newSource(t, box, through(store)))
				if (got == old) != (fault.Status != 0) {
					t.Errorf("got the old token: %v; want it only if the server cannot be reached", got == old)
				}
				if n := box.Counts().Refreshes; n < 1 {
					t.Error("no refresh was tried")
				}
				expectCalls(t, box, 1, box.Counts().Refreshes, 0)
			})
		})
	}
}

// C1: what another source has brought meanwhile is better than a sign-in.
func TestARefreshOfARevokedSessionFindsTheOneThatTookItsPlace(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		behind, ahead := newSource(t, box, through(store)), newSource(t, box, through(store))
		token(t, behind)
		token(t, ahead)
		pass(time.Second)
		box.RevokeAll()
		expectOK(t, box, ahead)
		expectCalls(t, box, 2, 1, 0)
		refreshNow(behind) // a second on: the stored session ends hardly later
		pass(time.Second)
		if token(t, behind) != token(t, ahead) {
			t.Error("the source has a session of its own, want that of the other")
		}
		expectCalls(t, box, 2, 1, 0)
	})
}

// C6: nothing but lives goes into a cache, so a clock that is off changes nothing,
// but that where it says that the token has expired the server is asked (C10).
func TestClocksThatAreAnHourOffShareASession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		fleet := make([]*TokenSource, 10)
		for i := range fleet {
			skew := []time.Duration{0, time.Hour, -time.Hour}[i%3]
			fleet[i] = newSource(t, box, through(store))
			setClock(fleet[i], func() time.Time { return time.Now().Add(skew) })
			expectOK(t, box, fleet[i])
		}
		for range 24 {
			pass(5 * time.Minute)
			for _, ts := range fleet {
				expectOK(t, box, ts)
			}
		}
		got := box.Counts()
		if got.Creates != 1 || got.Unauthorized != 0 || got.Refreshes > 16 {
			t.Errorf("%d sign-ins, %d refreshes and %d rejected requests in two hours, want 1, about 11 and one for each of three clocks that are ahead, and none", got.Creates, got.Refreshes, got.Unauthorized)
		}
	})
}

// setClock gives a source, and its client, a wall clock of its own.
func setClock(ts *TokenSource, clock func() time.Time) {
	ts.clock = clock
	(*ts.issuer).(*Client).clock = clock
}

// T6: a refresh that began before its token was rejected may have brought one
// that ended with it.
func TestWhatARefreshOfARejectedTokenBringsIsNotTrusted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		release := make(chan struct{})
		var held atomic.Bool
		ts := newSource(t, box, func(c *Config) {
			base := c.HTTPClient.Transport
			c.HTTPClient.Transport = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				res, err := base.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
				if req.Method == http.MethodGet && held.CompareAndSwap(false, true) {
					<-release
				}
				return res, err
			})
		})
		old := token(t, ts)
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		box.RevokeAll()
		ts.Invalidate(old)
		close(release)
		synctest.Wait()
		if got := token(t, ts); got == old {
			t.Error("got the rejected token")
		}
		expectOK(t, box, ts)
		if n := box.Counts().Unauthorized; n != 0 {
			t.Errorf("%d requests were rejected, want none", n)
		}
		expectCalls(t, box, 2, 2, 0)
	})
}

// T13, T18: who has waited for the lease in vain has the time of a call left.
func TestARevokeThatWaitsForTheLeaseInVainEndsTheSessionAllTheSame(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		ts := newSource(t, box, through(store))
		held := token(t, ts)
		key, _ := entryIn(t, store, ts)
		lease, err := store.Lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		defer lease.Unlock()
		if waited := took(func() { err = ts.Revoke(t.Context()) }); err != nil || waited < DefaultTimeout {
			t.Errorf("Revoke: got error %v after %v, want none, after %v at least", err, waited, DefaultTimeout)
		}
		if opens(t, box, held) {
			t.Error("after Revoke returned nil the session opens the API")
		}
	})
}
