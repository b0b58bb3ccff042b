package filecache_test

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/cachetest"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// C8
func TestConformance(t *testing.T) {
	const life = 700 * time.Millisecond
	cachetest.Run(t,
		func(t *testing.T) cache.Cache { return newStore(t, filecache.WithLease(life)) },
		cachetest.WithSecondHandle(func(t *testing.T, first cache.Cache) cache.Cache {
			return storeIn(t, first.(*filecache.Cache).Directory(), filecache.WithLease(life))
		}),
		cachetest.WithLeaseLife(life))
}
