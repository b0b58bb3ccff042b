package rediscache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// onEveryServer runs test on a server in this process, and on a real one.
func onEveryServer(t *testing.T, test func(t *testing.T, server redis.Options)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) { test(t, redis.Options{Addr: miniredis.RunT(t).Addr()}) })
	t.Run("redis-server", func(t *testing.T) { test(t, redistest.Start(t).Options) })
}

// behindProxy opens the store through a proxy, and another handle without one.
// The server knows the scripts already.
func behindProxy(t *testing.T, server redis.Options) (c, direct *Cache, p *proxy) {
	t.Helper()
	p = startProxy(t, server)
	client := redis.NewClient(&server)
	t.Cleanup(func() { _ = client.Close() })
	c, direct = New(p.client(t), patient), New(client, patient)
	wantMiss(t, c, "warm")
	l := mustLock(t, c, "warm")
	if err := errors.Join(l.Delete(t.Context()), l.Unlock()); err != nil {
		t.Fatal(err)
	}
	mustStore(t, mustLock(t, c, "warm"), "data", time.Hour)
	return c, direct, p
}

// C6: acquire and store are idempotent under the client's own retries. In each
// case the server runs the script, the answer gets lost, and go-redis sends the
// script again.
func TestAScriptWhoseAnswerGotLostIsRunAgainWithoutHarm(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server redis.Options) {
		c, direct, p := behindProxy(t, server)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		lost := func(t *testing.T, call func() error) {
			t.Helper()
			before := p.scripts.Load()
			p.loseAnswer(func() {})
			if err := call(); err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if got := p.scripts.Load() - before; got != 2 {
				t.Fatalf("scripts sent: got %d, want 2, of which one is the repetition", got)
			}
		}
		t.Run("Lock", func(t *testing.T) {
			mustStore(t, mustLock(t, direct, "lock"), "data", time.Hour)
			var held cache.Lease
			lost(t, func() (err error) { held, err = c.Lock(ctx, "lock"); return err })
			if e, err := held.(cache.LoadedLease).Loaded(); err != nil || string(e.Data) != "data" {
				t.Errorf("Loaded: got %q, %v, want the entry", e.Data, err)
			}
			mustStore(t, held, "new", time.Hour)
			wantLoad(t, direct, "lock", "new")
		})
		t.Run("Store", func(t *testing.T) {
			held := mustLock(t, c, "store")
			lost(t, func() error { return held.Store(ctx, cache.Entry{Data: []byte("data"), TTL: time.Hour}) })
			wantLoad(t, direct, "store", "data")
			wantFree(t, direct, "store")
		})
		t.Run("Delete", func(t *testing.T) {
			mustStore(t, mustLock(t, direct, "delete"), "data", time.Hour)
			held := mustLock(t, c, "delete")
			lost(t, func() error { return held.Delete(ctx) })
			wantMiss(t, direct, "delete")
			mustStore(t, held, "still the holder", time.Hour)
		})
		t.Run("Unlock", func(t *testing.T) {
			held := mustLock(t, c, "unlock")
			lost(t, held.Unlock)
			wantFree(t, direct, "unlock")
		})
		t.Run("Load", func(t *testing.T) {
			lost(t, func() error { _, err := c.Load(ctx, "store"); return err })
		})
	})
}

// C6: what others did between a script and its repetition.
func TestARepeatedScriptLeavesTheNextHolderAlone(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server redis.Options) {
		c, direct, p := behindProxy(t, server)
		ctx := t.Context()
		data := cache.Entry{Data: []byte("data"), TTL: time.Hour}
		taken := make(chan cache.Lease, 1)
		take := func() {
			l, err := direct.Lock(ctx, "k")
			if err != nil {
				t.Errorf("Lock by another: got %v, want the lease", err)
			}
			taken <- l
		}

		held := mustLock(t, c, "k")
		p.loseAnswer(take)
		if err := held.Store(ctx, data); err != nil {
			t.Errorf("Store, when another took the lease before the repetition: got %v, want nil: it was stored", err)
		}
		wantLoad(t, direct, "k", "data")
		mustStore(t, <-taken, "of the next", time.Hour)

		held = mustLock(t, c, "k")
		p.loseAnswer(func() {
			take()
			if err := (<-taken).Store(ctx, cache.Entry{Data: []byte("newer"), TTL: time.Hour}); err != nil {
				t.Errorf("Store by another: got %v, want nil", err)
			}
		})
		_ = held.Store(ctx, data) // stored or lost: it is both by now
		wantLoad(t, direct, "k", "newer")

		held = mustLock(t, c, "k")
		p.loseAnswer(take)
		if err := held.Unlock(); err != nil {
			t.Errorf("Unlock, when another took the lease before the repetition: got %v, want nil", err)
		}
		mustStore(t, <-taken, "of the next again", time.Hour)
		wantLoad(t, direct, "k", "of the next again")
	})
}

// The cost: a shared refresh adds at most three round trips.
func TestASharedRefreshTakesThreeRoundTrips(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server redis.Options) {
		c, direct, p := behindProxy(t, server)
		mustStore(t, mustLock(t, direct, "k"), "old", time.Hour)
		before := p.requests.Load()
		wantLoad(t, c, "k", "old")
		held := mustLock(t, c, "k")
		if e, err := held.(cache.LoadedLease).Loaded(); err != nil || string(e.Data) != "old" {
			t.Errorf("Loaded: got %q, %v, want the entry", e.Data, err)
		}
		mustStore(t, held, "new", time.Hour)
		if err := held.Unlock(); err != nil {
			t.Errorf("Unlock after a Store: got %v, want nil", err)
		}
		if got := p.requests.Load() - before; got != 3 {
			t.Errorf("round trips of Load, Lock, Loaded, Store and Unlock: got %d, want 3", got)
		}
		wantLoad(t, direct, "k", "new")
	})
}

// wantFree fails the test if somebody holds the lease on key.
func wantFree(t testing.TB, c *Cache, key string) {
	t.Helper()
	holder, err := c.client.Get(t.Context(), c.names(key).lock).Result()
	if !errors.Is(err, redis.Nil) {
		t.Errorf("holder of the lease on %q: got %q, %v, want nobody", key, holder, err)
	}
}
