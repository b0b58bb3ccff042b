package cache_test

import (
	"testing"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/cachetest"
)

func openMemory(*testing.T) cache.Cache { return cache.NewMemory() }

// C8
func TestMemoryPassesTheConformanceSuite(t *testing.T) {
	cachetest.RunInBubble(t, openMemory)
}

// C8: the store with the real clock and the goroutines that it will meet.
func TestMemoryPassesTheConformanceSuiteInRealTime(t *testing.T) {
	cachetest.Run(t, openMemory)
}
