package jwtsession

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/sealing"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// through lets a source use this cache, with a key, so that no test derives one
// from a password unless it is about that.
func through(c cache.Cache) func(*Config) {
	return func(config *Config) {
		config.Cache = c
		config.CacheKey = []byte("thirty-two bytes of a test's key")
	}
}

// C1
func TestASecondSourceGoesOnWithTheSessionOfTheFirst(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		first := newSource(t, box, through(store))
		want := token(t, first)
		pass(5 * time.Minute)

		var j journal
		second := newSource(t, box, through(store), j.record)
		if got := token(t, second); got != want {
			t.Error("the second source has a token of its own, want the first one's")
		}
		synctest.Wait()
		expectCalls(t, box, 1, 0, 0)
		if got := j.kinds(); got != "adopted" {
			t.Errorf("events of the second source: %s; want adopted", got)
		}
		if a, b := first.Status().ExpiresAt, second.Status().ExpiresAt; a.Sub(b).Abs() > time.Second {
			t.Errorf("the one session expires at %v and %v, want the same", a, b)
		}
		left := time.Until(second.Status().RefreshAt)
		if low, high := 15*time.Minute*earliestRefresh/100-5*time.Minute-time.Second, 15*time.Minute*latestRefresh/100-5*time.Minute; left < low || left > high {
			t.Errorf("the second source refreshes in %v, want in %v to %v: the life began 5 min ago", left, low, high)
		}
	})
}

// C1, T2: a fleet refreshes once a period.
func TestFiftySourcesSignInOnceAndRefreshOnceAPeriod(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		fleet := make([]*TokenSource, 50)
		together(len(fleet), func(i int) {
			fleet[i] = newSource(t, box, through(store))
			token(t, fleet[i])
		})
		expectCalls(t, box, 1, 0, 0)
		pass(2 * time.Hour)
		for _, ts := range fleet {
			token(t, ts)
		}
		periods := int(2 * time.Hour / (15 * time.Minute * earliestRefresh / 100)) // whoever is due first
		if n := box.Counts().Refreshes; n < periods-2 || n > periods+1 {
			t.Errorf("50 sources refreshed %d times in two hours, want about %d", n, periods)
		}
		expectCalls(t, box, 1, box.Counts().Refreshes, 0)
	}, sessiontest.WithLatency(300*time.Millisecond))
}

// C1: callers go on with the live token while the source waits for the lease.
func TestCallersDoNotWaitForALeaseWhileTheirTokenLives(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		ts := newSource(t, box, through(store))
		first := token(t, ts)
		lease, err := store.Lock(t.Context(), ts.sharing.Name())
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		var got string
		if waited := took(func() { got = token(t, ts) }); waited != 0 || got != first {
			t.Errorf("a caller waited %v, want none, and the live token", waited)
		}
		expectCalls(t, box, 1, 0, 0)
		lease.Unlock()
		synctest.Wait()
		expectCalls(t, box, 1, 1, 0)
	})
}

// C4: a holder that never ends costs a refresh of one's own, and no more.
func TestALeaseThatIsNotToBeHadCostsSharingAndNotTheSession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		ts := newSource(t, box, through(store))
		token(t, ts)
		if _, err := store.Lock(t.Context(), ts.sharing.Name()); err != nil {
			t.Fatal(err)
		}
		pass(time.Until(ts.Status().RefreshAt) + DefaultTimeout)
		expectCalls(t, box, 1, 1, 0)
		cold := newSource(t, box, through(store), func(c *Config) { c.Credentials = Credentials{Email: sessiontest.Email, Password: "other"} })
		box.SetPassword(sessiontest.Email, "other")
		other := Credentials{Email: sessiontest.Email, Password: "other"}
		cold.sharing.Know(other.fingerprint(), func() *sealing.Sealer { return cold.sharing.sealer(other) })
		if _, err := store.Lock(t.Context(), cold.sharing.Name()); err != nil {
			t.Fatal(err)
		}
		if waited := took(func() { token(t, cold) }); waited > DefaultTimeout {
			t.Errorf("a cold source waited %v for the lease, want its time-out at most", waited)
		}
	})
}

// T18: what the holder of a lease has stored ends the wait of all who are after it,
// although the lease is not to be had.
func TestWhoWaitsForALeaseGoesOnWithWhatItsHolderHasStored(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		first := newSource(t, box, through(store))
		want := token(t, first)
		name := first.sharing.Name()
		entry, err := store.Load(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		lease, err := store.Lock(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		lease.Delete(t.Context())

		const took = 3 * time.Second
		waits := make(chan time.Duration, 50)
		for range cap(waits) {
			ts := newSource(t, box, through(store))
			go func() {
				start := time.Now()
				if got := token(t, ts); got != want {
					t.Error("a source has a token of its own, want the one that the holder has stored")
				}
				waits <- time.Since(start)
			}()
		}
		pass(took)
		lease.Store(t.Context(), entry)
		different := map[time.Duration]bool{}
		for range cap(waits) {
			waited := <-waits
			if different[waited] = true; waited < took || waited > took+time.Second {
				t.Errorf("a source waited %v, want at most a second from the holder's Store on, which came after %v", waited, took)
			}
		}
		if len(different) < cap(waits)/2 {
			t.Errorf("the sources looked at %d different times, want each at its own", len(different))
		}
		expectCalls(t, box, 1, 0, 0)
	})
}

