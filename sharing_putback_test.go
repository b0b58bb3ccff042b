package jwtsession

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// carried notes the tokens that requests through a source carried.
type carried struct {
	mu     sync.Mutex
	tokens []string
}

func (c *carried) client(ts *TokenSource, box *sessiontest.Server) *http.Client {
	return &http.Client{Transport: &Transport{Source: ts, Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		c.mu.Lock()
		c.tokens = append(c.tokens, req.Header.Get("Authorization"))
		c.mu.Unlock()
		return box.Client().Transport.RoundTrip(req)
	})}}
}

// T6: a store that stops taking writes keeps an old session, which has ended, and
// so has the one that took its place: the old one is no newer session.
func TestAnOldSessionInAStoreThatTakesNoWritesIsNotHandedOutAgain(t *testing.T) {
	for name, logOut := range map[string]func(*testing.T, *sessiontest.Server, *TokenSource){
		"logged out elsewhere": func(_ *testing.T, box *sessiontest.Server, _ *TokenSource) { box.RevokeAll() },
		"revoked here":         func(t *testing.T, _ *sessiontest.Server, ts *TokenSource) { revoke(t, ts) },
		"rejected": func(t *testing.T, box *sessiontest.Server, ts *TokenSource) {
			box.RevokeAll()
			ts.Invalidate(token(t, ts))
		},
	} {
		for apart, c := range map[string]struct {
			pause time.Duration
			times int // within a minute two rejections are answered (T12)
		}{"seconds apart": {10 * time.Second, 2}, "minutes apart": {4 * time.Minute, 4}} {
			t.Run(name+", "+apart, func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
					store := &faultyStore{Cache: cache.NewMemory()}
					ts := newSource(t, box, through(store))
					first := token(t, ts)
					away := waysToFail["fails"]
					store.store.Store(&away)
					var requests carried
					client := requests.client(ts, box)
					for i := range c.times {
						logOut(t, box, ts)
						res, err := client.Get(box.URL + "/me")
						if err != nil {
							t.Fatalf("after %d log-outs a request got %v, want an answer", i+1, err)
						}
						res.Body.Close()
						if res.StatusCode != http.StatusOK {
							t.Errorf("after %d log-outs a request got %s, want 200", i+1, res.Status)
						}
						if token(t, ts) == first {
							t.Fatalf("after %d log-outs the first session was handed out", i+1)
						}
						pass(c.pause)
					}
					for i, used := range requests.tokens[min(1, len(requests.tokens)):] {
						if used == "Bearer "+first {
							t.Errorf("send %d carried the first session's token, want it in the first send at most", i+2)
						}
					}
				}, sessiontest.WithTokenLife(24*time.Hour))
			})
		}
	}
}

// T6: a cache that was away, or has fallen back to a copy of itself, brings back
// what it had then.
func TestAnOldSessionThatTheCacheBringsBackIsAskedAboutFirst(t *testing.T) {
	for name, frozen := range map[string]bool{"with the life that it has left": false, "with all of its life again": true} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				ts := newSource(t, box, through(store))
				expectOK(t, box, ts)
				key, old := entryIn(t, store, ts)
				for range 3 {
					pass(2 * time.Minute)
					if !frozen {
						old.TTL -= 2 * time.Minute
					}
					box.RevokeAll()
					put(t, store, key, old)
					rejected := box.Counts().Unauthorized
					expectOK(t, box, ts)
					if n := box.Counts().Unauthorized - rejected; n != 1 {
						t.Errorf("%d sends were rejected after a log-out, want the first only", n)
					}
				}
			}, sessiontest.WithTokenLife(24*time.Hour))
		})
	}
}

// C10: an entry lives no longer than the token in it, whatever the store says.
func TestAnEntryThatWasPutBackIsBoundedByItsToken(t *testing.T) {
	for name, c := range map[string]struct {
		after   time.Duration // when it is put back
		ttl     time.Duration
		revoked bool
	}{
		"after the token's end":           {time.Hour, 15 * time.Minute, false},
		"after the end, for years":        {time.Hour, 10000 * time.Hour, false},
		"shortly before the end":          {14 * time.Minute, 15 * time.Minute, false},
		"after a log-out":                 {time.Minute, 15 * time.Minute, true},
		"after the end, and a log-out":    {time.Hour, 15 * time.Minute, true},
		"after the end, without a TTL":    {time.Hour, 0, false},
		"after the end, for a short time": {time.Hour, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				warm := newSource(t, box, through(store))
				old := token(t, warm)
				end := warm.Status().ExpiresAt
				key, entry := entryIn(t, store, warm)
				pass(c.after)
				if c.revoked {
					box.RevokeAll()
				}
				entry.TTL = c.ttl
				for range 5 {
					put(t, store, key, entry)
					ts := newSource(t, box, through(store))
					got, err := ts.Token()
					if err != nil {
						t.Fatal(err)
					}
					switch {
					case got.AccessToken == old && got.Expiry.After(end):
						t.Errorf("the token that ends at %v was told to live until %v", end, got.Expiry)
					case got.AccessToken == old && !time.Now().Before(end):
						t.Error("an expired token was handed out")
					case !c.revoked && !opens(t, box, got.AccessToken):
						t.Error("the token does not open the API")
					}
					expectOK(t, box, ts)
					ts.Close()
				}
			})
		})
	}
}

