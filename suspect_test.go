package jwtsession

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// T6, T13: where the server cannot be asked, what was revoked and comes back from
// the cache is nothing that may be kept.
func TestARevokedSessionInTheCacheIsNotUsedWhileTheServerCannotBeAsked(t *testing.T) {
	for name, fault := range map[string]sessiontest.Fault{
		"429 with a Retry-After": {Status: 429, RetryAfter: "20"},
		"503":                    {Status: 503},
		"200 and HTML":           {Body: "<html></html>", ContentType: "text/html"},
		"no answer":              {Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				ts := newSource(t, box, through(store))
				old := token(t, ts)
				key := ts.sharing.Name()
				kept, err := store.Load(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				revoke(t, ts)
				pass(time.Minute)
				kept.TTL -= time.Minute
				put(t, store, key, kept)
				box.Inject(sessiontest.OpSession, -1, fault)
				if got, err := ts.Token(); err == nil {
					t.Errorf("got a token (the revoked one: %v), want an error: the server cannot be asked", got.AccessToken == old)
				}
				box.Heal()
				pass(time.Minute)
				if token(t, ts) == old {
					t.Error("the revoked token was handed out again")
				}
				expectOK(t, box, ts)
			})
		})
	}
}

// T4: what is issued after the clock was set back is refreshed as ever, and what
// lived before is not told to live longer.
func TestASourceGoesOnAsEverAfterTheClockWasSetBack(t *testing.T) {
	w := &world{history: history{seed: 1, sources: 1, clocks: true}}
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		w.server = boxed{box}
		w.setClock(time.Hour)
		m := w.open(0)
		w.members = append(w.members, m)
		defer m.ts.Close()
		token(t, m.ts)
		w.setClock(-time.Hour)
		pass(10 * time.Hour)
		calls := box.Counts()
		if n := calls.Creates + calls.Refreshes; !m.ts.Status().Live || n < 50 || n > 60 {
			t.Errorf("ten hours of quarters of an hour later the session lives: %v, after %d calls; want it to, after about 53", m.ts.Status().Live, n)
		}
		if calls.Creates != 1 {
			t.Errorf("%d sign-ins, want the first only", calls.Creates)
		}
	})
}

// C10: an entry that has expired by the token's own exp, and was put back, is no
// session while the server cannot be asked, and takes no live one's place.
func TestAnExpiredEntryThatWasPutBackIsNoSessionWhileTheServerCannotBeAsked(t *testing.T) {
	for name, live := range map[string]bool{"with a live session": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				first := newSource(t, box, through(store))
				old := token(t, first)
				key := first.sharing.Name()
				kept, err := store.Load(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				first.Close()
				pass(time.Hour)
				ts := newSource(t, box, through(store))
				current := ""
				if live {
					current = token(t, ts)
				}
				put(t, store, key, kept)
				box.Inject(sessiontest.OpRefresh, -1, sessiontest.Fault{Status: 503})
				ts.Invalidate(current)
				got, err := ts.Token()
				if live && (err != nil || got.AccessToken != current) || !live && err == nil {
					t.Errorf("got error %v, and the expired token: %v; want the live session, or an error without one", err, err == nil && got.AccessToken == old)
				}
				revoke(t, ts)
				if live && opens(t, box, current) {
					t.Error("after Revoke returned nil the live session opens the API")
				}
			})
		})
	}
}
