package jwtsession

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T2
func TestARefreshFallsDueInTheSamePartOfALifeOfAnyLength(t *testing.T) {
	for _, life := range []time.Duration{8 * time.Second, 3 * time.Minute, 15 * time.Minute, 14 * 24 * time.Hour} {
		t.Run(life.String(), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				earliest, latest := time.Duration(1<<62), time.Duration(0)
				for range 200 {
					ts := newSource(t, box)
					start := time.Now()
					token(t, ts)
					point := ts.Status().RefreshAt.Sub(start)
					earliest, latest = min(earliest, point), max(latest, point)
					ts.Close()
				}
				// A token's expiry has whole seconds.
				low, high := (life-time.Second)*earliestRefresh/100, life*latestRefresh/100
				if earliest < low || latest > high {
					t.Errorf("refreshes fall due from %v to %v, want from %v to %v (T2, which fixture_test.go states)", earliest, latest, low, high)
				}
				if spread := latest - earliest; spread < life*8/100 {
					t.Errorf("200 sources refresh within %v of each other, want them spread over nearly %v", spread, life/10)
				}
			}, sessiontest.WithTokenLife(life))
		})
	}
}

// T2
func TestTheRefreshPointIsDrawnOncePerToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		first := ts.Status().RefreshAt
		for range 9 {
			pass(time.Minute) // the timer looks at the clock each time
			if got := ts.Status().RefreshAt; !got.Equal(first) {
				t.Fatalf("the refresh is due at %v, want %v as before", got, first)
			}
		}
		pass(time.Until(first) - time.Millisecond)
		expectCalls(t, box, 1, 0, 0)
		pass(time.Millisecond)
		expectCalls(t, box, 1, 1, 0)
	})
}

// T3
func TestTheTimerRefreshesASourceThatNobodyUses(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		pass(24 * time.Hour)
		if waited := took(func() { token(t, ts) }); waited != 0 {
			t.Errorf("after a day without use a caller waited %v, want 0", waited)
		}
		least, most := refreshesIn(24*time.Hour, 15*time.Minute)
		if n := box.Counts().Refreshes; n < least || n > most {
			t.Errorf("there were %d refreshes in a day of 15-minute tokens, want %d to %d", n, least, most)
		}
		expectCalls(t, box, 1, box.Counts().Refreshes, 0)
	}, sessiontest.WithLatency(5*time.Second))
}

// T3
func TestCallersNeverWaitForARefresh(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		var longest time.Duration
		for range 36_000 {
			longest = max(longest, took(func() { token(t, ts) }))
			pass(100 * time.Millisecond)
		}
		if longest != 0 {
			t.Errorf("in an hour a caller waited up to %v, want 0", longest)
		}
	}, sessiontest.WithTokenLife(2*time.Minute), sessiontest.WithLatency(10*time.Second))
}

// T2: three-minute tokens, 600 calls in ten minutes.
func TestAShortTokenIsUsedForMostOfItsLife(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		for range 600 {
			token(t, ts)
			pass(time.Second)
		}
		if got := box.Counts(); got.Creates+got.Refreshes > 7 {
			t.Errorf("600 calls in ten minutes of three-minute tokens made %d sign-ins and %d refreshes, want 7 in all at most", got.Creates, got.Refreshes)
		}
	}, sessiontest.WithTokenLife(3*time.Minute))
}

// T4, E4: a machine that was asleep, or whose clock was set, has a wall clock
// that is ahead of what the timer counted.
func TestAfterASuspendTheSessionIsRefreshedWithinAMinute(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		var asleep atomic.Int64
		ts.clock = func() time.Time {
			now := time.Now().Round(0) // a suspend is not in the monotonic reading
			return now.Add(time.Duration(asleep.Load()))
		}
		token(t, ts)
		pass(time.Hour)
		asleep.Store(int64(40 * time.Hour)) // of 48, so the session still lives
		pass(time.Minute)
		expectCalls(t, box, 1, 1, 0)
	}, sessiontest.WithTokenLife(48*time.Hour))
}

// T4, E4
func TestATokenThatExpiredDuringASuspendIsNotHandedOut(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		var asleep atomic.Int64
		ts.clock = func() time.Time { return time.Now().Round(0).Add(time.Duration(asleep.Load())) }
		first := token(t, ts)
		asleep.Store(int64(16 * time.Minute))
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Status: 503})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if got, err := ts.TokenContext(ctx); err == nil {
			t.Errorf("got the token that has expired (the same: %v), want an error", got.AccessToken == first)
		}
	})
}