// faultyStore is a store that can be made to fail, to hang and to panic.
type faultyStore struct {
	cache.Cache
	fault atomic.Pointer[func(context.Context) error] // of Load and Lock; nil: none
	store atomic.Pointer[func(context.Context) error] // of a lease's Store
}

func (s *faultyStore) Load(ctx context.Context, key string) (cache.Entry, error) {
	if fault := s.fault.Load(); fault != nil {
		return cache.Entry{}, (*fault)(ctx)
	}
	return s.Cache.Load(ctx, key)
}

func (s *faultyStore) Lock(ctx context.Context, key string) (cache.Lease, error) {
	if fault := s.fault.Load(); fault != nil {
		return nil, (*fault)(ctx)
	}
	lease, err := s.Cache.Lock(ctx, key)
	return faultyLease{lease, s}, err
}

type faultyLease struct {
	cache.Lease
	of *faultyStore
}

func (l faultyLease) Store(ctx context.Context, e cache.Entry) error {
	if fault := l.of.store.Load(); fault != nil {
		return (*fault)(ctx)
	}
	return l.Lease.Store(ctx, e)
}

var errAway = errors.New("the store is away")

// waysToFail are those of a store that is anybody's.
var waysToFail = map[string]func(context.Context) error{
	"fails":            func(context.Context) error { return errAway },
	"hangs":            func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	"ignores time":     func(context.Context) error { time.Sleep(time.Hour); return errAway },
	"panics":           func(context.Context) error { panic("the store is broken") },
	"returns too late": func(context.Context) error { time.Sleep(300 * time.Millisecond); return cache.ErrMiss },
}

// C4, T15
func TestAStoreThatFailsCostsSharingAndNeverTheSession(t *testing.T) {
	for name, way := range waysToFail {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := &faultyStore{Cache: cache.NewMemory()}
				store.fault.Store(&way)
				var j journal
				fleet := []*TokenSource{newSource(t, box, through(store), j.record), newSource(t, box, through(store))}
				for _, ts := range fleet {
					if waited := took(func() { token(t, ts) }); waited > 300*time.Millisecond {
						t.Errorf("a caller waited %v on account of the store, want 300 ms at most", waited)
					}
				}
				synctest.Wait()
				if got, want := j.kinds(), "cache failed, signed in"; got != want {
					t.Errorf("events: %s; want %s", got, want)
				}
				pass(time.Hour)
				if waited := took(func() { token(t, fleet[0]); token(t, fleet[1]) }); waited != 0 {
					t.Errorf("callers waited %v, want the sessions to be kept fresh", waited)
				}
				calls := box.Counts()
				if calls.Creates != 2 || calls.Refreshes < 8 {
					t.Errorf("%d sign-ins and %d refreshes in an hour without the store, want one and five for each source", calls.Creates, calls.Refreshes)
				}

				// Back, there is one that refreshes again.
				store.fault.Store(nil)
				pass(30 * time.Minute)
				before := box.Counts().Refreshes
				pass(time.Hour)
				if n := box.Counts().Refreshes - before; n > 7 {
					t.Errorf("two sources with the store back refreshed %d times in an hour, want about 5 to 6", n)
				}
				expectCalls(t, box, 2, box.Counts().Refreshes, 0)
				fleet[0].Close()
				fleet[1].Close()
				pass(time.Hour) // for a store that ignores time
			})
		})
	}
}

// C4
func TestAStoreThatCannotBeWrittenCostsSharingAndNeverTheSession(t *testing.T) {
	for name, way := range waysToFail {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := &faultyStore{Cache: cache.NewMemory()}
				store.store.Store(&way)
				ts := newSource(t, box, through(store))
				if waited := took(func() { token(t, ts) }); waited > time.Second {
					t.Errorf("a caller waited %v on account of the store, want %v at most", waited, time.Second)
				}
				expectCalls(t, box, 1, 0, 0)
				ts.Close()
				pass(time.Hour) // for a store that ignores time
			})
		})
	}
}

// lateLocks is a store whose Lock ignores its context, and succeeds in the end.
type lateLocks struct{ cache.Cache }

func (s lateLocks) Lock(_ context.Context, key string) (cache.Lease, error) {
	time.Sleep(time.Minute)
	return s.Cache.Lock(context.Background(), key)
}

// C4: or nobody would ever hold it again.
func TestALeaseThatComesTooLateIsGivenBack(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		ts := newSource(t, box, through(lateLocks{store}))
		token(t, ts)
		pass(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		lease, err := store.Lock(ctx, ts.sharing.Name())
		if err != nil {
			t.Fatalf("the lease is still held: %v", err)
		}
		lease.Unlock()
		ts.Close()
	})
}
