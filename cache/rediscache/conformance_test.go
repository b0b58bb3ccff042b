package rediscache

import (
	"context"
	"net"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/cachetest"
)

// judge runs the conformance suite on the server that connect reaches: C8.
func judge(t *testing.T, connect func(t *testing.T) redis.UniversalClient) {
	t.Helper()
	cachetest.Run(t, openEmpty(connect), secondHandle(connect), leaseLoss)
}

// openEmpty opens the store in a namespace of its own, so that it is empty.
func openEmpty(connect func(t *testing.T) redis.UniversalClient) func(t *testing.T) cache.Cache {
	return func(t *testing.T) cache.Cache {
		return New(connect(t), WithPrefix(defaultPrefix+":"+newLeaseValue()), patient)
	}
}

func secondHandle(connect func(t *testing.T) redis.UniversalClient) cachetest.Option {
	return cachetest.WithSecondHandle(func(t *testing.T, first cache.Cache) cache.Cache {
		return New(connect(t), WithPrefix(first.(*Cache).prefix), patient)
	})
}

// leaseLoss does what Redis does when a lease is not renewed in time.
var leaseLoss = cachetest.WithLeaseLoss(func(t *testing.T, _ string, held cache.Lease) {
	l := held.(*lease)
	if err := l.store.client.Del(context.Background(), l.names.lock).Err(); err != nil {
		t.Fatal(err)
	}
})

// connectTo returns a connect for judge. The client has go-redis' defaults, as
// most programs have.
func connectTo(options redis.UniversalOptions) func(t *testing.T) redis.UniversalClient {
	return func(t *testing.T) redis.UniversalClient {
		client := redis.NewUniversalClient(&options)
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
}

func TestConformanceInVirtualTime(t *testing.T) {
	var m *miniredis.Miniredis
	connect := func(t *testing.T) redis.UniversalClient { return dial(t, m.Dial) }
	cachetest.RunInBubble(t, func(t *testing.T) cache.Cache {
		m = startMiniredis(t)
		return New(connect(t), patient)
	}, secondHandle(connect), leaseLoss)
}

// startMiniredis starts a server whose clock is the bubble's.
func startMiniredis(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	t.Cleanup(m.Close)
	return m
}

// dial returns a client whose connections are made by connect, with go-redis'
// defaults but for its pool: those who wait for a connection do so on timers that
// they share with clients outside the bubble, so nobody must wait.
func dial(t *testing.T, connect func() (net.Conn, error)) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr:     "127.0.0.1:6379", // a host name would be looked up outside the bubble
		PoolSize: 1000,
		Dialer:   func(context.Context, string, string) (net.Conn, error) { return connect() },
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
