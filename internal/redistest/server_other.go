//go:build !unix

package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// Server is never started: there is no redis-server for this system.
type Server struct{ Options redis.Options }

// Start skips the test, or fails it if the variable CI is set.
func Start(t testing.TB, _ ...string) *Server {
	t.Helper()
	Require(t)
	t.Skip("not tried: the tests start a redis-server on Unix only")
	return nil
}

// Client returns a client of the server.
func (s *Server) Client(testing.TB) *redis.Client { return redis.NewClient(&s.Options) }
