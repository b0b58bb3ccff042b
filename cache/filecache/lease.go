package filecache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/jwtsession/jwtsession/cache"
)

// lease is held until it is unlocked, its life is over, or another took it for
// that reason.
type lease struct {
	store *Cache
	name  name
	queue *queue
	mine  record
	end   time.Time // by this process's monotonic clock; only for those who wait in it

	turn   chan struct{} // has room for the operation under way
	lock   *flock.Flock  // guarded by turn
	isOver bool          // guarded by turn
}

func newLease(c *Cache, n name, mine record, lock *flock.Flock) *lease {
	return &lease{
		store: c, name: n, mine: mine, lock: lock,
		end:  time.Now().Add(mine.life),
		turn: make(chan struct{}, 1),
	}
}

// Store implements [cache.Lease]. The entry is on the disk when it returns. An
// error leaves the entry that was there before, unless it says that the
// directory could not be flushed: then the new one is there, but may be gone
// after a power failure. At most 1 MiB can be stored.
func (l *lease) Store(ctx context.Context, e cache.Entry) error {
	return l.write(ctx, "store an entry in", func(root *os.Root) error {
		content, err := encodeEntry(e)
		if err != nil {
			return err
		}
		l.store.sweep(root) // first, as what it removes may be what fills the disk
		temporary, err := writeTemporary(root, l.name, content)
		if err != nil {
			return err
		}
		if err := l.publish(ctx, root, func() error { return replace(root, temporary, l.name.entry()) }); err != nil {
			return errors.Join(err, root.Remove(temporary))
		}
		return syncDirectory(root)
	})
}

// replace renames a file over whatever has the new name. A directory that has it
// cannot be renamed over.
func replace(root *os.Root, from, to string) error {
	err := root.Rename(from, to)
	if info, statErr := root.Lstat(to); err == nil || statErr != nil || !info.IsDir() {
		return err
	}
	if err := root.RemoveAll(to); err != nil {
		return err
	}
	return root.Rename(from, to)
}

// Delete implements [cache.Lease].
func (l *lease) Delete(ctx context.Context) error {
	return l.write(ctx, "delete an entry from", func(root *os.Root) error {
		if err := l.publish(ctx, root, func() error { return root.RemoveAll(l.name.entry()) }); err != nil {
			return err
		}
		return syncDirectory(root)
	})
}

// write calls operation alone among the operations on this lease.
func (l *lease) write(ctx context.Context, what string, operation func(*os.Root) error) error {
	if err := l.writeOnce(ctx, operation); err != nil {
		return l.store.failure(what, err)
	}
	return nil
}

func (l *lease) writeOnce(ctx context.Context, operation func(*os.Root) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.isOver {
		return cache.ErrLeaseLost
	}
	root, err := l.store.openDirectory()
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody removed the directory, and the lease with it.
		return fmt.Errorf("%w: %w", cache.ErrLeaseLost, err)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return operation(root)
}

// publish makes change if this is still the holder. Nobody can take the lease
// between the check and the change, because that too needs the guard.
func (l *lease) publish(ctx context.Context, root *os.Root, change func() error) error {
	guard, err := l.store.lockGuard(ctx, root, l.name)
	if err != nil {
		return err
	}
	defer guard.Close()
	current, err := readRecord(root, l.name)
	if err != nil {
		return err
	}
	if current.identity != l.mine.identity || current.left(fileTime(root)) <= 0 {
		return cache.ErrLeaseLost
	}
	return persist(ctx, change)
}

// Unlock implements [cache.Lease].
func (l *lease) Unlock() error {
	l.turn <- struct{}{} // an operation that is under way ends with its own context
	defer func() { <-l.turn }()
	if l.isOver {
		return nil
	}
	l.isOver = true
	err := l.lock.Close()
	l.store.release(l)
	if err != nil {
		return l.store.failure("give back a lease in", err)
	}
	return nil
}
