package cachetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

const whyOneHolder = "both would sign in or refresh, and the later Store would overwrite the newer session"

func checkExclusion(t testing.TB, s *subject) {
	s.untilJudged(t, "held", slowCalls, func(key string) bool {
		held := s.first.mustLock(t, key)
		for _, h := range s.handles() {
			if !held.isExclusive(t, h, "at any time", whyOneHolder) {
				return false
			}
		}
		held.mustUnlock(t)
		next := s.second.mustLock(t, key)
		return next.isExclusive(t, s.first, "at any time", whyOneHolder)
	})
	s.untilJudged(t, "awaited", "Unlock does not let those in who wait, and they wait for the end of the lease", func(key string) bool {
		held := s.first.mustLock(t, key)
		got := s.second.lockAhead(key, patience)
		time.Sleep(brief)
		held.mustUnlock(t)
		waiter := <-got
		if waiter.err != nil {
			t.Errorf("Lock through %s, which waited when the holder unlocked: got error %q, want the lease: waiters would stop for as long as their contexts live",
				s.second.name, waiter.err)
			return true
		}
		defer waiter.held.unlock()
		return !held.mayBeOver() // else it need not be the Unlock that let the waiter in
	})
}

func checkUpdates(t testing.TB, s *subject) {
	const workers, updates = 4, 4
	type result struct {
		stored int
		fault  string
	}
	results := make(chan result)
	work := func(h handle) (r result) {
		for range updates {
			isStored, err := h.increment("counter")
			if err != nil {
				r.fault = fmt.Sprintf("through %s, one of %d who take turns: %v", h.name, workers, err)
				return r
			}
			if isStored {
				r.stored++
			}
		}
		return r
	}
	for i := range workers {
		go func() { results <- work(s.handles()[i%2]) }()
	}
	want := 0
	for range workers {
		r := <-results
		want += r.stored
		if r.fault != "" {
			t.Error(r.fault)
		}
	}
	if t.Failed() {
		return
	}
	if want == 0 {
		t.Fatalf("got no Store through in %d turns, want all: each lease was over first. If this machine is that slow, open the store with leases that live longer", workers*updates)
	}
	s.wantData(t, "counter", []byte(strconv.Itoa(want)), fmt.Sprintf("after %d turns of Lock, Load, Store and Unlock that succeeded, each adding 1", want),
		"a holder did not see what the one before it stored, or was not alone")
}

// increment adds 1 to the number under key. It reports whether it stored it; a
// lease that was over first is no error.
func (h handle) increment(key string) (bool, error) {
	held, err := h.lockWithin(patience, key)
	if err != nil {
		return false, fmt.Errorf("in Lock, got error %q, want the lease, which everyone holds for a moment only", err)
	}
	defer held.unlock()
	number := 0
	e, err := h.load(key)
	if err == nil {
		number, err = strconv.Atoi(string(e.Data))
	}
	if err != nil && !isMiss(err) {
		return false, fmt.Errorf("in Load, got error %q, want the number that was stored", err)
	}
	time.Sleep(time.Millisecond) // so that a second holder has the time to interfere
	err = held.store(cache.Entry{Data: []byte(strconv.Itoa(number + 1)), TTL: time.Hour})
	if held.isExcused(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("in Store by the holder of the lease, got error %q, want none", err)
	}
	return true, nil
}

func checkLoadWhileHeld(t testing.TB, s *subject) {
	s.untilJudged(t, "held", "Load waits for the end of the lease", func(key string) bool {
		s.first.mustStore(t, key, cache.Entry{Data: []byte("live"), TTL: time.Hour})
		held := s.first.mustLock(t, key)
		nothing := s.first.mustLock(t, key+"-empty")
		when := "while somebody holds the lease"
		s.wantData(t, key, []byte("live"), when, "Load never waits: programs go on with the live session while one of them refreshes it")
		s.wantMiss(t, nothing.key, when, "nothing was stored")
		return !held.mayBeOver() // it is the older of the two leases
	})
}

func checkLockContext(t testing.TB, s *subject) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	switch held, err := s.first.lock(ended, "free"); {
	case err == nil:
		t.Errorf("Lock of a free lease with a context that is cancelled: got the lease, want an error that Is context.Canceled: " +
			"whoever gave up does not expect to hold it")
		held.mustUnlock(t)
	case !errors.Is(err, context.Canceled):
		t.Errorf("Lock of a free lease with a context that is cancelled: got error %q, want one that Is context.Canceled", err)
	}
	s.first.mustLock(t, "free")

	s.untilJudged(t, "held", "Lock outlives its context and waits for the end of the lease, or one that gave up gets the lease later", func(key string) bool {
		held := s.first.mustLock(t, key)
		for _, h := range s.handles() {
			if !held.isExclusive(t, h, "with a context that ends", "Lock ends with its context's error") {
				return false
			}
			ctx, cancel := context.WithCancel(context.Background())
			timer := time.AfterFunc(brief, cancel)
			waiter, err := h.lock(ctx, key)
			timer.Stop()
			cancel()
			switch {
			case err == nil:
				isOver := held.mayBeOver()
				waiter.mustUnlock(t)
				if isOver {
					return false
				}
				t.Errorf("Lock through %s, cancelled while it waited for the holder: got a second lease, want an error that Is context.Canceled", h.name)
			case !errors.Is(err, context.Canceled):
				t.Errorf("Lock through %s, cancelled while it waited for the holder: got error %q, want one that Is context.Canceled: "+
					"a caller that is told to stop would wait for another's refresh", h.name, err)
			}
		}
		unlocking := s.now()
		held.mustUnlock(t)
		time.Sleep(brief) // for one that gave up to take it
		next, err := s.second.lockWithin(patience, key)
		if err != nil {
			t.Errorf("Lock through %s, after all who waited gave up and the holder unlocked: got error %q, want the lease: "+
				"one that gave up must not get it later, for nobody would unlock it", s.second.name, err)
			return true
		}
		defer next.unlock()
		next.asked = unlocking
		return !next.mayBeOver() // else one that gave up may have had it for a lease's life
	})
}

