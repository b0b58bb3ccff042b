package filecache

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/jwtsession/jwtsession/cache"
)

const (
	firstPause = 10 * time.Millisecond
	lastPause  = 100 * time.Millisecond
	guardPause = 2 * time.Millisecond
)

// Lock implements [cache.Cache]. It makes the directory if need be. While
// somebody in this process holds the lease, those who wait here sleep until it is
// unlocked; while another process does, one of them looks at random intervals of
// at most 100 milliseconds.
func (c *Cache) Lock(ctx context.Context, key string) (cache.Lease, error) {
	n := nameOf(key)
	q := c.enter(n)
	held, err := c.await(ctx, n, q)
	if err != nil {
		c.leave(n, q)
		return nil, c.failure("take a lease in", err)
	}
	return held, nil
}

func (c *Cache) await(ctx context.Context, n name, q *queue) (*lease, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	longest := firstPause
	for {
		pause := c.localLeft(q)
		if pause <= 0 {
			var held *lease
			var left time.Duration
			err := persist(ctx, func() (err error) {
				held, left, err = c.attempt(ctx, n)
				return err
			})
			if err != nil {
				return nil, err
			}
			if held != nil {
				held.queue = q
				c.hold(q, held)
				return held, nil
			}
			pause = min(left, jitter(longest))
			longest = min(2*longest, lastPause)
		}
		if err := wait(ctx, pause, q.freed); err != nil {
			return nil, err
		}
	}
}

// attempt takes the lease if it is free or its life is over. Else it returns how
// much of that is left.
func (c *Cache) attempt(ctx context.Context, n name) (*lease, time.Duration, error) {
	root, err := c.makeDirectory()
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	guard, err := c.lockGuard(ctx, root, n)
	if err != nil {
		return nil, 0, err
	}
	defer guard.Close()

	current, err := readRecord(root, n)
	if err != nil {
		return nil, 0, err
	}
	slot := current.slot
	lock, err := c.tryLock(root, n.slot(slot))
	if err != nil {
		return nil, 0, err
	}
	if lock == nil {
		// The lock is taken, so the record is its holder's: both are taken and
		// written under the guard.
		if left := current.left(fileTime(root)); left > 0 {
			return nil, left, nil
		}
		if lock, slot, err = c.lockOtherSlot(root, n, current.slot); err != nil {
			return nil, 0, err
		}
	}
	next := newRecord(slot, c.lease)
	if err := writeRecord(root, n, next); err != nil {
		return nil, 0, errors.Join(err, lock.Close())
	}
	return newLease(c, n, next, lock), 0, nil
}

// lockOtherSlot locks a lock file other than that of a holder whose life is
// over, which keeps its lock for as long as it is stopped. So there are always as
// many lock files as there were stopped holders at a time, and one.
func (c *Cache) lockOtherSlot(root *os.Root, n name, overdue int) (*flock.Flock, int, error) {
	for slot := range maxSlots {
		if slot == overdue {
			continue
		}
		lock, err := c.tryLock(root, n.slot(slot))
		if lock != nil || err != nil {
			return lock, slot, err
		}
	}
	return nil, 0, errors.New("too many stopped processes hold a lock; continue or kill them")
}

// lockGuard takes the guard of a key, which is held for a moment only, by those
// who read or write the record or the entry's name.
func (c *Cache) lockGuard(ctx context.Context, root *os.Root, n name) (*flock.Flock, error) {
	for {
		guard, err := c.tryLock(root, n.guard())
		if guard != nil || err != nil {
			return guard, err
		}
		if err := wait(ctx, jitter(guardPause), nil); err != nil {
			return nil, err
		}
	}
}

// tryLock locks a file, which it makes if it is not there. It returns nil if
// somebody else has the lock. The flock package opens by path and not within
// root, so what it opened is compared with what lies in root.
func (c *Cache) tryLock(root *os.Root, file string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(c.path, file), flock.SetFlag(os.O_RDWR|noFollow))
	isLocked, err := lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		made, err := openFile(root, file, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return nil, err
		}
		if err := made.Close(); err != nil {
			return nil, err
		}
		isLocked, err = lock.TryLock()
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if !isLocked {
		return nil, nil
	}
	inRoot, err := root.Lstat(file)
	if err == nil {
		var opened fs.FileInfo
		if opened, err = lock.Stat(); err == nil && os.SameFile(inRoot, opened) {
			return lock, nil
		}
	}
	if closeErr := lock.Close(); closeErr != nil {
		return nil, closeErr
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	// Somebody removed the file, or the directory: that is another lock now.
	return nil, err
}

// jitter is a random time of at most longest and at least half of that, so that
// those who wait do not look in step.
func jitter(longest time.Duration) time.Duration {
	return longest/2 + rand.N(longest/2)
}

// wait returns after pause or once something arrives on wake, or with ctx's
// error.
func wait(ctx context.Context, pause time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