// T4: with the clock set back the monotonic reading says when the token's life
// is over.
func TestAClockThatWasSetBackDoesNotDelayTheRefresh(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		left := time.Until(ts.Status().RefreshAt)
		pass(time.Minute)
		ts.mu.Lock()
		if got := ts.setBack(time.Now()); got != 0 {
			t.Errorf("a clock that goes right was set back by %v", got)
		}
		ts.stepped += time.Hour // as if it had been ahead until now
		if got := ts.setBack(time.Now()); got != time.Hour {
			t.Errorf("a clock that was set back by an hour was by %v", got)
		}
		*ts.state = ts.state.SetBack(time.Hour)
		ts.clock = func() time.Time { return time.Now().Round(0).Add(-time.Hour) }
		ts.arm(ts.clock())
		ts.mu.Unlock()
		pass(left - time.Minute)
		expectCalls(t, box, 1, 1, 0)
	})
}

// A week with 15-minute tokens, an outage of the session endpoints every few
// hours, 429s and two revocations.
func TestAWeekGoesByWithoutAFailedRequest(t *testing.T) {
	const (
		week        = 7 * 24 * time.Hour
		life        = 15 * time.Minute
		revocations = 2
	)
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		random := rand.New(rand.NewPCG(1, 2))
		ts := newSource(t, box)
		client := ts.Client()
		start := time.Now()
		nextOutage := start.Add(time.Hour)
		var outageEnd time.Time
		outages, failed, requests, revoked := 0, 0, 0, 0
		for time.Since(start) < week {
			switch now := time.Now(); {
			case outageEnd.IsZero() && now.After(nextOutage):
				faults := []sessiontest.Fault{{Status: 503}, {Drop: true}, {Status: 502, Body: "<html>"}, {Hang: true}}
				box.Inject(sessiontest.OpSession, -1, faults[random.IntN(len(faults))])
				outageEnd = now.Add(time.Duration(random.Int64N(int64(3 * time.Minute))))
				outages++
			case !outageEnd.IsZero() && now.After(outageEnd):
				box.Heal()
				outageEnd = time.Time{}
				nextOutage = now.Add(2*time.Hour + time.Duration(random.Int64N(int64(3*time.Hour))))
				if random.IntN(2) == 0 {
					box.Inject(sessiontest.OpRefresh, 1+random.IntN(2), sessiontest.Fault{Status: 429, RetryAfter: "5"})
				}
			case outageEnd.IsZero() && revoked < revocations && now.Sub(start) > time.Duration(revoked+1)*week/3:
				box.RevokeAll()
				revoked++
			}
			res, err := client.Get(box.URL + "/me")
			requests++
			if err != nil {
				failed++
				t.Logf("after %v: %v", time.Since(start), err)
			} else {
				if res.StatusCode != http.StatusOK {
					failed++
					t.Logf("after %v: %s", time.Since(start), res.Status)
				}
				res.Body.Close()
			}
			pass(time.Minute)
		}
		got := box.Counts()
		ideal := float64(week) / (float64(life) * (earliestRefresh + latestRefresh) / 200)
		t.Logf("%d requests, %d outages, %d sign-ins, %d refreshes (ideal %.0f)", requests, outages, got.Creates, got.Refreshes, ideal)
		if failed != 0 {
			t.Errorf("%d of %d requests failed, want none", failed, requests)
		}
		if got.Created != 1+revocations {
			t.Errorf("%d sign-ins, want 1 and one for each of %d revocations", got.Created, revocations)
		}
		if float64(got.Refreshes) > 1.5*ideal {
			t.Errorf("%d refreshes, want 1.5 × %.0f at most", got.Refreshes, ideal)
		}
		if outages < 20 {
			t.Errorf("there were %d outages only: the test shows too little", outages)
		}
	}, sessiontest.WithTokenLife(life), sessiontest.WithLatency(200*time.Millisecond))
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
		least, most := refreshesIn(10*time.Hour, 15*time.Minute)
		if n := calls.Refreshes; !m.ts.Status().Live || n < least || n > most {
			t.Errorf("ten hours of quarters of an hour later the session lives: %v, after %d refreshes; want it to, after %d to %d", m.ts.Status().Live, n, least, most)
		}
		if calls.Creates != 1 {
			t.Errorf("%d sign-ins, want the first only", calls.Creates)
		}
	})
}

// T3, T4: a hundred thousand that signed in at one moment would else have as many
// goroutines each minute.
func TestSourcesThatBeganTogetherLookAtTheClockApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		start := time.Now()
		var mu sync.Mutex
		looks := map[time.Duration]int{}
		for range n {
			ts := newSourceOf(t, Config{Issuer: &issuerFuncs{life: time.Hour}})
			token(t, ts)
			ts.mu.Lock()
			ts.clock = func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				looks[time.Since(start)]++
				return time.Now()
			}
			ts.mu.Unlock()
		}
		pass(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(looks) < n*9/10 {
			t.Errorf("%d sources looked at the clock at %d moments of the first minute, want nearly one each", n, len(looks))
		}
		for at := range looks {
			if at < 50*time.Second {
				t.Errorf("a source looked at the clock after %v, want about once a minute", at)
			}
		}
	})
}
