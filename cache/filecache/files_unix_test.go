//go:build unix

package filecache_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// nobody is a user that no test runs as.
const nobody = 65534

// C5
func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	store := newStore(t)
	mustPut(t, store, "data")
	mustPut(t, store, "other data")
	var seen int
	err := filepath.WalkDir(store.Directory(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
		seen++
		return nil
	})
	if err != nil || seen < 4 {
		t.Errorf("saw %d files and error %v, want the directory, an entry, and its lock files", seen, err)
	}
}

// C5: the directory is not used, and that is no miss, which would be answered by
// a Store.
func TestADirectoryThatOthersCanReachIsRefused(t *testing.T) {
	for name, expose := range map[string]func(t *testing.T, path string) error{
		"OpenToTheGroup": func(_ *testing.T, path string) error { return os.Chmod(path, 0o710) },
		"OpenToAll":      func(_ *testing.T, path string) error { return os.Chmod(path, 0o701) },
		"OwnedByAnother": chown,
		"OwnedByAnotherByASymlink": func(t *testing.T, path string) error {
			target := path + "-elsewhere"
			return errors.Join(os.Rename(path, target), os.Symlink(target, path), chown(t, target))
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			mustPut(t, store, "data")
			lease := mustLock(t, store)
			if err := expose(t, store.Directory()); err != nil {
				t.Fatal(err)
			}
			_, loadErr := store.Load(within(t), key)
			_, lockErr := storeIn(t, store.Directory()).Lock(within(t), key)
			for operation, err := range map[string]error{
				"Load":   loadErr,
				"Lock":   lockErr,
				"Store":  lease.Store(within(t), cache.Entry{Data: []byte("exposed")}),
				"Delete": lease.Delete(within(t)),
			} {
				if !errors.Is(err, cache.ErrInsecure) || errors.Is(err, cache.ErrMiss) {
					t.Errorf("%s: got error %v, want one that Is %v and is no miss", operation, err, cache.ErrInsecure)
				}
				wantAdvice(t, err, store.Directory(), "chmod 700")
			}
		})
	}
}

// chown gives a file to somebody else, which only root can do.
func chown(t *testing.T, path string) error {
	t.Helper()
	if os.Geteuid() != 0 {
		notTried(t, "only root can give a file to another user")
	}
	return os.Lchown(path, nobody, nobody)
}

// notTried ends a test for which something is missing on this machine. In CI
// that is an error.
func notTried(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s; in CI it has to be possible", why)
	}
	fmt.Fprintf(os.Stderr, "filecache: NOT TRIED: %s: %s\n", t.Name(), why)
	t.Skip(why)
}

// wantAdvice fails the test unless err says where it went wrong and what to do.
func wantAdvice(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %q, want one that says %q", err, part)
		}
	}
}

// C3, C5
func TestAnEntryThatCannotBeUsedIsAMissThatSaysWhyAndIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		spoil      func(t *testing.T, path string) error
		reason     string
		isInsecure bool
	}{
		"ReadableByOthers": {
			func(_ *testing.T, path string) error { return os.Chmod(path, 0o644) },
			"is open to others (mode 0644)", true},
		"OwnedByAnother": {chown, "belongs to the user with ID 65534", true},
		"Truncated": {
			func(_ *testing.T, path string) error { return os.Truncate(path, 40) },
			"damaged", false},
		"CutToNothing": {
			func(_ *testing.T, path string) error { return os.Truncate(path, 0) },
			"damaged", false},
		"Garbage": {
			func(_ *testing.T, path string) error {
				return os.WriteFile(path, []byte(strings.Repeat("x", 500)), 0o600)
			},
			"damaged", false},
		"OneBitFlipped": {flipBit, "damaged", false},
		"Huge": {
			func(_ *testing.T, path string) error { return os.Truncate(path, 8<<30) },
			"damaged", false},
		"ASymbolicLinkOutOfTheDirectory": {
			func(t *testing.T, path string) error {
				outside := filepath.Join(t.TempDir(), "outside")
				return errors.Join(os.Rename(path, outside), os.Symlink(outside, path))
			},
			"is a symbolic link", false},
		"ASymbolicLinkWithinTheDirectory": {
			func(_ *testing.T, path string) error {
				return errors.Join(os.Rename(path, path+"-else"), os.Symlink(filepath.Base(path)+"-else", path))
			},
			"is a symbolic link", false},
		"ADirectory": {
			func(_ *testing.T, path string) error {
				return errors.Join(os.Remove(path), os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
			},
			"is a directory", false},
		"ANamedPipe": {
			func(_ *testing.T, path string) error {
				return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
			},
			"is a named pipe", false},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			mustPut(t, store, strings.Repeat("data", 100))
			path := onlyFile(t, store.Directory(), ".entry")
			if err := c.spoil(t, path); err != nil {
				t.Fatal(err)
			}
			wantUnusable(t, store, path, c.reason, c.isInsecure)
		})
	}
}

