package cachetest

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// flaw is what a shelf does wrong.
type flaw string

const (
	noFlaw flaw = ""

	missIsAnError       flaw = "a miss that is an error like any other"
	missIsAnEntry       flaw = "a miss that is an empty entry"
	missIsAPanic        flaw = "a miss that is a panic"
	emptyIsAMiss        flaw = "an entry without data that is a miss"
	dataIsText          flaw = "data that are taken for text"
	dataIsCut           flaw = "data that are cut at 4 KiB"
	secondStoreDrops    flaw = "a second Store that does nothing"
	storeWaitsForUnlock flaw = "a Store that is seen after the Unlock"
	storeIsLost         flaw = "a Store that writes nothing"
	storeIsTorn         flaw = "a torn read of data"
	firstIsTorn         flaw = "a torn read of what replaces nothing"
	blocksAreSeen       flaw = "a torn read of long data that replace others"
	zerosAreSeen        flaw = "a torn read of zeros"
	lifeIsTorn          flaw = "a torn read of data and life"
	keepsCopies         flaw = "a handle that keeps what it has loaded"
	keysFoldCase        flaw = "keys that differ in case collide"
	keysAreCut          flaw = "keys that are long collide"
	leasesCollide       flaw = "keys whose leases collide"

	keepsSlice   flaw = "a store that keeps the caller's slice"
	returnsSlice flaw = "a store that returns its own slice"
	writesSlice  flaw = "a store that writes to the caller's slice"

	ttlIsConstant   flaw = "a TTL that is reported as it was stored"
	ttlIsIgnored    flaw = "a TTL that is ignored"
	ttlIsWallTime   flaw = "a TTL that is a wall time"
	ttlOnlyReported flaw = "a TTL that is reported, and no entry ends"
	ttlIsKept       flaw = "a TTL that outlives its entry's replacement"
	ttlIsRounded    flaw = "a TTL that is rounded to zero"
	ttlMayBeOver    flaw = "a TTL that was over and counts as unknown"
	ttlIsGuessed    flaw = "a TTL where none was given"
	endsAfterTTL    flaw = "an entry that ends after its TTL"
	endsBeforeTTL   flaw = "an entry that ends before its TTL"

	deleteIsLost     flaw = "a lost delete"
	deleteNeedsEntry flaw = "a Delete that fails where nothing is"
	deleteEndsLease  flaw = "a Delete that ends the lease"
	deleteCutsKeys   flaw = "a Delete that takes what differs at a long key's end"

	lockDoesNotExclude    flaw = "a lock that does not exclude"
	lockExcludesOwnHandle flaw = "a lock that excludes within one process alone"
	lockIgnoresContext    flaw = "a Lock that ignores its context"
	lockTakesFreeLease    flaw = "a Lock that succeeds after its context"
	lockErrorIsItsOwn     flaw = "a Lock that hides its context's error"
	givenUpLockTakesLease flaw = "a Lock that gave up and gets the lease later"
	waitersSleepOn        flaw = "an Unlock that wakes nobody"
	unlockKeeps           flaw = "an Unlock that keeps the lease until its life is over"
	loadWaits             flaw = "a Load that waits for the holder"
	leaseNeverEnds        flaw = "a lease that outlives its holder"
	leaseEndsEarly        flaw = "a lease that ends before its life does"
	leaseIsForOneCall     flaw = "a lease that does one thing at a time"
	storesMix             flaw = "a lease whose Stores mix"
	firstLeaseIsLost      flaw = "a key's first lease that is lost from the start"

	storesAfterUnlock  flaw = "a Store after Unlock"
	deletesAfterUnlock flaw = "a Delete after Unlock"
	storesAfterLoss    flaw = "a Store after the loss of the lease"
	deletesAfterLoss   flaw = "a Delete after the loss of the lease"
	storesIfFree       flaw = "a Store after the loss of the lease, once that is free"

	secondUnlockFrees flaw = "a second Unlock that frees another's lease"
	secondUnlockFails flaw = "a second Unlock that fails"
	secondUnlockHangs flaw = "a second Unlock that hangs"
	lostUnlockFrees   flaw = "an Unlock after loss that frees another's lease"
	lostUnlockFails   flaw = "an Unlock after loss that fails"

	loadedMisses              flaw = "a Loaded that misses"
	loadedIsFromBeforeTheWait flaw = "a Loaded from before the wait"
	loadedAges                flaw = "a Loaded whose TTL goes on"
	loadedFollowsStores       flaw = "a Loaded that follows its lease's Stores"
	loadedSharesMemory        flaw = "a Loaded that shares memory"
	loadedInventsEntries      flaw = "a Loaded that has an entry where none is"
)

