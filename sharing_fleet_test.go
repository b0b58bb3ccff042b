package jwtsession

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// timetable is when a server's session calls began.
type timetable struct {
	mu    sync.Mutex
	times []time.Time
}

func (l *timetable) observe() sessiontest.Option {
	return sessiontest.WithObserver(func(c sessiontest.Call) {
		if c.Op == sessiontest.OpCreate || c.Op == sessiontest.OpRefresh {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.times = append(l.times, c.Start)
		}
	})
}

// closest is the least time between two calls.
func (l *timetable) closest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	least := time.Duration(1<<63 - 1)
	for i := 1; i < len(l.times); i++ {
		least = min(least, l.times[i].Sub(l.times[i-1]))
	}
	return least
}

// openFleet returns n sources on one cache.
func openFleet(t *testing.T, n int, box *sessiontest.Server) []*TokenSource {
	t.Helper()
	store := cache.NewMemory()
	fleet := make([]*TokenSource, n)
	for i := range fleet {
		fleet[i] = newSource(t, box, through(store))
	}
	return fleet
}

// T18: who waits for the lease has all of its own time for it.
func TestFiftySourcesAndASlowSignInMakeOneSignInAndFiftyTokens(t *testing.T) {
	for name, c := range map[string]struct {
		latency time.Duration
		apart   time.Duration // from the start of a source to that of the next
		creates int
		hang    int // sign-ins that are not answered
	}{
		"2 s":                       {2 * time.Second, 0, 1, 0},
		"16 s":                      {16 * time.Second, 0, 1, 0},
		"16 s, started one by one":  {16 * time.Second, 300 * time.Millisecond, 1, 0},
		"19.9 s":                    {19900 * time.Millisecond, 0, 1, 0},
		"the first is not answered": {2 * time.Second, 0, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				fleet := openFleet(t, 50, box)
				box.Inject(sessiontest.OpCreate, c.hang, sessiontest.Fault{Hang: true})
				start := time.Now()
				tokens := make(chan string, len(fleet))
				together(len(fleet), func(i int) {
					time.Sleep(time.Duration(i) * c.apart)
					got, err := fleet[i].Token()
					if err != nil {
						t.Errorf("source %d got %v after %v, want the fleet's token", i, err, time.Since(start))
						return
					}
					tokens <- got.AccessToken
				})
				close(tokens)
				distinct := map[string]bool{}
				for got := range tokens {
					distinct[got] = true
				}
				if len(distinct) != 1 {
					t.Errorf("the fleet has %d tokens, want one", len(distinct))
				}
				expectCalls(t, box, c.creates, 0, 0)
			}, sessiontest.WithLatency(c.latency))
		})
	}
}

// T9, T18: the wait for the lease is not a caller's own time, but once, and not
// after each attempt that failed.
func TestWhoSharesIsToldInTimeThatTheServerDoesNotAnswer(t *testing.T) {
	const attempt = DefaultTimeout * 2 / 3
	for name, fault := range map[string]sessiontest.Fault{
		"it hangs":                  {Hang: true},
		"it breaks off, after 12 s": {Drop: true, Delay: 12 * time.Second},
		"it is slow, and not well":  {Status: 503, Delay: 3 * time.Second},
	} {
		for _, n := range []int{1, 50} {
			t.Run(fmt.Sprintf("%s, %d", name, n), func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
					fleet := openFleet(t, n, box)
					box.Inject(sessiontest.OpCreate, -1, fault)
					want := DefaultTimeout
					if n > 1 {
						want += attempt
					}
					together(n, func(i int) {
						var err error
						if waited := took(func() { _, err = fleet[i].Token() }); err == nil || waited > want {
							t.Errorf("source %d got error %v after %v, want one within %v", i, err, waited, want)
						}
					})
				})
			})
		}
	}
}

// T18: a fleet's 401s at once, and a slow session API.
func TestFiftySourcesWhoseSessionEndedMakeOneSlowSignIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		fleet := openFleet(t, 50, box)
		together(len(fleet), func(i int) { expectOK(t, box, fleet[i]) })
		box.RevokeAll()
		together(len(fleet), func(i int) { expectOK(t, box, fleet[i]) })
		expectCalls(t, box, 2, 1, 0)
	}, sessiontest.WithLatency(12*time.Second))
}

