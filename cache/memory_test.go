package cache_test

import (
	"testing"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/cachetest"
)

// C8
func TestMemoryPassesTheConformanceSuite(t *testing.T) {
	cachetest.RunInBubble(t, func(*testing.T) cache.Cache { return cache.NewMemory() })
}

// C8: with goroutines that run at the same time, for the race detector.
func TestMemoryPassesTheConformanceSuiteInRealTime(t *testing.T) {
	cachetest.Run(t, func(*testing.T) cache.Cache { return new(cache.Memory) })
}
