package rediscache

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/jwtsession/jwtsession/cache"
)

// inVirtualTime runs test in a bubble with a server whose clock is the bubble's.
// A lease may still be given back when it returns, which ends with the lease's life.
func inVirtualTime(t *testing.T, test func(*testing.T, *miniredis.Miniredis)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, startMiniredis(t))
		time.Sleep(2 * longestLease)
	})
}

// open returns a handle on the store, with a line of its own.
func open(t *testing.T, m *miniredis.Miniredis, options ...Option) (*Cache, *line) {
	t.Helper()
	l := &line{server: m}
	return New(dial(t, l.connect), options...), l
}

// C6
func TestALeaseIsRenewedAtAThirdOfItsLifeUntilItIsOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, _ := open(t, m, WithLease(30*time.Second))
		l := mustLock(t, c, "k")
		lock := c.names("k").lock
		time.Sleep(9 * time.Second)
		if got, want := m.TTL(lock), 21*time.Second; got != want {
			t.Errorf("life of the lease after 9 s: got %v, want %v", got, want)
		}
		time.Sleep(2 * time.Second)
		if got, want := m.TTL(lock), 29*time.Second; got != want {
			t.Errorf("life of the lease after 11 s: got %v, want %v", got, want)
		}
		time.Sleep(time.Hour)
		mustStore(t, l, "data", 0)
		calls := m.CommandCount()
		time.Sleep(time.Hour)
		if got := m.CommandCount() - calls; got != 0 {
			t.Errorf("calls in the hour after a Store that succeeded: got %d, want 0", got)
		}
	})
}

// C6
func TestARenewalThatFailedIsTriedAgainForAsLongAsTheLeaseCanLive(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, way := open(t, m, WithLease(30*time.Second))
		l := mustLock(t, c, "k")
		way.set(func(l *line) { l.isCut = true })
		time.Sleep(25 * time.Second)
		way.set(func(l *line) { l.isCut = false })
		time.Sleep(time.Hour)
		mustStore(t, l, "data", time.Minute)
		wantLoad(t, c, "k", "data")
	})
}

// C6
func TestAHolderThatIsCutOffLosesTheLeaseAndWritesNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, way := open(t, m, WithLease(30*time.Second))
		other, _ := open(t, m)
		former := mustLock(t, c, "k")
		way.set(func(l *line) { l.isCut = true })
		start := time.Now()
		next := mustLock(t, other, "k")
		if got := time.Since(start); got < 30*time.Second || got > 30*time.Second+lastPause {
			t.Errorf("wait for the lease of a holder that was cut off: got %v, want its life, 30s", got)
		}
		way.set(func(l *line) { l.isCut = false })
		wantNoWrites(t, former, "while another holds the lease")
		mustStore(t, next, "of the next", time.Hour)
		wantNoWrites(t, former, "after the next one's Store")
		wantLoad(t, other, "k", "of the next")
		if err := former.Unlock(); err != nil {
			t.Errorf("Unlock of a lost lease: got %v, want nil", err)
		}
	})
}

func wantNoWrites(t *testing.T, l cache.Lease, when string) {
	t.Helper()
	if err := l.Store(t.Context(), cache.Entry{Data: []byte("of the former")}); !errors.Is(err, cache.ErrLeaseLost) {
		t.Errorf("Store %s: got %v, want ErrLeaseLost", when, err)
	}
	if err := l.Delete(t.Context()); !errors.Is(err, cache.ErrLeaseLost) {
		t.Errorf("Delete %s: got %v, want ErrLeaseLost", when, err)
	}
}

// C4: with go-redis' default options, whose own timeouts are seconds.
func TestEveryCallIsGivenUpAfter250Milliseconds(t *testing.T) {
	for name, spoil := range map[string]func(*line){
		"of a server that does not answer": func(l *line) { l.isSilent = true },
		"of a server that is away":         func(l *line) { l.isCut = true },
		"of a server that answers late":    func(l *line) { l.delay = time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
				c, way := open(t, m)
				held := mustLock(t, c, "held")
				way.set(spoil)
				for name, call := range map[string]func() error{
					"Load":   func() error { _, err := c.Load(t.Context(), "k"); return err },
					"Lock":   func() error { _, err := c.Lock(t.Context(), "k"); return err },
					"Store":  func() error { return held.Store(t.Context(), cache.Entry{Data: []byte("data")}) },
					"Delete": func() error { return held.Delete(t.Context()) },
				} {
					wantGivenUp(t, name, call)
				}
				wantGivenUp(t, "Unlock", held.Unlock)
				way.set(func(l *line) { l.isCut, l.isSilent, l.delay = false, false, 0 })
				time.Sleep(defaultLease)
				mustStore(t, mustLock(t, c, "held"), "again", time.Hour)
			})
		})
	}
}

