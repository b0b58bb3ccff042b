package cachetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

const whyLoaded = "the holder takes Loaded for a Load of its own under the lease, and decides by it whether to refresh"

func checkLoaded(t testing.TB, s *subject) {
	probe := s.first.mustLock(t, "probe")
	if _, isLoaded := probe.lease.(cache.LoadedLease); !isLoaded {
		t.Skip("nothing to judge: the store's leases do not implement cache.LoadedLease, and need not")
	}
	for i, h := range s.handles() {
		h.mustLock(t, fmt.Sprintf("unknown-%d", i)).wantLoadedMiss(t, "nothing was stored")

		writer, key, over := s.handles()[1-i], fmt.Sprintf("limited-%d", i), fmt.Sprintf("over-%d", i)
		want := cache.Entry{Data: []byte("limited"), TTL: time.Hour}
		limited := writer.mustStore(t, key, want)
		writer.mustStore(t, over, cache.Entry{Data: []byte("over"), TTL: time.Millisecond})
		held := h.mustLock(t, key)
		locked := span{held.asked, s.now()}
		held.wantLoaded(t, want, limited, locked, "after a Store and a Lock")
		s.sleep(4 * s.precision)
		held.wantLoaded(t, want, limited, locked, "some time after the Lock")
		h.mustLock(t, over).wantLoadedMiss(t, "the entry's life was over at the Lock")

		if err := held.store(cache.Entry{Data: []byte("newer")}); err != nil && !held.isExcused(err) {
			t.Errorf("Store by the holder of the lease: got error %q, want none", err)
		}
		held.wantLoaded(t, want, limited, locked, "after a Store under the same lease")
		if e, err := held.loaded(); err == nil {
			clear(e.Data)
		}
		held.wantLoaded(t, want, limited, locked, "after the caller wrote to what Loaded had returned")
	}
	s.untilJudged(t, "awaited", "Unlock does not let those in who wait, and they wait for the end of the lease", func(key string) bool {
		s.first.mustStore(t, key, cache.Entry{Data: []byte("old"), TTL: time.Hour})
		holder := s.first.mustLock(t, key)
		got := s.second.lockAhead(key, patience)
		time.Sleep(brief)
		newer := cache.Entry{Data: []byte("newer"), TTL: 2 * time.Hour}
		w := span{before: s.now()}
		err := holder.store(newer)
		w.after = s.now()
		holder.mustUnlock(t)
		waiter := <-got
		if waiter.err != nil {
			t.Fatalf("Lock through %s, which waited when the holder unlocked: got error %q, want the lease", s.second.name, waiter.err)
		}
		defer waiter.held.unlock()
		if holder.isExcused(err) {
			return false
		}
		if err != nil {
			t.Fatalf("Store by the holder of the lease: got error %q, want none", err)
		}
		waiter.held.wantLoaded(t, newer, w, span{w.after, s.now()}, "in a lease that was awaited while the holder stored")
		return true
	})
}

func (h *holder) loaded() (cache.Entry, error) { return h.lease.(cache.LoadedLease).Loaded() }

func (h *holder) wantLoadedMiss(t testing.TB, because string) {
	t.Helper()
	if e, err := h.loaded(); !isMiss(err) {
		t.Errorf("Loaded through %s: got %s and error %v, want an error that Is cache.ErrMiss, since %s: %s", h.name, describe(e.Data), err, because, whyLoaded)
	}
}

// wantLoaded wants the entry as it was within the moments of locked.
func (h *holder) wantLoaded(t testing.TB, want cache.Entry, w, locked span, when string) {
	t.Helper()
	got, err := h.loaded()
	switch {
	case err != nil:
		t.Errorf("%s: Loaded through %s: got error %q, want %s, as at the Lock: %s", when, h.name, err, describe(want.Data), whyLoaded)
	case !bytes.Equal(got.Data, want.Data):
		t.Errorf("%s: Loaded through %s: got %s, want %s, as at the Lock: %s", when, h.name, describe(got.Data), describe(want.Data), whyLoaded)
	default:
		h.subject.judgeTTL(t, got.TTL, want.TTL, w, locked, when+": Loaded, which tells of the moment of the Lock, through "+h.name)
	}
}