// broken says which demands must fail a store with a flaw.
var broken = []struct {
	flaw    flaw
	demands string
}{
	{missIsAnError, "AnUnknownKeyIsAMiss ADeletedEntryIsGone AnEntryWhoseLifeIsOverIsAMiss"},
	{missIsAnEntry, "AnUnknownKeyIsAMiss ADeletedEntryIsGone"},
	{missIsAPanic, "AnUnknownKeyIsAMiss ADeletedEntryIsGone"},
	{emptyIsAMiss, "AnEntryComesBackAsItWasStored"},
	{dataIsText, "AnEntryComesBackAsItWasStored"},
	{dataIsCut, "AnEntryComesBackAsItWasStored AReaderNeverSeesATornEntry"},
	{secondStoreDrops, "AStoreReplacesTheEntryAndItsLife"},
	{storeWaitsForUnlock, "AnEntryComesBackAsItWasStored"},
	{storeIsLost, "AnEntryComesBackAsItWasStored AStoreReplacesTheEntryAndItsLife TheTTLIsTheLifeThatIsLeft"},
	{storeIsTorn, "AReaderNeverSeesATornEntry"},
	{firstIsTorn, "AReaderNeverSeesATornEntry"},
	{blocksAreSeen, "AReaderNeverSeesATornEntry"},
	{zerosAreSeen, "AReaderNeverSeesATornEntry"},
	{lifeIsTorn, "AReaderNeverSeesATornEntry"},
	{keepsCopies, "ADeletedEntryIsGone AStoreReplacesTheEntryAndItsLife AReaderNeverSeesATornEntry NoUpdateIsLostBetweenHolders"},
	{keysFoldCase, "KeysAreIndependent"},
	{keysAreCut, "KeysAreIndependent"},
	{leasesCollide, "KeysAreIndependent"},

	{keepsSlice, "NoMemoryIsSharedWithCallers"},
	{returnsSlice, "NoMemoryIsSharedWithCallers"},
	{writesSlice, "NoMemoryIsSharedWithCallers"},

	{ttlIsConstant, "TheTTLIsTheLifeThatIsLeft"},
	{ttlIsIgnored, "TheTTLIsTheLifeThatIsLeft AnEntryWhoseLifeIsOverIsAMiss"},
	{ttlIsWallTime, "TheTTLIsTheLifeThatIsLeft"},
	{ttlOnlyReported, "AnEntryWhoseLifeIsOverIsAMiss"},
	{ttlIsKept, "AStoreReplacesTheEntryAndItsLife"},
	{ttlIsRounded, "AnEntryWhoseLifeIsOverIsAMiss"},
	{ttlMayBeOver, "AnEntryWhoseLifeIsOverIsAMiss"},
	{ttlIsGuessed, "TheTTLIsTheLifeThatIsLeft"},
	{endsAfterTTL, "AnEntryWhoseLifeIsOverIsAMiss"},
	{endsBeforeTTL, "AnEntryWhoseLifeIsOverIsAMiss"},

	{deleteIsLost, "ADeletedEntryIsGone KeysAreIndependent"},
	{deleteNeedsEntry, "ADeletedEntryIsGone"},
	{deleteEndsLease, "ADeletedEntryIsGone"},
	{deleteCutsKeys, "KeysAreIndependent"},

	{lockDoesNotExclude, "OneHolderAtATime NoUpdateIsLostBetweenHolders LockEndsWithItsContext OnlyTheFirstUnlockCounts"},
	{lockExcludesOwnHandle, "OneHolderAtATime NoUpdateIsLostBetweenHolders"},
	{lockIgnoresContext, "LockEndsWithItsContext"},
	{lockTakesFreeLease, "LockEndsWithItsContext"},
	{lockErrorIsItsOwn, "LockEndsWithItsContext OneHolderAtATime"},
	{givenUpLockTakesLease, "LockEndsWithItsContext"},
	{waitersSleepOn, "OneHolderAtATime"},
	{unlockKeeps, "OneHolderAtATime"},
	{loadWaits, "LoadDoesNotWaitForTheHolder"},
	{leaseNeverEnds, "ALostLeaseWritesNothing UnlockOfALostLeaseLeavesTheNextHolderAlone"},
	{leaseEndsEarly, "OneHolderAtATime"},
	{leaseIsForOneCall, "ALeaseMayBeUsedConcurrently"},
	{storesMix, "ALeaseMayBeUsedConcurrently"},
	{firstLeaseIsLost, "AnEntryComesBackAsItWasStored ADeletedEntryIsGone KeysAreIndependent"},

	{storesAfterUnlock, "AnUnlockedLeaseWritesNothing"},
	{deletesAfterUnlock, "AnUnlockedLeaseWritesNothing"},
	{storesAfterLoss, "ALostLeaseWritesNothing"},
	{deletesAfterLoss, "ALostLeaseWritesNothing"},
	{storesIfFree, "ALostLeaseWritesNothing"},

	{secondUnlockFrees, "OnlyTheFirstUnlockCounts"},
	{secondUnlockFails, "OnlyTheFirstUnlockCounts ALeaseMayBeUsedConcurrently"},
	{secondUnlockHangs, "OnlyTheFirstUnlockCounts"},
	{lostUnlockFrees, "UnlockOfALostLeaseLeavesTheNextHolderAlone"},
	{lostUnlockFails, "UnlockOfALostLeaseLeavesTheNextHolderAlone"},

	{loadedMisses, "LoadedIsWhatALoadAtTheLockWouldReturn"},
	{loadedIsFromBeforeTheWait, "LoadedIsWhatALoadAtTheLockWouldReturn"},
	{loadedAges, "LoadedIsWhatALoadAtTheLockWouldReturn"},
	{loadedFollowsStores, "LoadedIsWhatALoadAtTheLockWouldReturn"},
	{loadedSharesMemory, "LoadedIsWhatALoadAtTheLockWouldReturn"},
	{loadedInventsEntries, "LoadedIsWhatALoadAtTheLockWouldReturn"},
}

