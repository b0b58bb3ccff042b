package filecache_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// Whoever looked at the files would make the directory again. The waiters wait in
// virtual time, and the files live in real time. An earlier holder, which hung and
// then unlocks, twice, changes nothing.
func TestNobodyLooksAtTheFilesWhileThisProcessHoldsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiters = 1000
		store := newStore(t, filecache.WithLease(time.Minute))
		hung := mustLock(t, store)
		age(t, onlyFile(t, store.Directory(), ".lease"), time.Minute)
		time.Sleep(time.Minute)
		lease := mustLock(t, store)
		mustUnlock(t, hung)
		mustUnlock(t, hung)
		locked := lockAll(store, waiters)
		synctest.Wait()
		aside := store.Directory() + "-aside"
		if err := os.Rename(store.Directory(), aside); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if _, err := os.Stat(store.Directory()); err == nil {
			t.Error("somebody looked for the lease that this process holds, want all to wait until it is unlocked")
		}
		_ = os.Remove(store.Directory())
		if err := os.Rename(aside, store.Directory()); err != nil {
			t.Fatal(err)
		}
		mustUnlock(t, lease)
		for range waiters {
			if err := <-locked; err != nil {
				t.Errorf("Lock: got error %v, want the lease, each in its turn", err)
			}
		}
	})
}

// lockAll makes that many goroutines take the lease once.
func lockAll(store cache.Cache, waiters int) <-chan error {
	locked := make(chan error, waiters)
	for range waiters {
		go func() {
			lease, err := store.Lock(background, key)
			if err == nil {
				err = lease.Unlock()
			}
			locked <- err
		}()
	}
	return locked
}

// C5: the holder is in the same process, and hangs.
func TestAHolderThatHangsLosesItsLeaseToTheNextInItsProcess(t *testing.T) {
	const life = 200 * time.Millisecond
	store := newStore(t, filecache.WithLease(life))
	mustPut(t, store, "before")
	hung := mustLock(t, store)
	ctx, cancel := context.WithTimeout(background, life/4)
	defer cancel()
	if _, err := store.Lock(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock within the lease's life: got error %v, want %v", err, context.DeadlineExceeded)
	}
	next := mustLock(t, store)
	for operation, err := range map[string]error{
		"Store":  hung.Store(within(t), cache.Entry{Data: []byte("too late")}),
		"Delete": hung.Delete(within(t)),
	} {
		if !errors.Is(err, cache.ErrLeaseLost) {
			t.Errorf("%s by the holder that hung: got error %v, want %v", operation, err, cache.ErrLeaseLost)
		}
	}
	mustUnlock(t, hung)
	wantData(t, store, "before")
	mustUnlock(t, next)
	mustPut(t, store, "after")
	wantData(t, store, "after")
}

// The context of a waiter ends its own wait, whether it is the one that looks at
// the files or stands behind that one, and nobody else's.
func TestAWaiterLeavesTheQueueWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		lease := mustLock(t, store)
		const waiters = 10
		impatient := make(chan error, waiters)
		ctx, cancel := context.WithCancel(background)
		for range waiters / 2 {
			go func() { _, err := store.Lock(ctx, key); impatient <- err }()
		}
		synctest.Wait()
		patient := lockAll(store, waiters)
		synctest.Wait()
		for range waiters / 2 {
			go func() { _, err := store.Lock(ctx, key); impatient <- err }()
		}
		synctest.Wait()
		began := time.Now()
		cancel()
		for range waiters {
			if err := <-impatient; !errors.Is(err, context.Canceled) {
				t.Errorf("Lock: got error %v, want %v", err, context.Canceled)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the waiters left %v after their context ended, want at once", waited)
		}
		mustUnlock(t, lease)
		for range waiters {
			if err := <-patient; err != nil {
				t.Errorf("Lock by a waiter behind those that left: got error %v, want the lease", err)
			}
		}
	})
}
