package keyringcache

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/cachetest"
)

// C8, on the keyring package's mock.
func TestTheStoreDoesWhatEveryStoreMust(t *testing.T) { runSuite(t) }

// runSuite judges the store with two handles of their own, each of which reads
// the key for itself.
func runSuite(t *testing.T) {
	const life = 700 * time.Millisecond
	open := func(t *testing.T, directory string) cache.Cache {
		c, err := New(directory, WithLease(life), WithTimeout(30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cachetest.Run(t,
		func(t *testing.T) cache.Cache { return open(t, t.TempDir()+"/cache") },
		cachetest.WithSecondHandle(func(t *testing.T, first cache.Cache) cache.Cache {
			return open(t, first.(*Cache).Directory())
		}),
		cachetest.WithLeaseLife(life))
}