// wantUnusable fails the test unless the entry at path is a miss for that reason,
// and the next Store mends it.
func wantUnusable(t *testing.T, store cache.Cache, path, reason string, isInsecure bool) {
	t.Helper()
	e, err := store.Load(within(t), key)
	if !errors.Is(err, cache.ErrMiss) || errors.Is(err, cache.ErrInsecure) != isInsecure {
		t.Errorf("Load: got %d bytes and error %v, want a miss, which Is %v: %v", len(e.Data), err, cache.ErrInsecure, isInsecure)
	}
	wantAdvice(t, err, path, reason, "it will be replaced")
	mustPut(t, store, "replaced")
	wantData(t, store, "replaced")
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("after the next Store: got %v and error %v, want a file of mode 0600", info, err)
	}
}

func flipBit(_ *testing.T, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content[len(content)/2] ^= 1
	return os.WriteFile(path, content, 0o600)
}

// C5: what the link led to is as it was.
func TestNothingLeadsOutOfTheDirectory(t *testing.T) {
	store := newStore(t)
	mustPut(t, store, "data")
	outside := filepath.Join(t.TempDir(), "outside")
	const precious = "precious"
	if err := os.WriteFile(outside, []byte(precious), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(store.Directory())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(store.Directory(), name.Name())
		t.Run(filepath.Ext(path), func(t *testing.T) {
			if err := errors.Join(os.Rename(path, path+"-aside"), os.Symlink(outside, path)); err != nil {
				t.Fatal(err)
			}
			putErr := put(store, cache.Entry{Data: []byte("more data")})
			if content, err := os.ReadFile(outside); err != nil || string(content) != precious {
				t.Errorf("the file that %s links to holds %q (error %v), want %q", path, content, err, precious)
			}
			switch filepath.Ext(path) {
			case ".lock", ".lease": // without these, there is no lease
				wantAdvice(t, putErr, filepath.Base(path))
			default:
				if putErr != nil {
					t.Errorf("Store: got error %v, want none", putErr)
				}
			}
			if err := os.Rename(path+"-aside", path); err != nil {
				t.Fatal(err)
			}
		})
	}
	mustPut(t, store, "data again")
	wantData(t, store, "data again")
}

// C10: somebody is at the other end, so that a read would wait for what he writes.
func TestNobodyWaitsForAPipeInTheLeasesPlace(t *testing.T) {
	store := newStore(t)
	mustPut(t, store, "data")
	path := onlyFile(t, store.Directory(), ".lease")
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	locked := make(chan error, 1)
	go func() { _, err := store.Lock(within(t), key); locked <- err }()
	select {
	case err := <-locked:
		wantAdvice(t, err, filepath.Base(path), "a named pipe", "remove it")
	case <-time.After(patience):
		t.Errorf("Lock: got no answer in %v, want an error", patience)
	}
}

// As on macOS, where /tmp is a link.
func TestTheDirectoryMayBeReachedThroughASymlink(t *testing.T) {
	target, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(target, 0o700), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	for _, directory := range []string{link, filepath.Join(link, "above", "cache")} {
		store := storeIn(t, directory)
		mustPut(t, store, "data")
		wantData(t, store, "data")
		if len(files(t, directory, ".entry")) != 1 {
			t.Errorf("got no entry in %s, want one", directory)
		}
	}
}

func TestTheDefaultDirectoryIsInTheUsersCache(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	store := storeIn(t, "")
	if want := filepath.Join(base, "jwtsession"); store.Directory() != want {
		t.Errorf("Directory: got %s, want %s", store.Directory(), want)
	}
	if _, err := store.Load(within(t), key); err != cache.ErrMiss {
		t.Errorf("Load where there is no directory: got error %v, want %v", err, cache.ErrMiss)
	}
	if _, err := os.Stat(base); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after New and Load: got error %v of %s, want nothing made", err, base)
	}
	mustPut(t, store, "data")
	wantData(t, store, "data")

	t.Setenv("HOME", "")
	if _, err := filecache.New(""); err == nil {
		t.Errorf("New without a home: got no error, want one")
	} else {
		wantAdvice(t, err, "give New a directory")
	}
}

// C5: the lease went with the directory, and nothing is made of it.
func TestALeaseWhoseDirectoryWasRemovedIsLost(t *testing.T) {
	store := newStore(t)
	lease := mustLock(t, store)
	if err := os.RemoveAll(store.Directory()); err != nil {
		t.Fatal(err)
	}
	if err := lease.Store(within(t), cache.Entry{}); !errors.Is(err, cache.ErrLeaseLost) {
		t.Errorf("Store: got error %v, want %v", err, cache.ErrLeaseLost)
	}
	mustUnlock(t, lease)
	mustPut(t, store, "data")
	wantData(t, store, "data")
}
