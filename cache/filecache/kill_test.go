package filecache_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/proctest"
)

// C5: whoever is killed with the lease leaves the old entry or the new one, and
// the lease to the next. The lease's life is an hour, so that nobody gets it
// because it ran out.
func TestAHolderThatIsKilledLeavesAWholeEntryAndAFreeLease(t *testing.T) {
	kills := 24
	if longtest.IsOn(t) {
		kills = 100
	}
	store := newStore(t, filecache.WithLease(time.Hour))
	if err := put(store, cache.Entry{Data: version(0)}); err != nil {
		t.Fatal(err)
	}
	readers := []*proctest.Process{proctest.Start(t, "reader", store.Directory()), proctest.Start(t, "reader", store.Directory())}
	for _, reader := range readers {
		reader.Expect(t, "reading")
	}
	points := []struct {
		name  string
		reach func(t *testing.T, directory string, holder *proctest.Process, next int)
		adds  int // to the version; -1: any number
	}{
		{"before its write", func(*testing.T, string, *proctest.Process, int) {}, 0},
		{"between temporary file and rename", writeTemporary, 0},
		{"after its write", writeAll, 1},
		{"in the midst of many writes", writeOnAndOn, -1},
	}
	stored := 0
	for n := range kills {
		point := points[n%len(points)]
		holder := proctest.Start(t, "actor", store.Directory(), "1h")
		holder.Tell(t, "lock")
		holder.Expect(t, "done")
		next := make(chan error, 1)
		go func() { next <- lockOnce(store) }()
		point.reach(t, store.Directory(), holder, stored+1)
		holder.Kill()
		if err := <-next; err != nil {
			t.Fatalf("kill %d, %s: Lock by the next: got error %q, want the lease", n, point.name, err)
		}
		got, err := loadVersion(store)
		if isRight := got == stored+point.adds || point.adds < 0 && got >= stored; err != nil || !isRight {
			t.Fatalf("kill %d, %s: got version %d and error %v, want version %d, or any later one: %v", n, point.name, got, err, stored+max(0, point.adds), point.adds < 0)
		}
		stored = got
	}
	if torn, least := len(files(t, store.Directory(), ".tmp")), kills/len(points); torn < least {
		t.Errorf("%d temporary files are left, want those of the %d holders killed before their rename at least", torn, least)
	}
	for _, reader := range readers {
		reader.Tell(t, "end")
		var loads int
		line := reader.Answer(t)
		if _, err := fmt.Sscanf(line, "%d loads", &loads); err != nil || loads < kills {
			t.Errorf("a reader answered %q, want at least %d loads and every entry whole", line, kills)
		}
		t.Logf("a reader: %s, all whole, over %d kills and %d versions", line, kills, stored)
	}
}

func lockOnce(store cache.Cache) error {
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	lease, err := store.Lock(ctx, key)
	if err != nil {
		return err
	}
	return lease.Unlock()
}

func writeAll(t *testing.T, _ string, holder *proctest.Process, next int) {
	holder.Tell(t, fmt.Sprint("store ", next))
	holder.Expect(t, "done")
}

// writeOnAndOn returns at a random moment of the many writes that it starts.
func writeOnAndOn(t *testing.T, _ string, holder *proctest.Process, next int) {
	holder.Tell(t, fmt.Sprint("store-on-from ", next))
	time.Sleep(rand.N(10 * time.Millisecond))
}

// writeTemporary makes the holder write its temporary file, and keeps it from the
// rename by holding the guard. The guard is free when the test goes on.
func writeTemporary(t *testing.T, directory string, holder *proctest.Process, next int) {
	guard := holdGuard(t, directory)
	whole := func() int {
		count := 0
		for _, name := range files(t, directory, ".tmp") {
			if info, err := os.Stat(name); err == nil && info.Size() > int64(len(version(next))) {
				count++
			}
		}
		return count
	}
	before := whole()
	holder.Tell(t, fmt.Sprint("store ", next))
	eventually(t, "temporary file that is whole", func() bool { return whole() > before })
	holder.Kill()
	if err := guard.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// holdGuard takes the guard as a process does that is stopped while it has it.
func holdGuard(t *testing.T, directory string) *flock.Flock {
	t.Helper()
	guard := flock.New(onlyFile(t, directory, ".guard.lock"))
	if isHeld, err := guard.TryLockContext(within(t), time.Millisecond); !isHeld {
		t.Fatalf("take the guard: %v", err)
	}
	t.Cleanup(func() { _ = guard.Unlock() })
	return guard
}

// read loads until it is told to end, and stops at the first entry that is not
// whole, is missing, or is older than the one before.
func read(args []string, in *bufio.Scanner) {
	store, err := filecache.New(args[0])
	if err != nil {
		panic(err)
	}
	end := make(chan struct{})
	go func() { in.Scan(); close(end) }()
	fmt.Println("reading")
	for loads, newest := 0, 0; ; loads++ {
		select {
		case <-end:
			fmt.Println(loads, "loads")
			return
		case <-time.After(200 * time.Microsecond): // leaves the processor to the others
		}
		n, err := loadVersion(store)
		if err == nil && n < newest {
			err = fmt.Errorf("version %d came back after %d", n, newest)
		}
		if err != nil {
			fmt.Println("load", loads, "failed:", err)
			return
		}
		newest = n
	}
}
