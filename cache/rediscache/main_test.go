package rediscache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/proctest"
)

// roles are what a test may start as a process of its own.
var roles = map[string]proctest.Role{}

func TestMain(m *testing.M) {
	proctest.Play(roles)
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Fprintln(os.Stderr, "rediscache: NOT TRIED without redis-server: a real server, a Cluster, TLS, ACLs, killed and stopped processes")
	}
	redis.SetLogger(silent{})
	proctest.Beside(8)
	os.Exit(m.Run())
}

// silent drops what go-redis logs about the failures that the tests cause.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// patient is for tests that are not about the bound: on a busy machine a round trip
// may take longer than that.
var patient = WithTimeout(10 * time.Second)

func mustLock(t testing.TB, c *Cache, key string) cache.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := c.Lock(ctx, key)
	if err != nil {
		t.Fatalf("Lock(%q): got %v, want a lease", key, err)
	}
	t.Cleanup(func() { _ = l.Unlock() })
	return l
}

func mustStore(t testing.TB, l cache.Lease, data string, ttl time.Duration) {
	t.Helper()
	if err := l.Store(t.Context(), cache.Entry{Data: []byte(data), TTL: ttl}); err != nil {
		t.Fatalf("Store(%.40q): got %v, want nil", data, err)
	}
}

func wantLoad(t testing.TB, c *Cache, key, data string) cache.Entry {
	t.Helper()
	e, err := c.Load(t.Context(), key)
	if err != nil || string(e.Data) != data {
		t.Fatalf("Load(%q): got %.40q, %v, want %.40q", key, e.Data, err, data)
	}
	return e
}

func wantMiss(t testing.TB, c *Cache, key string) {
	t.Helper()
	if e, err := c.Load(t.Context(), key); !errors.Is(err, cache.ErrMiss) {
		t.Fatalf("Load(%q): got %q, %v, want ErrMiss", key, e.Data, err)
	}
}