func wantGivenUp(t *testing.T, name string, call func() error) {
	t.Helper()
	start := time.Now()
	err := call()
	if got := time.Since(start); got > defaultTimeout {
		t.Errorf("%s: got an answer after %v, want one after %v at most", name, got, defaultTimeout)
	}
	if err == nil || errors.Is(err, cache.ErrMiss) || errors.Is(err, cache.ErrLeaseLost) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: got error %v, want one that is neither an answer of Redis nor the caller's own deadline", name, err)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) != (time.Since(start) == defaultTimeout) {
		t.Errorf("%s: got error %v after %v, want one that Is os.ErrDeadlineExceeded if and only if the time was up", name, err, time.Since(start))
	}
}

func TestALeaseThatALockGotTooLateIsGivenBack(t *testing.T) {
	for name, ctx := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"for the store's timeout": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"for the caller's": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
				c, way := open(t, m, WithLease(time.Minute))
				if err := mustLock(t, c, "k").Unlock(); err != nil { // so that the server knows the scripts
					t.Fatal(err)
				}
				way.set(func(l *line) { l.delay = time.Second })
				ctx, cancel := ctx(t.Context())
				defer cancel()
				if _, err := c.Lock(ctx, "k"); err == nil {
					t.Fatal("Lock of a server that answers late: got a lease, want an error")
				}
				way.set(func(l *line) { l.delay = 0 })
				if !m.Exists(c.names("k").lock) {
					t.Fatal("the lease after a Lock that was given up: got none in Redis, want one, or there is nothing to give back")
				}
				other, _ := open(t, m)
				start := time.Now()
				mustLock(t, other, "k")
				if got, want := time.Since(start), 5*time.Second; got > want {
					t.Errorf("wait for a lease that nobody holds: got %v, want %v at most", got, want)
				}
			})
		})
	}
}

// goroutines is how many there are. A collection of garbage takes its time over what
// is left of those that have ended, and the runtime counts them until it is over.
func goroutines() int {
	synctest.Wait()
	runtime.GC()
	return runtime.NumGoroutine()
}

// C4: those who fail to take a lease leave something to be given back, but not
// without bound, nor for longer than a lease lives.
func TestGoroutinesDoNotPileUpWhileTheServerIsAway(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, way := open(t, m)
		wantMiss(t, c, "k")
		before := goroutines() // with a connection, which there is again in the end
		way.set(func(l *line) { l.isCut = true })
		for range 5 {
			var callers sync.WaitGroup
			for range 2 * maxDebts {
				callers.Go(func() { _, _ = c.Lock(t.Context(), "k") })
			}
			callers.Wait()
		}
		time.Sleep(time.Second)
		if got, most := goroutines()-before, 3*maxDebts; got > most {
			t.Errorf("goroutines after %d Locks that failed: got %d more, want %d at most", 10*maxDebts, got, most)
		}
		time.Sleep(2 * defaultLease)
		way.set(func(l *line) { l.isCut = false })
		time.Sleep(defaultLease) // the client's pool tries a connection now and then
		if got := goroutines() - before; got > 0 {
			t.Errorf("goroutines when the leases must be over: got %d more, want none", got)
		}
	})
}

func TestALeaseThatWasUnlockedInVainWritesNothingAndIsGivenBackLater(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, way := open(t, m, WithLease(time.Minute))
		l := mustLock(t, c, "k")
		way.set(func(l *line) { l.isCut = true })
		if err := l.Unlock(); err == nil {
			t.Error("Unlock while the server is away: got nil, want an error")
		}
		way.set(func(l *line) { l.isCut = false })
		if !m.Exists(c.names("k").lock) {
			t.Fatal("the lease in Redis: got none, want one that was not given back yet")
		}
		wantNoWrites(t, l, "after an Unlock that Redis did not hear of")
		time.Sleep(5 * time.Second)
		if m.Exists(c.names("k").lock) {
			t.Error("the lease 5 s after Redis is back: got one, want none")
		}
	})
}

// The documentation says so.
func TestARenewalEndsWhenTheClientIsClosed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		client := dial(t, m.Dial)
		if _, err := New(client).Lock(t.Context(), "never unlocked"); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
		time.Sleep(defaultLease) // and a goroutine that is left fails the test
	})
}

func TestALockThatWouldNeverExpireGetsALife(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, _ := open(t, m)
		if err := m.Set(c.names("k").lock, "set by a person"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		mustLock(t, c, "k")
		if got, most := time.Since(start), defaultLease+lastPause; got > most {
			t.Errorf("wait for a lease without a life: got %v, want %v at most", got, most)
		}
	})
}

