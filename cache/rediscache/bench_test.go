package rediscache

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// The data are as large as a sealed session.
var benchmarkEntry = cache.Entry{Data: make([]byte, 400), TTL: time.Hour}

func BenchmarkLoad(b *testing.B) {
	c := New(redistest.Start(b).Client(b))
	l := mustLock(b, c, "k")
	if err := l.Store(b.Context(), benchmarkEntry); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Load(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLockAndStore(b *testing.B) {
	c := New(redistest.Start(b).Client(b))
	b.ReportAllocs()
	for b.Loop() {
		l, err := c.Lock(b.Context(), "k")
		if err == nil {
			err = l.Store(b.Context(), benchmarkEntry)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
