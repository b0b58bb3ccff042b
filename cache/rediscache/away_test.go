//go:build unix

package rediscache

import (
	"errors"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// bound is what a call may take when the server is away: far more than the
// store's timeout, since the machine may be busy, and far less than what the
// client would take by itself. Virtual time shows the exact bound.
const bound = 20 * time.Second

// stubborn returns a client that gives nothing up for an hour.
func stubborn(t testing.TB, s *redistest.Server) *redis.Client {
	options := s.Options
	options.DialTimeout, options.ReadTimeout, options.PoolTimeout = time.Hour, time.Hour, time.Hour
	options.MinRetryBackoff, options.MaxRetryBackoff = time.Hour, time.Hour
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// C4: each call is bounded, and all is well when the server is back.
func TestEveryCallIsBoundedWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct{ begin, end func(*redistest.Server) }{
		"killed and started again": {(*redistest.Server).Kill, (*redistest.Server).Start},
		"stopped and continued": {
			func(s *redistest.Server) { s.Signal(syscall.SIGSTOP) },
			func(s *redistest.Server) { s.Signal(syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			client := stubborn(t, s)
			c := New(client)
			l := mustLock(t, New(client, patient), "held").(*lease)
			held := &lease{store: c, names: l.names, value: l.value, stopRenewal: l.stopRenewal}
			outage.begin(s)
			for _, call := range []struct {
				name string
				do   func() error
			}{
				{"Load", func() error { _, err := c.Load(t.Context(), "k"); return err }},
				{"Lock", func() error { _, err := c.Lock(t.Context(), "k"); return err }},
				{"Delete", func() error { return held.Delete(t.Context()) }},
				{"Store", func() error { return held.Store(t.Context(), cache.Entry{Data: []byte("data")}) }},
				{"Unlock", held.Unlock},
			} {
				start := time.Now()
				err := call.do()
				if took := time.Since(start); err == nil || took > bound {
					t.Errorf("%s: got %v after %v, want an error within %v", call.name, err, took, bound)
				} else {
					t.Logf("%s: %v after %v", call.name, err, took)
				}
			}
			outage.end(s)
			redistest.WaitFor(t, "the store to work again", func() bool {
				_, err := c.Load(t.Context(), "held")
				return errors.Is(err, cache.ErrMiss)
			})
		})
	}
}

// C4: callers come and go, and do not leave goroutines behind.
func TestGoroutinesDoNotPileUpWhileTheServerHangs(t *testing.T) {
	s := redistest.Start(t)
	client := stubborn(t, s)
	c := New(client)
	wantMiss(t, New(client, patient), "k")
	before := runtime.NumGoroutine()
	s.Signal(syscall.SIGSTOP)
	var callers sync.WaitGroup
	for range 500 {
		callers.Go(func() {
			start := time.Now()
			_, err := c.Load(t.Context(), "k")
			if took := time.Since(start); err == nil || took > bound {
				t.Errorf("Load: got %v after %v, want an error within %v", err, took, bound)
			}
		})
		callers.Go(func() {
			start := time.Now()
			_, err := c.Lock(t.Context(), "k")
			if took := time.Since(start); err == nil || took > bound {
				t.Errorf("Lock: got %v after %v, want an error within %v", err, took, bound)
			}
		})
	}
	callers.Wait()
	// The client's pool bounds the calls that wait for an answer, and maxDebts the
	// leases that are being given back. Each has a few goroutines, here and in the
	// client; those that have been given up end when the processor has time for them.
	most := before + 6*(client.Options().PoolSize+maxDebts)
	redistest.WaitFor(t, "the goroutines of 1000 calls that were given up to be few", func() bool { return runtime.NumGoroutine() <= most })
	s.Signal(syscall.SIGCONT)
	redistest.WaitFor(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before+client.Options().PoolSize })
	mustStore(t, mustLock(t, New(client, patient), "k"), "again", time.Hour)
}

// C6, C4: the command waits in the connection of a server that was stopped, and
// nobody waits for it any more.
func TestAStoreThatReachesRedisLateDoesNotProlongTheEntry(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := New(s.Client(t), WithTimeout(time.Second))
	mustStore(t, mustLock(t, c, "other"), "the server knows the script by now", time.Minute)
	lease := mustLock(t, c, "k")
	s.Signal(syscall.SIGSTOP)
	const life, stopped = time.Minute, time.Second // as long as the Store waits
	if err := lease.Store(t.Context(), cache.Entry{Data: []byte("late"), TTL: life}); err == nil {
		t.Error("Store on a server that is stopped: got nil, want an error")
	}
	s.Signal(syscall.SIGCONT)
	var e cache.Entry
	redistest.WaitFor(t, "the late Store", func() bool {
		var err error
		e, err = c.Load(t.Context(), "k")
		return err == nil
	})
	if e.TTL > life-stopped {
		t.Errorf("an entry stored %v late has %v left, want %v at most", stopped, e.TTL, life-stopped)
	}
}
