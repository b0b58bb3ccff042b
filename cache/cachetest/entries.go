package cachetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

func checkMiss(t testing.TB, s *subject) {
	s.wantMiss(t, "unknown", "in an empty store", "a program would be given a session that nobody stored")
}

func checkRoundTrip(t testing.TB, s *subject) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	contents := [][]byte{[]byte("text"), {}, {0}, []byte("two\r\nlines\n"), every, bytes.Repeat(every, 256)}
	for i, content := range contents {
		key := fmt.Sprintf("content-%d", i)
		s.handles()[i%2].mustStore(t, key, cache.Entry{Data: bytes.Clone(content), TTL: time.Hour})
		s.wantData(t, key, content, "after a Store", "a store keeps every byte, or the entry cannot be opened")
	}
	s.untilJudged(t, "held", slowCalls, func(key string) bool {
		held := s.first.mustLock(t, key)
		err := held.store(cache.Entry{Data: []byte("new"), TTL: time.Hour})
		if held.isExcused(err) {
			return false
		}
		if err != nil {
			t.Fatalf("Store by the holder of the lease: got error %q, want none", err)
		}
		s.wantData(t, key, []byte("new"), "after a Store and before the Unlock", "a Store is seen as soon as it has returned")
		return true
	})
}

func checkReplace(t testing.TB, s *subject) {
	for i, e := range []cache.Entry{
		{Data: []byte("the first, which is longer than the others"), TTL: 1 * time.Hour},
		{Data: []byte("longer life"), TTL: 2 * time.Hour},
		{Data: []byte("unknown life")},
		{Data: []byte("shorter life"), TTL: 30 * time.Minute},
	} {
		w := s.handles()[i%2].mustStore(t, "replaced", e)
		when := fmt.Sprintf("after Store number %d under one key", i+1)
		s.wantData(t, "replaced", e.Data, when, "a program would go on with a session that was replaced")
		s.wantTTL(t, "replaced", e.TTL, w, when)
	}
	s.untilJudged(t, "twice", slowCalls, func(key string) bool {
		held := s.first.mustLock(t, key)
		want := "first"
		err := held.store(cache.Entry{Data: []byte(want), TTL: time.Hour})
		if held.isExcused(err) {
			return false
		}
		if err != nil {
			t.Fatalf("Store by the holder of the lease: got error %q, want none", err)
		}
		switch err := held.store(cache.Entry{Data: []byte("second"), TTL: time.Hour}); {
		case err == nil:
			want = "second"
		case !isLost(err):
			t.Errorf("a second Store under one lease: got error %q, want none, or one that Is cache.ErrLeaseLost if the first ended the lease", err)
		}
		s.wantData(t, key, []byte(want), "after two Stores under one lease", "a Store that returned nil wrote, and one that returned cache.ErrLeaseLost did not")
		return true
	})
}

func checkDelete(t testing.TB, s *subject) {
	const why = "after a log-out, a program would go on with the session that is dead"
	s.untilJudged(t, "deleted", slowCalls, func(key string) bool {
		s.first.mustStore(t, key, cache.Entry{Data: []byte("old"), TTL: time.Hour})
		held := s.second.mustLock(t, key)
		for _, what := range []string{"Delete", "Delete of what was deleted before"} {
			err := held.delete()
			if held.isExcused(err) {
				return false
			}
			if err != nil {
				t.Fatalf("%s by the holder of the lease: got error %q, want none", what, err)
			}
			s.wantMiss(t, key, "after "+what, why)
		}
		err := held.store(cache.Entry{Data: []byte("new"), TTL: time.Hour})
		if held.isExcused(err) {
			return false
		}
		if err != nil {
			t.Fatalf("Store after a Delete under one lease: got error %q, want none: only a Store may end the lease, and a holder may delete before it signs in", err)
		}
		held.mustUnlock(t)
		s.wantData(t, key, []byte("new"), "after Delete, Store and Unlock", "the Delete came before the Store")
		held = s.first.mustLock(t, key)
		err = held.delete()
		if held.isExcused(err) {
			return false
		}
		if err != nil {
			t.Fatalf("Delete by the holder of the lease: got error %q, want none", err)
		}
		held.mustUnlock(t)
		s.wantMiss(t, key, "after Delete and Unlock", why)
		return true
	})
}

