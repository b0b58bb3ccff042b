package cache

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A process lives for months, and keys come and go.
func TestMemoryKeepsNothingOfALeaseThatNobodyHoldsOrAwaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		held, err := m.Lock(t.Context(), "key")
		if err != nil {
			t.Fatalf("Lock of a free lease: got error %q, want the lease", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Lock(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock while another holds the lease: got error %v, want the context's", err)
		}
		if got := len(m.turns); got != 1 {
			t.Errorf("leases in memory while one is held: got %d, want 1", got)
		}
		if err := held.Unlock(); err != nil {
			t.Errorf("Unlock: got error %q, want none", err)
		}
		if got := len(m.turns); got != 0 {
			t.Errorf("leases in memory when none is held: got %d, want 0", got)
		}
	})
}

func TestMemoryForgetsAnEntryWhoseLifeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		storeIn(t, m, Entry{Data: []byte("data"), TTL: time.Minute})
		time.Sleep(time.Minute)
		if _, err := m.Load(t.Context(), "key"); !errors.Is(err, ErrMiss) {
			t.Errorf("Load after the entry's life: got error %v, want ErrMiss", err)
		}
		if got := len(m.entries); got != 0 {
			t.Errorf("entries in memory after a Load found that its life is over: got %d, want 0", got)
		}
	})
}

// E4: the monotonic clock stops while a laptop sleeps.
func TestMemoryCountsAnEntrysLifeByTheWallClock(t *testing.T) {
	m := NewMemory()
	storeIn(t, m, Entry{Data: []byte("data"), TTL: time.Minute})
	if end := m.entries["key"].end.String(); strings.Contains(end, "m=") {
		t.Errorf("the end of an entry's life: got %s, want a time without a monotonic part", end)
	}
}

func storeIn(t *testing.T, m *Memory, e Entry) {
	t.Helper()
	lease, err := m.Lock(t.Context(), "key")
	if err != nil {
		t.Fatalf("Lock of a free lease: got error %q, want the lease", err)
	}
	defer lease.Unlock()
	if err := lease.Store(t.Context(), e); err != nil {
		t.Fatalf("Store by the holder: got error %q, want none", err)
	}
}