// C3
func TestAnEntryThatWasNotWrittenByAStoreIsAMissThatSaysSo(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, _ := open(t, m)
		if err := m.Set(c.names("k").entry, "set by a person"); err != nil {
			t.Fatal(err)
		}
		_, err := c.Load(t.Context(), "k")
		if !errors.Is(err, cache.ErrMiss) || err == cache.ErrMiss {
			t.Errorf("Load of an entry that is none: got %v, want an error that Is ErrMiss and says why", err)
		}
		mustStore(t, mustLock(t, c, "k"), "data", time.Hour)
		wantLoad(t, c, "k", "data")
	})
}

// C6: pub/sub is only a hint.
func TestAnAnnouncementWakesAWaiterAndItsLossOnlyDelaysIt(t *testing.T) {
	for name, c := range map[string]struct {
		isDeaf bool
		most   time.Duration
	}{
		"announced": {false, time.Second}, // a tenth of the wait
		"lost":      {true, lastPause},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
				holder, _ := open(t, m)
				waiter, way := open(t, m)
				way.set(func(l *line) { l.isDeaf = c.isDeaf })
				for round := range 20 {
					held := mustLock(t, holder, "k")
					got := make(chan time.Time)
					go func() {
						l, err := waiter.Lock(t.Context(), "k")
						if err == nil {
							defer l.Unlock()
						}
						got <- time.Now()
					}()
					time.Sleep(10 * time.Second)
					released := time.Now()
					if round%2 == 0 {
						mustStore(t, held, "data", time.Hour)
					} else if err := held.Unlock(); err != nil {
						t.Fatal(err)
					}
					if waited := (<-got).Sub(released); waited > c.most {
						t.Errorf("round %d: a waiter got the lease %v after its end, want %v at most", round, waited, c.most)
					}
					synctest.Wait()
				}
			})
		})
	}
}

// T18: each end of a lease is announced to all who wait, of whom one gets it.
func TestACrowdThatWaitsDoesNotAskAtEachAnnouncement(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		const crowd = 100
		holder, _ := open(t, m)
		held := mustLock(t, holder, "k")
		var all sync.WaitGroup
		for range crowd {
			c, way := open(t, m)
			way.set(func(l *line) { l.delay = time.Millisecond })
			all.Go(func() { _ = mustLock(t, c, "k").Unlock() })
		}
		time.Sleep(5 * time.Second)
		before := m.CommandCount()
		if err := held.Unlock(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		if got, most := m.CommandCount()-before, 20*crowd; got > most {
			t.Errorf("commands until %d who waited had the lease: got %d, want %d at most", crowd, got, most)
		}
	})
}

// C6: those who wait do not ask in step.
func TestPausesBetweenQuestionsAreRandomAndAtMostTwoSeconds(t *testing.T) {
	different := map[time.Duration]bool{}
	for range 100 {
		got := pause(10, time.Hour)
		different[got] = true
		if got < lastPause/2 || got > lastPause {
			t.Errorf("pause after attempt 10: got %v, want between %v and %v", got, lastPause/2, lastPause)
		}
	}
	if len(different) < 50 {
		t.Errorf("different pauses among 100: got %d, want at least 50", len(different))
	}
	if got := pause(1, time.Hour); got < firstPause/2 || got > firstPause {
		t.Errorf("pause after attempt 1: got %v, want between %v and %v", got, firstPause/2, firstPause)
	}
	if got := pause(5, time.Hour); got < time.Second || got > 2*time.Second {
		t.Errorf("pause after attempt 5: got %v, want between 1s and 2s", got)
	}
	if got := pause(10, 3*time.Millisecond); got < 3*time.Millisecond || got > 3*time.Millisecond+firstPause {
		t.Errorf("pause when the holder's lease has 3 ms left: got %v, want the end of that and up to %v", got, firstPause)
	}
}

// C6, T18: nor do those who wait ask in step after an announcement.
func TestACrowdAsksWithinATenthOfItsWaitAfterAnAnnouncement(t *testing.T) {
	for waited, most := range map[time.Duration]time.Duration{
		0:           0,
		time.Second: 100 * time.Millisecond,
		time.Minute: lastPause,
	} {
		var first, last time.Duration = most, 0
		for range 1000 {
			got := spread(waited)
			first, last = min(first, got), max(last, got)
		}
		if first > most/10 || last < most*9/10 || last > most {
			t.Errorf("after a wait of %v a thousand asked between %v and %v, want from nearly 0 to nearly %v", waited, first, last, most)
		}
	}
}
