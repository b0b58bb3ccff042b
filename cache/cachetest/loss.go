package cachetest

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// skipUnlessLeasesEnd skips a test of what the store does when a lease is lost
// if the tests do not know how to lose one.
func (s *subject) skipUnlessLeasesEnd(t testing.TB) {
	t.Helper()
	if s.leaseLife == 0 && s.lose == nil {
		t.Skip("not tried: the loss of a lease; give cachetest.Run the option WithLeaseLife or WithLeaseLoss, unless the store's leases cannot be lost")
	}
}

// loseLease returns when the lease is lost.
func (s *subject) loseLease(held *holder) {
	if s.lose != nil {
		s.lose(held.key, held.lease)
		return
	}
	s.sleep(s.leaseLife + s.precision)
}

func checkLoss(t testing.TB, s *subject) {
	s.skipUnlessLeasesEnd(t)
	before, next := []byte("before"), []byte("of the next holder")
	s.first.mustStore(t, "lost", cache.Entry{Data: before, TTL: time.Hour})
	former := s.first.mustLock(t, "lost")
	got := s.second.lockAhead("lost", s.leaseLife+patience)
	s.loseLease(former)
	waiter := <-got
	if waiter.err != nil {
		t.Fatalf("Lock through %s, which waited when the holder's lease was lost: got error %q, want the lease: "+
			"if a holder dies, nobody would refresh again", s.second.name, waiter.err)
	}
	former.wantNoWrites(t, before, "by a holder whose lease was lost, while another holds it")
	waiter.held.mustUnlock(t)
	former.wantNoWrites(t, before, "by a holder whose lease was lost, when the next one has unlocked")
	s.second.mustStore(t, "lost", cache.Entry{Data: next, TTL: time.Hour})
	former.wantNoWrites(t, next, "by a holder whose lease was lost, when the next one has stored")
}

func checkUnlockAfterLoss(t testing.TB, s *subject) {
	s.skipUnlessLeasesEnd(t)
	s.untilJudged(t, "lost", slowCalls, func(key string) bool {
		former := s.first.mustLock(t, key)
		s.loseLease(former)
		held := s.second.mustLock(t, key)
		if err := former.unlock(); err != nil {
			t.Errorf("Unlock of a lease that was lost: got error %q, want none: there is nothing that its caller could do", err)
		}
		for _, h := range s.handles() {
			if !held.isExclusive(t, h, "after the Unlock of a lease that was lost", "it gave away the lease of the present holder; "+whyOneHolder) {
				return false
			}
		}
		if err := held.store(cache.Entry{Data: []byte("held"), TTL: time.Hour}); held.isExcused(err) {
			return false
		} else if err != nil {
			t.Errorf("Store by the holder of the lease, after the Unlock of one that was lost: got error %q, want none", err)
		}
		return true
	})
}
