package rediscache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
)

// The documentation says so.
func TestWhatIsNoTimeStandsForTheDefault(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		c := New(dial(t, nil), WithLease(d), WithTimeout(d))
		if c.lease != defaultLease || c.timeout != defaultTimeout {
			t.Errorf("a store made with times of %v: got a lease of %v and a timeout of %v, want %v and %v", d, c.lease, c.timeout, defaultLease, defaultTimeout)
		}
	}
}

// A TTL of 0 would say that the entry has no end.
func TestAnEntryInItsLastMillisecondIsAMiss(t *testing.T) {
	c := New(dial(t, nil))
	value := newLeaseValue() + "data"
	for left, want := range map[int64]error{0: cache.ErrMiss, 1: nil} {
		if entry, err := c.parseEntry([]any{value, left}); !errors.Is(err, want) || err == nil && entry.TTL != time.Millisecond {
			t.Errorf("an entry with %d ms left: got a TTL of %v and error %v, want error %v", left, entry.TTL, err, want)
		}
	}
}

// C6
func TestThoseWhoWaitListenOverOneConnectionAndOnlyIfTheyWaitForLong(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		holder, _ := open(t, m)
		held := mustLock(t, holder, "k")
		c, _ := open(t, m)
		ctx, giveUp := context.WithCancel(t.Context())
		for range 3 {
			go func() { _, _ = c.Lock(ctx, "k") }()
		}
		synctest.Wait()
		time.Sleep(firstPause / 2)
		if got := m.PubSubNumPat(); got != 0 {
			t.Errorf("subscriptions of three who have asked once or twice: got %d, want none", got)
		}
		time.Sleep(5 * time.Second)
		if got := m.PubSubNumPat(); got != 1 {
			t.Errorf("subscriptions of three who have waited for 5 s: got %d, want 1", got)
		}
		giveUp()
		synctest.Wait()
		if got := m.PubSubNumPat(); got != 0 {
			t.Errorf("subscriptions when nobody waits: got %d, want none", got)
		}
		if err := held.Unlock(); err != nil {
			t.Error(err)
		}
	})
}

// The documentation of Lock says so.
func TestALeaseThatIsLostOrGivenBackIsNotAskedForAnyMore(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, way := open(t, m)
		lost, owed := mustLock(t, c, "lost"), mustLock(t, c, "owed")
		m.Del(c.names("lost").lock)
		way.set(func(l *line) { l.isCut = true })
		if err := owed.Unlock(); err == nil {
			t.Error("Unlock while the server is away: got nil, want an error")
		}
		way.set(func(l *line) { l.isCut = false })
		time.Sleep(defaultLease / 2)
		if m.Exists(c.names("owed").lock) {
			t.Error("the lease 5 s after Redis is back: got one, want none")
		}
		before := m.CommandCount()
		time.Sleep(time.Minute)
		if got := m.CommandCount() - before; got != 0 {
			t.Errorf("calls in the minute after one lease was found lost and one was given back: got %d, want 0", got)
		}
		_ = lost.Unlock()
	})
}

func TestALeaseIsGivenBackAtGrowingIntervals(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		c, way := open(t, m, WithLease(time.Minute))
		held := mustLock(t, c, "k")
		way.set(func(l *line) { l.isSilent = true })
		if err := held.Unlock(); err == nil {
			t.Error("Unlock of a server that is silent: got nil, want an error")
		}
		before := way.written()
		time.Sleep(time.Minute)
		if got, most := way.written()-before, 40; got < 10 || got > most {
			t.Errorf("what was written in the minute in which the lease is given back: got %d commands, want 10 to %d", got, most)
		}
	})
}

func TestNobodyListensToARing(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	h := newHints(ring, "*")
	h.leave("k", h.join("k")) // which would panic if it hung up what does not listen
	if h.isListening {
		t.Error("somebody listens to a Ring, which has no one place to listen at")
	}
}
