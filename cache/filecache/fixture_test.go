package filecache_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

const key = "the-account"

var background = context.Background()

// newStore returns a store in a directory that is not there yet.
func newStore(t testing.TB, options ...filecache.Option) *filecache.Cache {
	t.Helper()
	return storeIn(t, filepath.Join(t.TempDir(), "cache"), options...)
}

func storeIn(t testing.TB, directory string, options ...filecache.Option) *filecache.Cache {
	t.Helper()
	store, err := filecache.New(directory, options...)
	if err != nil {
		t.Fatalf("New: got error %q, want none", err)
	}
	return store
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(background, patience)
	t.Cleanup(cancel)
	return ctx
}

func mustLock(t testing.TB, store cache.Cache) cache.Lease {
	t.Helper()
	lease, err := store.Lock(within(t), key)
	if err != nil {
		t.Fatalf("Lock: got error %q, want the lease", err)
	}
	t.Cleanup(func() { _ = lease.Unlock() })
	return lease
}

func mustUnlock(t testing.TB, lease cache.Lease) {
	t.Helper()
	if err := lease.Unlock(); err != nil {
		t.Fatalf("Unlock: got error %q, want none", err)
	}
}

// put stores e under a lease of its own.
func put(store cache.Cache, e cache.Entry) error {
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	lease, err := store.Lock(ctx, key)
	if err != nil {
		return err
	}
	return errors.Join(lease.Store(ctx, e), lease.Unlock())
}

func mustPut(t testing.TB, store cache.Cache, data string) {
	t.Helper()
	if err := put(store, cache.Entry{Data: []byte(data)}); err != nil {
		t.Fatalf("store %q: got error %q, want none", data, err)
	}
}

func wantData(t testing.TB, store cache.Cache, want string) {
	t.Helper()
	if e, err := store.Load(background, key); err != nil || string(e.Data) != want {
		t.Errorf("Load: got %q and error %v, want %q", e.Data, err, want)
	}
}

// version is data that tell which they are, and whether they are whole.
func version(n int) []byte {
	const size = 32 << 10
	data := binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(n))
	for len(data) < size {
		data = append(data, byte(n+len(data)))
	}
	return data
}

func versionOf(data []byte) (int, error) {
	if len(data) >= 8 {
		if n := int(binary.BigEndian.Uint64(data)); bytes.Equal(data, version(n)) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("the entry is torn: %d bytes that are no version", len(data))
}

func loadVersion(store cache.Cache) (int, error) {
	e, err := store.Load(background, key)
	if err != nil {
		return 0, err
	}
	return versionOf(e.Data)
}

// eventually waits until something that another process does has happened.
func eventually(t testing.TB, what string, hasHappened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !hasHappened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got no %s in %v, want one", what, patience)
		}
	}
}