func checkUnlock(t testing.TB, s *subject) {
	s.untilJudged(t, "twice", "Unlock does not give the lease back, and the next holder waits for its end", func(key string) bool {
		former := s.first.mustLock(t, key)
		former.mustUnlock(t)
		unlockAgain := func(when string) {
			if err := former.unlock(); err != nil {
				t.Errorf("Unlock %s: got error %q, want none: Unlock is deferred, and called early as well", when, err)
			}
		}
		unlockAgain("a second time")
		held := s.second.mustLock(t, key)
		unlockAgain("a third time, while another holds the lease")
		for _, h := range s.handles() {
			if !held.isExclusive(t, h, "after an Unlock too many by a former holder", "it gave away the lease of the present holder; "+whyOneHolder) {
				return false
			}
		}
		if err := held.store(cache.Entry{Data: []byte("held"), TTL: time.Hour}); held.isExcused(err) {
			return false
		} else if err != nil {
			t.Errorf("Store by the holder of the lease, after an Unlock too many by a former one: got error %q, want none", err)
		}
		return true
	})
}

func checkWriteAfterUnlock(t testing.TB, s *subject) {
	s.untilJudged(t, "unlocked", slowCalls, func(key string) bool {
		former := s.first.mustLock(t, key)
		err := former.store(cache.Entry{Data: []byte("before"), TTL: time.Hour})
		if former.isExcused(err) {
			return false
		}
		if err != nil {
			t.Fatalf("Store by the holder of the lease: got error %q, want none", err)
		}
		former.mustUnlock(t)
		former.wantNoWrites(t, []byte("before"), "after Unlock")
		s.second.mustLock(t, key)
		former.wantNoWrites(t, []byte("before"), "after Unlock, while another holds the lease")
		return true
	})
}

// wantNoWrites fails the test unless the lease is lost and what is stored stays
// as it is.
func (h *holder) wantNoWrites(t testing.TB, stored []byte, when string) {
	t.Helper()
	const why = "whoever has the lease now may have stored a newer session, or deleted a dead one"
	if err := h.store(cache.Entry{Data: []byte("not to be written"), TTL: time.Hour}); !isLost(err) {
		t.Errorf("Store %s: got error %v, want one that Is cache.ErrLeaseLost: %s", when, err, why)
	}
	h.subject.wantData(t, h.key, stored, "after a Store "+when, why)
	if err := h.delete(); !isLost(err) {
		t.Errorf("Delete %s: got error %v, want one that Is cache.ErrLeaseLost: %s", when, err, why)
	}
	h.subject.wantData(t, h.key, stored, "after a Delete "+when, why)
}

func checkConcurrentLease(t testing.TB, s *subject) {
	held := s.first.mustLock(t, "concurrent")
	written := []byte("written")
	store := func() error { return held.store(cache.Entry{Data: written, TTL: time.Hour}) }
	type call struct {
		name string
		call func() error
	}
	writes := []call{{"Store", store}, {"Delete", held.delete}, {"Store", store}, {"Delete", held.delete}}
	unlocks := []call{{"Unlock", held.unlock}, {"Unlock", held.unlock}}
	for _, calls := range [][]call{writes, append(unlocks, writes...)} {
		faults := make(chan string)
		for _, c := range calls {
			go func() {
				fault := ""
				if err := c.call(); err != nil && (c.name == "Unlock" || !isLost(err)) {
					fault = fmt.Sprintf("%s, while the lease's other methods are called: got error %q, want none, or of a Store or Delete one that Is cache.ErrLeaseLost: "+
						"a refresh that ends and a Close unlock at the same time", c.name, err)
				}
				faults <- fault
			}()
		}
		for range calls {
			if fault := <-faults; fault != "" {
				t.Error(fault)
			}
		}
	}
	s.second.mustLock(t, "concurrent")
	e, err := s.second.load("concurrent")
	if !isMiss(err) && (err != nil || string(e.Data) != string(written)) {
		t.Errorf("Load after concurrent Stores and Deletes under one lease: got %s and error %v, want what was stored, or a miss", describe(e.Data), err)
	}
}
