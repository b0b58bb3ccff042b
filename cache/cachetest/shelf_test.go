package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// shelf is a store that does as the contract says, but for its flaw.
type shelf struct {
	flaw  flaw
	life  time.Duration // of a lease; 0: without end
	now   func() time.Time
	ended chan struct{} // closed at the end of the test, for what would hang

	// As a store may, its Store ends the lease. It comes a moment after a Delete
	// that was called with it.
	storeEnds bool

	mu      sync.Mutex // never held across a wait
	entries map[string]shelved
	holders map[string]*shelfLease
	left    map[*shelfLease]string // keys of the leases that are not unlocked
	changed chan struct{}          // closed and replaced when a lease ends
	once    map[string]bool        // keys, by a flaw that each of them shows once
}

type shelved struct {
	data []byte
	ttl  time.Duration // as it was given
	end  time.Time     // zero: unknown
}

// shelfHandle is a way to a shelf.
type shelfHandle struct {
	*shelf
	kept map[string]cache.Entry // by the flaw keepsCopies; guarded by mu
}

func newShelf(t *testing.T, f flaw, life time.Duration) *shelfHandle {
	s := &shelf{
		flaw: f, life: life, now: time.Now,
		ended:   make(chan struct{}),
		entries: make(map[string]shelved),
		holders: make(map[string]*shelfLease),
		left:    make(map[*shelfLease]string),
		changed: make(chan struct{}),
		once:    make(map[string]bool),
	}
	t.Cleanup(func() {
		close(s.ended)
		s.mu.Lock()
		defer s.mu.Unlock()
		if f == noFlaw && len(s.left) > 0 {
			t.Errorf("leases that the suite did not unlock, by their keys: got %v, want none: one that its holder renews would go on for ever", slices.Collect(maps.Values(s.left)))
		}
	})
	return s.handle()
}

func (s *shelf) handle() *shelfHandle { return &shelfHandle{s, make(map[string]cache.Entry)} }

// anotherHandle is for WithSecondHandle.
func anotherHandle(_ *testing.T, first cache.Cache) cache.Cache {
	return first.(*shelfHandle).handle()
}

