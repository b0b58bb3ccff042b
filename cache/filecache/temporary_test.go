package filecache_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// C5
func TestTemporaryFilesAreSweptAfterAnHour(t *testing.T) {
	store := newStore(t)
	mustPut(t, store, "data") // and this handle will sweep again in an hour only
	hash := strings.TrimSuffix(filepath.Base(onlyFile(t, store.Directory(), ".entry")), ".entry")
	other := strings.Repeat("0", 64)
	left := []string{
		hash + ".ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp",
		other + ".22222222222222222222222222.tmp",
	}
	kept := []string{
		"notes.tmp", // a user's own
		hash + ".tmp",
		hash + ".ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp.bak",
		other + ".entry", other + ".lease", other + ".0.lock", other + ".guard.lock",
	}
	young := hash + ".YOUNGYOUNGYOUNGYOUNGYOUNGY.tmp"
	for age, names := range map[time.Duration][]string{61 * time.Minute: slices.Concat(left, kept), 59 * time.Minute: {young}} {
		for _, name := range names {
			path := filepath.Join(store.Directory(), name)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(when string, names []string, isThere bool) {
		t.Helper()
		for _, name := range names {
			if _, err := os.Lstat(filepath.Join(store.Directory(), name)); (err == nil) != isThere {
				t.Errorf("%s: %s is there: %v, want %v", when, name, err == nil, isThere)
			}
		}
	}
	mustPut(t, store, "data")
	want("a Store within the hour of the last sweep", left, true)
	mustPut(t, storeIn(t, store.Directory()), "data")
	want("a Store of another handle", left, false)
	want("a Store of another handle", append(kept, young), true)
}
