// Package cachetest judges stores: a [cache.Cache] that passes [Run] can be
// given to a token source.
//
//	func TestConformance(t *testing.T) {
//		cachetest.Run(t, func(t *testing.T) cache.Cache { return mystore.New(t.TempDir()) })
//	}
//
// That much judges one handle within one process. Options tell it what it cannot
// know of a store: how another process would open it, and how long its leases
// live.
//
//	cachetest.Run(t, open,
//		cachetest.WithSecondHandle(func(t *testing.T, first cache.Cache) cache.Cache {
//			return mystore.New(first.(*mystore.Store).Dir())
//		}),
//		cachetest.WithLeaseLife(700*time.Millisecond))
//
// Run it with the race detector as well. It cannot judge what becomes of a store
// when processes are killed or machines are cut off.
package cachetest

import (
	"testing"
	"testing/synctest"

	"github.com/jwtsession/jwtsession/cache"
)

// Run judges the store that open returns, in subtests that are named after what
// they demand. They run one after the other. For each, open is called with the
// subtest's t, on whose Cleanup the store may be closed; it returns a store that
// is empty.
//
// The tests take real time: about a second, and two lives of a lease. None of
// them takes a slow machine for a broken store; if the machine is too slow to
// tell, they say so.
//
// Keys and data are such as [cache.Cache] and [cache.Entry] promise a store.
func Run(t *testing.T, open func(t *testing.T) cache.Cache, options ...Option) {
	for _, d := range demands {
		t.Run(d.name, func(t *testing.T) { d.check(t, newSubject(t, open, options)) })
	}
}

// RunInBubble is [Run] in virtual time, each subtest in a bubble of
// [testing/synctest]: for stores that wait for nothing but channels and timers,
// made in the bubble. The open function is called within it.
func RunInBubble(t *testing.T, open func(t *testing.T) cache.Cache, options ...Option) {
	for _, d := range demands {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { d.check(t, newSubject(t, open, options)) })
		})
	}
}

// demand is one thing that a store must do. Its check reports to t alone, from
// the goroutine that it was called on.
type demand struct {
	name  string
	check func(t testing.TB, s *subject)
}

var demands = []demand{
	{"AnUnknownKeyIsAMiss", checkMiss},
	{"AnEntryComesBackAsItWasStored", checkRoundTrip},
	{"AStoreReplacesTheEntryAndItsLife", checkReplace},
	{"ADeletedEntryIsGone", checkDelete},
	{"KeysAreIndependent", checkKeys},
	{"NoMemoryIsSharedWithCallers", checkMemory},
	{"AReaderNeverSeesATornEntry", checkTorn},
	{"TheTTLIsTheLifeThatIsLeft", checkTTL},
	{"AnEntryWhoseLifeIsOverIsAMiss", checkExpiry},
	{"OneHolderAtATime", checkExclusion},
	{"NoUpdateIsLostBetweenHolders", checkUpdates},
	{"LoadDoesNotWaitForTheHolder", checkLoadWhileHeld},
	{"LockEndsWithItsContext", checkLockContext},
	{"OnlyTheFirstUnlockCounts", checkUnlock},
	{"AnUnlockedLeaseWritesNothing", checkWriteAfterUnlock},
	{"ALeaseMayBeUsedConcurrently", checkConcurrentLease},
	{"ALostLeaseWritesNothing", checkLoss},
	{"UnlockOfALostLeaseLeavesTheNextHolderAlone", checkUnlockAfterLoss},
	{"LoadedIsWhatALoadAtTheLockWouldReturn", checkLoaded},
}