// The methods of flaw are called with the shelf's mu held.

func (f flaw) entryName(key string) string {
	switch {
	case f == keysFoldCase:
		return strings.ToLower(key)
	case f == keysAreCut:
		return key[:min(len(key), 63)]
	}
	return key
}

func (f flaw) leaseName(key string) string {
	if f == leasesCollide {
		return "all"
	}
	return key
}

// loaded turns what a Load has found into what it returns.
func (f flaw) loaded(e cache.Entry, stored shelved, isThere bool) (cache.Entry, error) {
	isStored := stored.data != nil || stored.ttl != 0
	switch {
	case f == ttlOnlyReported && isStored, f == endsAfterTTL && isStored && e.TTL > -18*time.Millisecond: // not twice the precision of the table's test
		return cache.Entry{Data: e.Data, TTL: max(1, e.TTL)}, nil
	case f == missIsAPanic && !isThere:
		panic("no entry")
	case f == missIsAnError && !isThere:
		return cache.Entry{}, errors.New("not found")
	case f == missIsAnEntry && !isThere:
		return cache.Entry{}, nil
	case !isThere, f == emptyIsAMiss && len(e.Data) == 0:
		return cache.Entry{}, cache.ErrMiss
	case f == endsBeforeTTL && stored.ttl != 0 && e.TTL < stored.ttl/2:
		return cache.Entry{}, cache.ErrMiss
	case f == dataIsText:
		e.Data = bytes.TrimSpace(e.Data)
	case f == dataIsCut:
		e.Data = e.Data[:min(len(e.Data), 4<<10)]
	case f == returnsSlice:
		e.Data = stored.data
	case f == ttlIsConstant:
		e.TTL = stored.ttl
	case f == ttlIsWallTime:
		e.TTL = time.Duration(stored.end.UnixNano())
	case f == ttlIsGuessed && stored.ttl == 0:
		e.TTL = 24 * time.Hour
	}
	return e, nil
}

// letsStore is whether a lease that is not held may store.
func (f flaw) letsStore(l *shelfLease) bool {
	switch f {
	case lockDoesNotExclude, lockExcludesOwnHandle:
		return !l.isUnlocked
	case storesAfterUnlock:
		return l.isUnlocked
	case storesAfterLoss:
		return !l.isUnlocked
	case storesIfFree:
		return !l.isUnlocked && l.handle.holders[l.name()] == nil
	}
	return false
}