func (h *shelfHandle) Load(_ context.Context, key string) (cache.Entry, error) {
	if h.flaw == loadWaits {
		for {
			h.mu.Lock()
			holder, changed := h.holders[h.flaw.leaseName(key)], h.changed
			isFree := holder == nil || h.isOver(holder)
			h.mu.Unlock()
			if isFree {
				break
			}
			h.await(context.Background(), changed)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.load(key)
}

// load is called with mu held.
func (h *shelfHandle) load(key string) (cache.Entry, error) {
	if kept, isKept := h.kept[key]; isKept {
		return kept, nil
	}
	stored, isThere := h.entries[h.flaw.entryName(key)]
	e := cache.Entry{Data: bytes.Clone(stored.data)}
	if !stored.end.IsZero() {
		e.TTL = stored.end.Sub(h.now())
		isThere = isThere && e.TTL > 0
	}
	if h.flaw == keepsCopies && isThere {
		h.kept[key] = e
	}
	return h.flaw.loaded(e, stored, isThere)
}

func (h *shelfHandle) Lock(ctx context.Context, key string) (cache.Lease, error) {
	l := &shelfLease{handle: h, key: key}
	if h.flaw == loadedIsFromBeforeTheWait {
		h.mu.Lock()
		l.entry, l.miss = h.load(key)
		h.mu.Unlock()
	}
	if h.flaw == lockIgnoresContext {
		ctx = context.Background()
	}
	if ctx.Err() != nil && h.flaw != lockTakesFreeLease {
		return nil, h.failure(ctx)
	}
	for {
		changed := h.take(l)
		if changed == nil {
			return l, nil
		}
		h.await(ctx, changed)
		if ctx.Err() != nil {
			if h.flaw == givenUpLockTakesLease {
				h.mu.Lock()
				if !h.once[key] {
					h.once[key] = true
					go h.Lock(context.Background(), key)
				}
				h.mu.Unlock()
			}
			return nil, h.failure(ctx)
		}
	}
}

func (h *shelfHandle) failure(ctx context.Context) error {
	if h.flaw == lockErrorIsItsOwn {
		return errors.New("no lease")
	}
	return fmt.Errorf("wait for the lease: %w", ctx.Err())
}

// await returns when changed is closed, or soon after some lease ends by itself.
// After the end of the test, nothing waits.
func (s *shelf) await(ctx context.Context, changed <-chan struct{}) {
	tick := time.NewTimer(5 * time.Millisecond)
	switch {
	case s.life == 0:
		tick.Stop()
	case s.flaw == waitersSleepOn:
		tick.Reset(s.life)
	}
	defer tick.Stop()
	select {
	case <-changed:
	case <-tick.C:
	case <-ctx.Done():
	case <-s.ended:
	}
}

// take returns nil if l is the holder now, else what is closed when the lease may
// be free.
func (h *shelfHandle) take(l *shelfLease) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := h.flaw.leaseName(l.key)
	holder := h.holders[name]
	isFree := holder == nil || h.isOver(holder) ||
		h.flaw == lockDoesNotExclude ||
		h.flaw == lockExcludesOwnHandle && holder.handle != h
	select {
	case <-h.ended:
		isFree = true
	default:
	}
	if !isFree {
		return h.changed
	}
	h.holders[name] = l
	h.left[l] = l.key
	l.taken = h.now()
	if h.flaw == firstLeaseIsLost {
		l.isLost = !h.once[l.key]
		h.once[l.key] = true
	}
	if h.flaw != loadedIsFromBeforeTheWait {
		l.entry, l.miss = h.load(l.key)
	}
	return nil
}

// isOver is called with mu held.
func (s *shelf) isOver(l *shelfLease) bool {
	life := s.life
	switch s.flaw {
	case leaseNeverEnds:
		return false
	case leaseEndsEarly:
		life = brief / 4
	}
	return life > 0 && s.now().Sub(l.taken) >= life
}

// wake is called with mu held.
func (s *shelf) wake() {
	if s.flaw == waitersSleepOn {
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// lose is for WithLeaseLoss.
func lose(_ *testing.T, _ string, held cache.Lease) {
	l := held.(*shelfLease)
	l.handle.mu.Lock()
	defer l.handle.mu.Unlock()
	delete(l.handle.holders, l.name())
	l.handle.wake()
}

type shelfLease struct {
	handle *shelfHandle
	key    string
	taken  time.Time

	// What there was at the Lock.
	entry cache.Entry
	miss  error

	// Guarded by the shelf's mu.
	isUnlocked, isBusy, hasStored bool
	isLost                        bool   // by the flaw firstLeaseIsLost
	pending                       func() // by the flaws storeWaitsForUnlock and storesMix
}

func (l *shelfLease) name() string { return l.handle.flaw.leaseName(l.key) }

// isHeld is called with mu held.
func (l *shelfLease) isHeld() bool {
	h := l.handle
	holder := h.holders[l.name()]
	return holder == l && !h.isOver(l) && !l.isLost
}

func (l *shelfLease) Store(_ context.Context, e cache.Entry) error {
	h := l.handle
	stored := shelved{data: bytes.Clone(e.Data), ttl: e.TTL}
	if e.TTL != 0 {
		stored.end = h.now().Add(e.TTL)
	}
	if len(e.Data) > 64<<10 {
		return errors.New("longer than a store has to keep")
	}
	if h.storeEnds {
		time.Sleep(time.Millisecond)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.isHeld() && !h.flaw.letsStore(l) {
		return cache.ErrLeaseLost
	}
	if h.storeEnds {
		defer l.release()
	}
	return h.flaw.store(l, e, stored)
}

// put is called with mu held.
func (l *shelfLease) put(stored shelved) {
	l.handle.entries[l.handle.flaw.entryName(l.key)] = stored
}

func (l *shelfLease) Delete(context.Context) error {
	h := l.handle
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.isHeld() && !h.flaw.letsDelete(l) {
		return cache.ErrLeaseLost
	}
	return h.flaw.delete(l)
}

func (l *shelfLease) Unlock() error {
	h := l.handle
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.isUnlocked {
		return h.flaw.unlockAgain(l)
	}
	l.isUnlocked = true
	delete(h.left, l)
	if l.pending != nil {
		l.pending()
	}
	if h.holders[l.name()] == l {
		if h.flaw != unlockKeeps {
			l.release()
		}
		return nil
	}
	return h.flaw.unlockLost(l)
}

// release ends whoever's lease it is. It is called with mu held.
func (l *shelfLease) release() {
	delete(l.handle.holders, l.name())
	l.handle.wake()
}

func (l *shelfLease) Loaded() (cache.Entry, error) {
	h := l.handle
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.miss != nil && h.flaw != loadedFollowsStores {
		return h.flaw.atLock(l, cache.Entry{}, l.miss)
	}
	e := l.entry
	e.Data = bytes.Clone(e.Data)
	return h.flaw.atLock(l, e, nil)
}
