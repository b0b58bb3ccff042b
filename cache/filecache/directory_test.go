package filecache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The documentation says so.
func TestALeaseOfNoLifeHasTheDefault(t *testing.T) {
	for _, life := range []time.Duration{0, -time.Second} {
		if c, err := New(t.TempDir(), WithLease(life)); err != nil || c.lease != defaultLease {
			t.Errorf("New with leases of %v: got leases of %v and error %v, want %v", life, c.lease, err, defaultLease)
		}
	}
}

func TestWhatCannotBeReplacedIsKept(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := replace(root, "missing", "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there, by which nothing is replaced: got error %v, want %v", err, fs.ErrNotExist)
	}
	if err := root.WriteFile("entry", []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replace(root, "missing", "entry"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: got error %v, want %v", err, fs.ErrNotExist)
	}
	if got, err := root.ReadFile("entry"); err != nil || string(got) != "data" {
		t.Errorf("what was to be replaced: got %q and error %v, want it as it was", got, err)
	}
}

// C5: no symlink leads out, nor does a directory that takes the place of the one
// that was looked at.
func TestALockOfAnotherDirectoryIsNone(t *testing.T) {
	place := t.TempDir()
	c, err := New(filepath.Join(place, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := c.makeDirectory()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.Rename(c.path, filepath.Join(place, "aside")); err != nil {
		t.Fatal(err)
	}
	other, err := c.makeDirectory()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, isThere := range []bool{false, true} {
		if isThere {
			if err := root.WriteFile("k.lock", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.WriteFile("k.lock", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if lock, err := c.tryLock(root, "k.lock"); lock != nil || err != nil {
			t.Errorf("the lock of a directory whose place another has taken, its file there: %v: got a lock: %v and error %v, want none and none", isThere, lock != nil, err)
		}
		if lock, err := c.tryLock(other, "k.lock"); lock == nil || err != nil {
			t.Errorf("the other's lock thereafter: got a lock: %v and error %v, want one", lock != nil, err)
		} else if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestThoseWhoWaitDoNotLookInStep(t *testing.T) {
	different := map[time.Duration]bool{}
	for range 100 {
		got := jitter(time.Second)
		different[got] = true
		if got < time.Second/2 || got > time.Second {
			t.Errorf("a pause of at most 1s: got %v, want half of it or more", got)
		}
	}
	if len(different) < 50 {
		t.Errorf("different pauses among 100: got %d, want at least 50", len(different))
	}
}

// A process may have a lease on another key with each sign-in.
func TestNothingIsLeftOfAKeyThatNobodyWants(t *testing.T) {
	c, err := New(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	lease, err := c.Lock(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.queues); got != 1 {
		t.Errorf("queues while a lease is held: got %d, want 1", got)
	}
	if err := lease.Unlock(); err != nil {
		t.Fatal(err)
	}
	if got := len(c.queues); got != 0 {
		t.Errorf("queues thereafter: got %d, want none", got)
	}
}
