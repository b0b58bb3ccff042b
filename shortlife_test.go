package jwtsession

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// E5: however short the lives, about one session call a second at most; and
// where they are shorter than that, fewer and fewer.
func TestAServerWhoseSessionsHardlyLiveGetsFewCalls(t *testing.T) {
	for name, life := range map[string]time.Duration{
		"expired on arrival": -time.Second,
		"1 ms":               time.Millisecond,
		"50 ms":              50 * time.Millisecond,
		"999 ms":             999 * time.Millisecond,
		"1.1 s":              1100 * time.Millisecond,
		"3 s":                3 * time.Second,
	} {
		for use, every := range map[string]time.Duration{"nobody calls": 0, "a call every 10 ms": 10 * time.Millisecond, "a call a second": time.Second} {
			t.Run(name+", "+use, func(t *testing.T) {
				withIssuer(t, func(t *testing.T, issuer *issuerFuncs, open sources) {
					issuer.life = life
					ts := open()
					for _, span := range []time.Duration{3 * time.Second, 2 * time.Minute} {
						before := sessionCalls(issuer)
						ts.Token()
						for start := time.Now(); time.Since(start) < span; {
							if every == 0 {
								pass(span)
								break
							}
							ctx, cancel := context.WithTimeout(t.Context(), every)
							got, err := ts.TokenContext(ctx)
							cancel()
							if err == nil && !time.Now().Before(got.Expiry) {
								t.Fatalf("got a token that expired %v ago", time.Since(got.Expiry))
							}
							pass(every)
						}
						n := sessionCalls(issuer) - before
						if limit := int(span/time.Second) + 2; n > limit {
							t.Errorf("%d session calls in %v, want %d at most", n, span, limit)
						}
						if limit := 20; life < time.Second && span > time.Minute && n > limit {
							t.Errorf("%d session calls in %v although they are of no use, want %d at most", n, span, limit)
						}
					}
				})
			})
		}
	}
}

// withIssuer runs f with an issuer, with and without a cache.
func withIssuer(t *testing.T, f func(t *testing.T, issuer *issuerFuncs, open sources)) {
	t.Helper()
	for name, shared := range map[string]bool{"with a cache": true, "without a cache": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
				store, issuer := cache.NewMemory(), &issuerFuncs{}
				f(t, issuer, func(change ...func(*Config)) *TokenSource {
					config := Config{Issuer: issuer, Account: "worker@example.com"}
					if shared {
						through(store)(&config)
					}
					return newSourceOf(t, config, change...)
				})
			})
		})
	}
}

// sessionCalls counts the session calls that bring a session.
func sessionCalls(issuer *issuerFuncs) int {
	creates, refreshes, _ := issuer.counts()
	return creates + refreshes
}

// E5: once the server's sessions live again, all is as ever.
func TestASourceRecoversFromSessionsThatHardlyLived(t *testing.T) {
	withIssuer(t, func(t *testing.T, issuer *issuerFuncs, open sources) {
		issuer.life = 50 * time.Millisecond
		ts := open()
		for range 100 {
			ts.Token()
			pass(100 * time.Millisecond)
		}
		issuer.mu.Lock()
		issuer.life = time.Hour
		issuer.mu.Unlock()
		pass(2 * time.Minute)
		token(t, ts)
		before := sessionCalls(issuer)
		pass(10 * time.Hour)
		if n := sessionCalls(issuer) - before; n < 12 || n > 15 || !ts.Status().Live {
			t.Errorf("%d refreshes in ten hours of sessions of an hour, and the session lives: %v; want 12 to 15, and it to", n, ts.Status().Live)
		}
	})
}

// E5: a session whose storing took longer than its life.
func TestASessionThatExpiredWhileItWasStoredIsAnErrorAndNotALoop(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		store := &faultyStore{Cache: cache.NewMemory()}
		slow := func(context.Context) error { time.Sleep(800 * time.Millisecond); return nil }
		store.store.Store(&slow)
		issuer := &issuerFuncs{life: 500 * time.Millisecond}
		ts := newSourceOf(t, Config{Issuer: issuer, Account: "worker@example.com"}, through(store))
		for start := time.Now(); time.Since(start) < 10*time.Second; pass(10 * time.Millisecond) {
			_, err := ts.Token()
			if !errors.Is(err, core.ErrExpired) && !errors.Is(err, core.ErrShort) {
				t.Fatalf("got %v, want an error that speaks of the expiry", err)
			}
		}
		if n := sessionCalls(issuer); n > 11 {
			t.Errorf("%d session calls in ten seconds, want about one a second at most", n)
		}
	})
}
