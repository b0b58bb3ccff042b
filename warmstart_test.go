package jwtsession

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// BenchmarkWarmStart is what a command pays for its token when the last run has
// left a session in a file: with Config.CacheKey, and with a key that is derived
// from the password.
func BenchmarkWarmStart(b *testing.B) {
	for name, key := range map[string][]byte{"CacheKey": []byte("thirty-two bytes of a test's key"), "Password": nil} {
		b.Run(name, func(b *testing.B) {
			box := sessiontest.NewServer(sessiontest.WithTokenLife(24 * time.Hour))
			defer box.Close()
			directory := b.TempDir() + "/cache"
			start := func() {
				store, err := filecache.New(directory)
				if err != nil {
					b.Fatal(err)
				}
				ts := newSource(b, box, func(c *Config) { c.Cache, c.CacheKey = store, key })
				token(b, ts)
				ts.Close()
			}
			start()
			for b.Loop() {
				start()
			}
			expectCalls(b, box, 1, 0, 0)
		})
	}
}
