package filecache_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// In a bubble, the process's clock shows the year 2000, and the file system's does
// not.
func TestLivesAreCountedByTheFileSystemsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, filecache.WithLease(time.Hour))
		if err := put(store, cache.Entry{Data: []byte("data"), TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		wantLife(t, store, time.Hour)
		age(t, onlyFile(t, store.Directory(), ".entry"), 20*time.Minute)
		wantLife(t, store, 40*time.Minute)
		age(t, onlyFile(t, store.Directory(), ".entry"), 41*time.Minute)
		if e, err := store.Load(background, key); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("Load of an entry whose life is over: got %q and error %v, want %v", e.Data, err, cache.ErrMiss)
		}

		late := mustLock(t, store)
		age(t, onlyFile(t, store.Directory(), ".lease"), time.Hour)
		mustLock(t, storeIn(t, store.Directory()))
		if err := late.Delete(background); !errors.Is(err, cache.ErrLeaseLost) {
			t.Errorf("Delete by a holder whose hour is over: got error %v, want %v", err, cache.ErrLeaseLost)
		}
	})
}

// Nobody else has it yet, but anybody may at any moment.
func TestALeaseWhoseLifeIsOverIsLostThoughNobodyTookIt(t *testing.T) {
	store := newStore(t)
	mustPut(t, store, "before")
	late := mustLock(t, store)
	age(t, onlyFile(t, store.Directory(), ".lease"), time.Minute)
	if err := late.Store(background, cache.Entry{Data: []byte("late")}); !errors.Is(err, cache.ErrLeaseLost) {
		t.Errorf("Store: got error %v, want %v", err, cache.ErrLeaseLost)
	}
	wantData(t, store, "before")
}

// C10, whoever wrote it: the life that a lease claims to have bounds nobody's wait
// for longer than an hour.
func TestALeaseThatIsNotOverForHoursIsNone(t *testing.T) {
	for name, c := range map[string]struct{ life, age time.Duration }{
		"it was to live for a thousand hours, and an hour is over": {1000 * time.Hour, time.Hour},
		"it was written tomorrow, before the clock was set":        {time.Hour, -24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t, filecache.WithLease(c.life))
			mustLock(t, store)
			age(t, onlyFile(t, store.Directory(), ".lease"), c.age)
			mustLock(t, storeIn(t, store.Directory()))
		})
	}
}

// age makes a file older.
func age(t testing.TB, path string, by time.Duration) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, info.ModTime().Add(-by)); err != nil {
		t.Fatal(err)
	}
}

// wantLife fails the test unless the entry lives for about that long.
func wantLife(t testing.TB, store cache.Cache, want time.Duration) {
	t.Helper()
	e, err := store.Load(background, key)
	if err != nil || e.TTL > want || e.TTL < want-time.Minute {
		t.Errorf("Load: got a TTL of %v and error %v, want %v or a little less", e.TTL, err, want)
	}
}
