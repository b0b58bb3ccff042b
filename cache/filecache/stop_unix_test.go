//go:build unix

package filecache_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/internal/proctest"
)

// C5: a process that was stopped for longer than its lease lives, and continues.
func TestAHolderThatWasStoppedBeyondItsLeaseWritesNothing(t *testing.T) {
	t.Run("BeforeItsWrite", func(t *testing.T) {
		store, holder := storeAndHolder(t)
		holder.Stop(t)
		takeOver(t, store)
		holder.Tell(t, "store 1")
		continueTooLate(t, store, holder)
	})
	t.Run("BetweenTemporaryFileAndRename", func(t *testing.T) {
		store, holder := storeAndHolder(t)
		guard := holdGuard(t, store.Directory())
		holder.Tell(t, "store 1")
		eventually(t, "temporary file", func() bool { return len(files(t, store.Directory(), ".tmp")) == 1 })
		holder.Stop(t)
		if err := guard.Unlock(); err != nil {
			t.Fatal(err)
		}
		takeOver(t, store)
		continueTooLate(t, store, holder)
	})
}

// storeAndHolder returns a store with version 0 in it, and a process that holds
// the lease for 200 milliseconds.
func storeAndHolder(t *testing.T) (*filecache.Cache, *proctest.Process) {
	store := newStore(t, filecache.WithLease(time.Hour))
	if err := put(store, cache.Entry{Data: version(0)}); err != nil {
		t.Fatal(err)
	}
	holder := proctest.Start(t, "actor", store.Directory(), "200ms")
	holder.Tell(t, "lock")
	holder.Expect(t, "done")
	return store, holder
}

func takeOver(t *testing.T, store *filecache.Cache) {
	t.Helper()
	lease := mustLock(t, store)
	if err := lease.Store(within(t), cache.Entry{Data: version(2)}); err != nil {
		t.Fatalf("Store by the next holder: got error %q, want none", err)
	}
}

// continueTooLate has the holder go on while the next one still has the lease.
func continueTooLate(t *testing.T, store *filecache.Cache, holder *proctest.Process) {
	t.Helper()
	holder.Signal(t, syscall.SIGCONT)
	if got := holder.Answer(t); !strings.Contains(got, cache.ErrLeaseLost.Error()) {
		t.Errorf("Store by the holder that was stopped: got %q, want %q", got, cache.ErrLeaseLost)
	}
	if got, err := loadVersion(store); err != nil || got != 2 {
		t.Errorf("Load: got version %d and error %v, want 2, the next holder's", got, err)
	}
	if left := files(t, store.Directory(), ".tmp"); len(left) != 0 {
		t.Errorf("got the temporary files %q, want none", left)
	}
	holder.Tell(t, "unlock")
	holder.Expect(t, "done")
	ctx, cancel := context.WithTimeout(background, 200*time.Millisecond)
	defer cancel()
	another := storeIn(t, store.Directory())
	if _, err := another.Lock(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock after a lost lease was unlocked: got error %v, want %v: the next holder still has it", err, context.DeadlineExceeded)
	}
}

// What doc.go says of a process that is stopped while it has the guard.
func TestAStoppedGuardKeepsOthersFromTheLeaseButNotFromReading(t *testing.T) {
	store := newStore(t)
	mustPut(t, store, "there")
	guard := holdGuard(t, store.Directory())
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	if _, err := store.Lock(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock: got error %v, want %v", err, context.DeadlineExceeded)
	}
	wantData(t, store, "there")
	if err := guard.Unlock(); err != nil {
		t.Fatal(err)
	}
	mustPut(t, store, "changed")
}

// A holder that is stopped keeps its lock file, so the next one needs another.
func TestManyStoppedHoldersNeedOneLockFileEach(t *testing.T) {
	store := newStore(t, filecache.WithLease(time.Millisecond))
	const stopped = 5
	for range stopped {
		mustLock(t, store)
		time.Sleep(20 * time.Millisecond) // its life is over by the file system's clock
	}
	if got, want := len(files(t, store.Directory(), ".lock")), stopped+1; got != want {
		t.Errorf("got %d lock files, want %d: one for each lease that was not unlocked, and the guard", got, want)
	}
}