func (f flaw) letsDelete(l *shelfLease) bool {
	return f == deletesAfterUnlock && l.isUnlocked || f == deletesAfterLoss && !l.isUnlocked
}

func (f flaw) store(l *shelfLease, given cache.Entry, stored shelved) error {
	before := l.handle.entries[f.entryName(l.key)]
	if half, isTorn := f.half(before, stored); isTorn {
		l.put(half)
		l.pause()
	}
	switch {
	case f == storeIsLost, f == secondStoreDrops && l.hasStored:
		return nil
	case f == storeWaitsForUnlock:
		l.pending = func() { l.put(stored) }
		return nil
	case f == keepsSlice:
		stored.data = given.Data
	case f == writesSlice:
		clear(given.Data)
	case f == ttlIsIgnored, f == ttlIsRounded && given.TTL.Abs() < time.Millisecond, f == ttlMayBeOver && given.TTL < 0:
		stored.ttl, stored.end = 0, time.Time{}
	case f == ttlIsKept && !before.end.IsZero():
		stored.ttl, stored.end = before.ttl, before.end
	case f == storesMix && (l.isBusy || l.pending != nil):
		l.pending = func() { l.put(shelved{data: append(bytes.Clone(stored.data), '?')}) }
		return nil
	case f == leaseIsForOneCall && l.isBusy:
		return errors.New("busy")
	case f == leaseIsForOneCall, f == storesMix:
		l.isBusy = true
		l.pause()
		l.isBusy = false
	}
	l.put(stored)
	l.hasStored = true
	return nil
}

// half is what can be seen of a Store that is under way.
func (f flaw) half(before, stored shelved) (half shelved, isTorn bool) {
	half = stored
	switch {
	case f == storeIsTorn, f == firstIsTorn && before.data == nil:
		half.data = append(bytes.Clone(stored.data[:len(stored.data)/2]), '?')
	case f == blocksAreSeen && before.data != nil && len(stored.data) > 4<<10:
		half.data = stored.data[:4<<10]
	case f == zerosAreSeen:
		half.data = make([]byte, len(stored.data))
	case f == lifeIsTorn && before.data != nil:
		half.ttl, half.end = before.ttl, before.end
	default:
		return shelved{}, false
	}
	return half, true
}

// pause lets others see what is half done.
func (l *shelfLease) pause() {
	l.handle.mu.Unlock()
	time.Sleep(time.Millisecond)
	l.handle.mu.Lock()
}

func (f flaw) delete(l *shelfLease) error {
	name := f.entryName(l.key)
	_, isThere := l.handle.entries[name]
	switch {
	case f == deleteIsLost:
		return nil
	case f == deleteNeedsEntry && !isThere:
		return errors.New("not found")
	case f == deleteEndsLease:
		l.release()
	case f == deleteCutsKeys:
		maps.DeleteFunc(l.handle.entries, func(other string, _ shelved) bool { return len(name) > 62 && strings.HasPrefix(other, name[:62]) })
	}
	delete(l.handle.entries, name)
	return nil
}

func (f flaw) unlockAgain(l *shelfLease) error {
	switch f {
	case secondUnlockFrees:
		l.release()
	case secondUnlockFails:
		return errors.New("not locked")
	case secondUnlockHangs:
		l.handle.mu.Unlock()
		<-l.handle.ended
		l.handle.mu.Lock()
	}
	return nil
}

func (f flaw) unlockLost(l *shelfLease) error {
	switch f {
	case lostUnlockFrees:
		l.release()
	case lostUnlockFails:
		return cache.ErrLeaseLost
	}
	return nil
}

// atLock turns what Loaded has into what it returns.
func (f flaw) atLock(l *shelfLease, e cache.Entry, err error) (cache.Entry, error) {
	switch {
	case f == loadedMisses:
		return cache.Entry{}, cache.ErrMiss
	case f == loadedInventsEntries && err != nil:
		return cache.Entry{Data: []byte("invented"), TTL: time.Hour}, nil
	case f == loadedFollowsStores:
		return l.handle.load(l.key)
	case f == loadedAges && e.TTL != 0:
		e.TTL -= l.handle.now().Sub(l.taken)
	case f == loadedSharesMemory:
		e.Data = l.entry.Data
	}
	return e, err
}