// T18: a Retry-After is the whole fleet's.
func TestFiftySourcesMakeOneCallInTheTimeOfARetryAfter(t *testing.T) {
	const asked = time.Minute
	for name, c := range map[string]struct {
		op    sessiontest.Op
		fault sessiontest.Fault
	}{
		"429 at sign-in": {sessiontest.OpCreate, sessiontest.Fault{Status: 429, RetryAfter: "60"}},
		"503 at sign-in": {sessiontest.OpCreate, sessiontest.Fault{Status: 503, RetryAfter: "60"}},
		"429 at refresh": {sessiontest.OpRefresh, sessiontest.Fault{Status: 429, RetryAfter: "60"}},
		"503 at refresh": {sessiontest.OpRefresh, sessiontest.Fault{Status: 503, RetryAfter: "60"}},
	} {
		t.Run(name, func(t *testing.T) {
			var calls timetable
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				fleet := openFleet(t, 50, box)
				if c.op == sessiontest.OpRefresh {
					together(len(fleet), func(i int) { token(t, fleet[i]) })
					pass(time.Second)
					calls = timetable{}
				}
				box.Inject(c.op, -1, c.fault)
				start := time.Now()
				for time.Since(start) < 14*time.Minute {
					together(len(fleet), func(i int) {
						_, err := fleet[i].Token()
						var api *APIError
						if err != nil && !(errors.As(err, &api) && api.StatusCode == c.fault.Status) {
							t.Errorf("source %d got %v, want a token or what the server said", i, err)
						}
					})
					pass(5 * time.Second)
				}
				if n := len(calls.times); n < 3 {
					t.Errorf("%d calls in a quarter of an hour: nobody asks the server again", n)
				}
				if got := calls.closest(); got < asked-time.Second {
					t.Errorf("two of %d calls were %v apart, want the %v that the server asked for", len(calls.times), got, asked)
				}
				box.Heal()
				pass(2 * asked)
				for _, ts := range fleet {
					expectOK(t, box, ts)
				}
			}, calls.observe())
		})
	}
}

// T18: a Retry-After to what is asked about doubted sessions.
func TestARetryAfterDuringAFleetsRejectionIsTheWholeFleets(t *testing.T) {
	var calls timetable
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		fleet := openFleet(t, 50, box)
		together(len(fleet), func(i int) { expectOK(t, box, fleet[i]) })
		calls = timetable{}
		box.RevokeAll()
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 429, RetryAfter: "60"})
		for range 30 {
			together(len(fleet), func(i int) { status(t, box, fleet[i]) })
			pass(5 * time.Second)
		}
		if got := calls.closest(); got < 59*time.Second {
			t.Errorf("two of %d calls were %v apart, want the 60 s that the server asked for", len(calls.times), got)
		}
		box.Heal()
		pass(time.Minute)
		before := box.Counts()
		together(len(fleet), func(i int) { expectOK(t, box, fleet[i]) })
		if after := box.Counts(); after.Creates-before.Creates > 1 || after.Refreshes-before.Refreshes > 1 {
			t.Errorf("back, the server got %d sign-ins and %d refreshes, want one of each at most", after.Creates-before.Creates, after.Refreshes-before.Refreshes)
		}
	}, calls.observe())
}

// T18, T9: a source with an outage of its own finds what another has brought.
func TestASourceThatCannotReachTheServerFindsWhatAnotherHasBrought(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		cut := newSource(t, box, through(store), func(c *Config) {
			client := *c.HTTPClient
			client.Transport = roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, errAway })
			c.HTTPClient = &client
		})
		if _, err := cut.Token(); err == nil {
			t.Fatal("got a token, want an error: the server is away")
		}
		want := token(t, newSource(t, box, through(store)))
		pass(time.Second)
		if waited := took(func() {
			if got := token(t, cut); got != want {
				t.Error("got another token than the fleet's")
			}
		}); waited != 0 {
			t.Errorf("a caller waited %v, want none", waited)
		}
	})
}

// T5: a refresh that is refused takes nothing of the sign-in's time that follows.
func TestASlowServerIsGivenItsTimeForARefreshAndForTheSignInThatFollows(t *testing.T) {
	withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
		ts := open()
		expectOK(t, box, ts)
		box.RevokeAll()
		expectOK(t, box, ts)
		expectCalls(t, box, 2, 1, 0)
	}, sessiontest.WithLatency(19*time.Second))
}