// C10: who can write to the store but has no key cannot lock anybody out: a
// notice is heeded once by each process, for as long as it says at most.
func TestANoticeThatIsPutBackForEverDelaysAProcessOnce(t *testing.T) {
	for name, fault := range map[string]sessiontest.Fault{
		"a refusal":     {Status: 401},
		"a Retry-After": {Status: 429, RetryAfter: "120"},
	} {
		for state, live := range map[string]bool{"with a live session": true, "without one": false} {
			t.Run(name+", "+state, func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
					store := cache.NewMemory()
					box.Inject(sessiontest.OpCreate, 1, fault)
					first := newSource(t, box, through(store))
					if _, err := first.Token(); err == nil {
						t.Fatal("got a token, want the server's error")
					}
					synctest.Wait() // the caller is told before the others are
					key, notice := entryIn(t, store, first)
					other := newSource(t, box, through(store))
					pass(15 * time.Minute)
					if live {
						expectOK(t, box, first)
						expectOK(t, box, other)
					}
					failing := map[*TokenSource]time.Duration{}
					for range 4 * 60 { // two hours
						for _, ts := range []*TokenSource{first, other} {
							put(t, store, key, notice)
							var api *APIError
							if _, err := ts.Token(); errors.As(err, &api) {
								failing[ts] += 30 * time.Second
							} else if err != nil {
								t.Fatalf("got %v, want a token or what the notice says", err)
							}
						}
						pass(30 * time.Second)
					}
					for ts, d := range failing {
						if d > 2*time.Minute+30*time.Second {
							t.Errorf("a source (the first: %v) was kept from its session for %v in two hours, want the notice's time once", ts == first, d)
						}
					}
				}, sessiontest.WithTokenLife(6*time.Minute))
			})
		}
	}
}

// C10, T6: what was revoked and is put back is asked about before it is used.
func TestARevokedSessionThatIsPutBackIsNotHandedOut(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		ts := newSource(t, box, through(store))
		old := token(t, ts)
		key, entry := entryIn(t, store, ts)
		revoke(t, ts)
		for range 5 {
			pass(30 * time.Second)
			put(t, store, key, entry)
			box.RevokeAll()
			ts.Invalidate(token(t, ts))
			put(t, store, key, entry)
			if token(t, ts) == old {
				t.Error("a revoked session was handed out again")
			}
		}
	})
}

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
				key, kept := entryIn(t, store, ts)
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

// C10: an entry that has expired by the token's own exp, and was put back, is no
// session while the server cannot be asked, and takes no live one's place.
func TestAnExpiredEntryThatWasPutBackIsNoSessionWhileTheServerCannotBeAsked(t *testing.T) {
	for name, live := range map[string]bool{"with a live session": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				first := newSource(t, box, through(store))
				old := token(t, first)
				key, kept := entryIn(t, store, first)
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

// T6, C4: a cache that keeps what it is told to delete brings nothing back.
func TestARevokedTokenIsNotBackFromACacheThatKeepsIt(t *testing.T) {
	for name, rejected := range map[string]bool{"rejected before": true, "good until then": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				ts := newSource(t, box, through(store))
				old := token(t, ts)
				key, kept := entryIn(t, store, ts)
				if rejected {
					ts.Invalidate(old)
				}
				revoke(t, ts)
				for range 3 {
					put(t, store, key, kept)
					if token(t, ts) == old {
						t.Fatal("the revoked token was handed out again")
					}
					pass(time.Minute)
					revoke(t, ts)
				}
			})
		})
	}
}

// T6: after a clock was set back, and then right, an entry from before seems newer
// than what came meanwhile.
func TestATokenThatWasRefusedOrRevokedIsNotBackWhenTheClockIsSetRight(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, box *sessiontest.Server, ts *TokenSource){
		"refused": func(_ *testing.T, box *sessiontest.Server, ts *TokenSource) {
			box.RevokeAll()
			ts.Invalidate(token(t, ts))
		},
		"revoked": func(t *testing.T, _ *sessiontest.Server, ts *TokenSource) { revoke(t, ts) },
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				ts := newSource(t, box, through(store))
				var ahead atomic.Int64
				ts.clock = func() time.Time { return time.Now().Round(0).Add(time.Duration(ahead.Load())) }
				old := token(t, ts)
				key, kept := entryIn(t, store, ts)
				ahead.Store(int64(-time.Hour))
				ts.mu.Lock()
				ts.stepped += time.Hour // what the monotonic clock tells of that
				ts.mu.Unlock()
				end(t, box, ts)
				current := token(t, ts)
				put(t, store, key, kept)
				ahead.Store(0)
				for range 3 {
					got := token(t, ts)
					if got == old {
						t.Fatal("the token that has ended was handed out again")
					}
					ts.Invalidate(got) // and the cache is looked into
				}
				if current == old {
					t.Error("the second token is the first: the test tries nothing")
				}
			}, sessiontest.WithTokenLife(24*time.Hour))
		})
	}
}
