package filecache_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// One looks for all; each look reads and writes a file a few times.
func TestOneWaiterLooksAtTheFilesWhileAnotherProcessHoldsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiters = 1000
		store := newStore(t)
		other := mustLock(t, storeIn(t, store.Directory())) // stands for another process
		locked := lockAll(store, waiters)
		synctest.Wait()
		before := fileCalls(t)
		time.Sleep(5 * time.Second) // virtual
		synctest.Wait()
		calls := fileCalls(t) - before
		if calls < 50 || calls > 1000 {
			t.Errorf("%d waiters read and wrote files %d times in 5 s, want one waiter's 50 to 1000", waiters, calls)
		}
		t.Logf("%d waiters read and wrote files %d times in 5 s", waiters, calls)
		mustUnlock(t, other)
		for range waiters {
			if err := <-locked; err != nil {
				t.Errorf("Lock: got error %v, want the lease, each in its turn", err)
			}
		}
	})
}

// fileCalls is how often this process has read or written.
func fileCalls(t *testing.T) int {
	t.Helper()
	content, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for line := range strings.Lines(string(content)) {
		var n int
		if _, err := fmt.Sscanf(line, "syscr: %d", &n); err == nil {
			calls += n
		}
		if _, err := fmt.Sscanf(line, "syscw: %d", &n); err == nil {
			calls += n
		}
	}
	return calls
}
