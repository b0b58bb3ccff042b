package filecache_test

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// What a program that has a session adds to its start.
func BenchmarkLoad(b *testing.B) {
	store := newStore(b)
	if err := put(store, cache.Entry{Data: make([]byte, 512), TTL: time.Hour}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Load(background, key); err != nil {
			b.Fatal(err)
		}
	}
}

// What a refresh adds. Most of it is the disk's time.
func BenchmarkLockStoreUnlock(b *testing.B) {
	store := newStore(b)
	e := cache.Entry{Data: make([]byte, 512), TTL: time.Hour}
	b.ReportAllocs()
	for b.Loop() {
		if err := put(store, e); err != nil {
			b.Fatal(err)
		}
	}
}

// What taking the lease costs that is free.
func BenchmarkLockUnlock(b *testing.B) {
	store := newStore(b)
	b.ReportAllocs()
	for b.Loop() {
		lease, err := store.Lock(background, key)
		if err != nil {
			b.Fatal(err)
		}
		if err := lease.Unlock(); err != nil {
			b.Fatal(err)
		}
	}
}
