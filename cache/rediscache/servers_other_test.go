//go:build !unix

package rediscache

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// server is never started: there is no redis-server for this system.
type server struct{ options redis.Options }

func startServer(t testing.TB) *server {
	t.Helper()
	requireRedisServer(t)
	t.Skip("not tried: the tests start a redis-server on Unix only")
	return nil
}

func (s *server) client(testing.TB) *redis.Client { return redis.NewClient(&s.options) }