func checkKeys(t testing.TB, s *subject) {
	const why = "each key is an account's, or a password's: nobody is to get another's session, nor lose his own to another"
	long := strings.Repeat("k", 63)
	keys := []string{"a", "A", "ab", "aB", "a-b", "a_b", "-", "_", "0", "00", long + "1", long + "2", long}
	data := func(key string) []byte { return []byte("of " + key) }
	for i, key := range keys {
		s.handles()[i%2].mustStore(t, key, cache.Entry{Data: data(key), TTL: time.Hour})
	}
	for _, key := range keys {
		s.wantData(t, key, data(key), "after Stores under many keys", why)
	}
	for i, key := range keys {
		if i%2 == 0 {
			continue
		}
		held := s.first.mustLock(t, key)
		if err := held.delete(); err != nil && !held.isExcused(err) {
			t.Fatalf("Delete by the holder of the lease: got error %q, want none", err)
		} else if err == nil {
			s.wantMiss(t, key, "after a Delete under this key and others", why)
		}
		held.mustUnlock(t)
	}
	for i, key := range keys {
		if i%2 == 0 {
			s.wantData(t, key, data(key), "after Deletes under other keys", why)
		}
	}
	s.untilJudged(t, "lease", "the leases of different keys exclude each other", func(key string) bool {
		held := s.first.mustLock(t, key)
		for _, other := range []string{strings.ToUpper(key), key + "-", "other-" + key} {
			another, err := s.second.lockWithin(patience, other)
			if err == nil {
				another.mustUnlock(t)
			} else {
				t.Errorf("Lock(%q) through %s, while somebody holds the lease on %q alone: got error %q, want the lease: "+
					"an account would wait for another's sign-in", other, s.second.name, key, err)
			}
			if held.mayBeOver() {
				return false
			}
		}
		return true
	})
}

func checkMemory(t testing.TB, s *subject) {
	const why = "a store shares no memory with its callers, who may write to theirs"
	want := []byte("as it was stored")
	given := bytes.Clone(want)
	s.first.mustStore(t, "memory", cache.Entry{Data: given, TTL: time.Hour})
	if !bytes.Equal(given, want) {
		t.Errorf("after a Store, in the caller's slice: got %s, want %s: %s", describe(given), describe(want), why)
	}
	clear(given)
	s.wantData(t, "memory", want, "after the caller wrote to the slice that it had stored", why)
	for _, h := range s.handles() {
		kept, err := h.load("memory")
		if err != nil {
			t.Fatalf("Load through %s: got error %q, want %s", h.name, err, describe(want))
		}
		changed, err := h.load("memory")
		if err != nil {
			t.Fatalf("Load through %s: got error %q, want %s", h.name, err, describe(want))
		}
		clear(changed.Data)
		if !bytes.Equal(kept.Data, want) {
			t.Errorf("after a caller wrote to what Load through %s returned, another has: got %s, want %s: %s", h.name, describe(kept.Data), describe(want), why)
		}
		s.wantData(t, "memory", want, "after a caller wrote to what Load through "+h.name+" had returned", why)
	}
}

// versions of an entry are such that no two have a byte, a length or a life in
// common.
const versions = 20

func version(i int) cache.Entry {
	size := 1 + i
	if i%2 == 0 {
		size = 64<<10 - i
	}
	return cache.Entry{Data: bytes.Repeat([]byte{byte('a' + i)}, size), TTL: time.Duration(i+1) * time.Hour}
}

// torn says what is wrong with an entry that is none of the versions.
func torn(e cache.Entry) string {
	if len(e.Data) == 0 {
		return "got no data, want those of some Store"
	}
	i := int(e.Data[0]) - 'a'
	if i < 0 || i >= versions {
		return fmt.Sprintf("got %s, want those of some Store", describe(e.Data))
	}
	want := version(i)
	if !bytes.Equal(e.Data, want.Data) {
		return fmt.Sprintf("got %s that end in %q, want %s from the same Store", describe(e.Data), e.Data[len(e.Data)-1], describe(want.Data))
	}
	if off := e.TTL - want.TTL; off.Abs() > 30*time.Minute {
		return fmt.Sprintf("got the data of one Store with a TTL of %v, want the TTL of the same Store, about %v", e.TTL, want.TTL)
	}
	return ""
}

func checkTorn(t testing.TB, s *subject) {
	done := make(chan struct{})
	faults := make(chan string, 4)
	read := func(h handle) {
		for {
			select {
			case <-done:
				faults <- ""
				return
			case <-time.After(200 * time.Microsecond):
			}
			e, err := h.load("torn")
			fault := ""
			if err == nil {
				if fault = torn(e); fault != "" {
					fault += ": a session that is half another's cannot be opened"
				}
			} else if !isMiss(err) {
				fault = fmt.Sprintf("got error %q, want an entry or an error that Is cache.ErrMiss: a store that is being written to has not failed", err)
			}
			if fault != "" {
				faults <- fmt.Sprintf("Load through %s during a Store: %s; every reader of that moment signs in", h.name, fault)
				return
			}
		}
	}
	for i := range cap(faults) {
		go read(s.handles()[i%2])
	}
	defer func() {
		close(done)
		for range cap(faults) {
			if fault := <-faults; fault != "" {
				t.Error(fault)
			}
		}
	}()
	for i := range versions {
		s.handles()[i%2].mustStore(t, "torn", version(i))
		time.Sleep(time.Millisecond)
	}
	s.wantData(t, "torn", version(versions-1).Data, "after the last Store", "it is the newest")
}
