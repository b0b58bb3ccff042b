package cachetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/contained"
)

const (
	// patience bounds whatever ought to take a moment, in real time on a machine
	// that is busy with something else.
	patience = 10 * time.Second

	// grace is what a call gets on top when its context has ended.
	grace = 5 * time.Second

	// brief is how long an attempt to take a lease that is held goes on.
	brief = 40 * time.Millisecond
)

// errStuck is the error of a call that was given up.
var errStuck = errors.New("it did not return, not even after its context had ended")

// subject is the store that a check judges.
type subject struct {
	first, second handle
	leaseLife     time.Duration                      // 0: a lease does not end by itself
	lose          func(key string, held cache.Lease) // nil: by waiting
	turn          func(time.Duration)                // nil: the store's clock goes by itself
	turned        atomic.Int64                       // by how much turn turned the clock
	precision     time.Duration
}

func newSubject(t *testing.T, open func(t *testing.T) cache.Cache, given []Option) *subject {
	t.Helper()
	o := options{precision: 50 * time.Millisecond}
	for _, option := range given {
		option(&o)
	}
	first := open(t)
	if first == nil {
		t.Fatal("cachetest: open returned nil, want the store to be judged")
	}
	second := first
	if o.second != nil {
		if second = o.second(t, first); second == nil {
			t.Fatal("cachetest: the function given to WithSecondHandle returned nil, want another handle on the store")
		}
	}
	s := &subject{leaseLife: o.leaseLife, turn: o.sleep, precision: o.precision}
	s.first = handle{s, first, "the first handle"}
	s.second = handle{s, second, "the second handle"}
	if o.lose != nil {
		s.lose = func(key string, held cache.Lease) { o.lose(t, key, held) }
	}
	return s
}

func (s *subject) handles() []handle { return []handle{s.first, s.second} }

// sleep lets time pass for the store.
func (s *subject) sleep(d time.Duration) {
	if s.turn == nil {
		time.Sleep(d)
		return
	}
	s.turn(d)
	s.turned.Add(int64(d))
}

// moment is a point in time, in real time and on the store's clock as far as it
// is turned by hand.
type moment struct {
	at     time.Time
	turned time.Duration
}

func (s *subject) now() moment {
	return moment{at: time.Now(), turned: time.Duration(s.turned.Load())}
}

// aged is the least and the most by which a store ages between two moments.
func (s *subject) aged(from, to moment) (least, most time.Duration) {
	elapsed, turned := to.at.Sub(from.at), to.turned-from.turned
	if s.turn == nil {
		return elapsed, elapsed
	}
	return turned, elapsed + turned
}

// rounds is how often a check is tried whose lease is over too soon.
const rounds = 5

const slowCalls = "a call that has nothing to wait for waits for the end of the lease, or the lease ends before its life does"

// untilJudged calls try, each time with another key, until it reports that it
// could judge: that no lease ran out meanwhile, which would excuse the store. If
// that happens each time, the store is to blame for it, by the suspicion, or the
// machine is.
func (s *subject) untilJudged(t testing.TB, key, suspicion string, try func(key string) (isJudged bool)) {
	t.Helper()
	for round := range rounds {
		if try(fmt.Sprintf("%s-%d", key, round)) {
			return
		}
	}
	t.Fatalf("got no verdict in %d rounds, want one: each time a lease, which lives for %v, was over before the calls made under it had ended. "+
		"Either %s, or this machine is too slow: then open the store with leases that live longer", rounds, s.leaseLife, suspicion)
}

// handle is one of the ways into the store.
type handle struct {
	subject *subject
	cache   cache.Cache
	name    string // for messages
}

func (h handle) load(key string) (cache.Entry, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return bounded(ctx, func() (cache.Entry, error) { return h.cache.Load(ctx, key) }, nil)
}

// lock takes the lease, and reports nothing.
func (h handle) lock(ctx context.Context, key string) (*holder, error) {
	asked := h.subject.now()
	lease, err := bounded(ctx,
		func() (cache.Lease, error) { return h.cache.Lock(ctx, key) },
		func(late cache.Lease) {
			if late != nil {
				_ = late.Unlock()
			}
		})
	if err != nil {
		return nil, err
	}
	if lease == nil {
		return nil, errors.New("it returned neither a lease nor an error")
	}
	return &holder{handle: h, lease: lease, key: key, asked: asked}, nil
}

func (h handle) lockWithin(d time.Duration, key string) (*holder, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return h.lock(ctx, key)
}

// attempt is what came of a Lock.
type attempt struct {
	held *holder
	err  error
}

// lockAhead takes the lease as soon as it is free. The attempt must be received.
func (h handle) lockAhead(key string, d time.Duration) <-chan attempt {
	done := make(chan attempt)
	go func() {
		held, err := h.lockWithin(d, key)
		done <- attempt{held, err}
	}()
	return done
}

// mustLock takes a lease that is free. It is unlocked at the end of the test at
// the latest.
func (h handle) mustLock(t testing.TB, key string) *holder {
	t.Helper()
	held, err := h.lockWithin(patience, key)
	if err != nil {
		t.Fatalf("Lock(%q) through %s: got error %q, want the lease, which nobody holds", key, h.name, err)
	}
	t.Cleanup(func() { _ = held.unlock() })
	return held
}

// span is when a call was under way.
type span struct{ before, after moment }

// mustStore stores e under a lease of its own.
func (h handle) mustStore(t testing.TB, key string, e cache.Entry) span {
	t.Helper()
	for range rounds {
		held := h.mustLock(t, key)
		before := h.subject.now()
		err := held.store(e)
		after := h.subject.now()
		if err != nil && !held.isExcused(err) {
			t.Fatalf("Store of %s in %q by the holder of the lease: got error %q, want none", describe(e.Data), key, err)
		}
		held.mustUnlock(t)
		if err == nil {
			return span{before, after}
		}
	}
	t.Fatalf("Store in %q: got a lost lease %d times, want an entry stored: each time it took longer than the lease's life, %v. "+
		"If this machine is that slow, open the store with leases that live longer", key, rounds, h.subject.leaseLife)
	return span{}
}

// holder holds a lease, or did.
type holder struct {
	handle
	lease cache.Lease
	key   string
	asked moment // before the lease can have begun
}

func (h *holder) store(e cache.Entry) error {
	return h.call(func(ctx context.Context) error { return h.lease.Store(ctx, e) })
}

func (h *holder) delete() error { return h.call(h.lease.Delete) }

func (h *holder) call(operation func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := bounded(ctx, func() (struct{}, error) { return struct{}{}, operation(ctx) }, nil)
	return err
}

func (h *holder) unlock() error {
	return h.call(func(context.Context) error { return h.lease.Unlock() })
}

func (h *holder) mustUnlock(t testing.TB) {
	t.Helper()
	if err := h.unlock(); err != nil {
		t.Fatalf("Unlock of %q: got error %q, want none", h.key, err)
	}
}

// mayBeOver is whether the lease can have run out, so that another may have it.
func (h *holder) mayBeOver() bool {
	s := h.subject
	_, most := s.aged(h.asked, s.now())
	return s.leaseLife > 0 && most >= s.leaseLife-s.precision
}

// isExcused is whether err says that the lease is lost, and it may be.
func (h *holder) isExcused(err error) bool { return isLost(err) && h.mayBeOver() }

// isExclusive fails the test if somebody else gets the lease too. It returns
// false if it cannot tell, since the lease was over too soon.
func (h *holder) isExclusive(t testing.TB, through handle, when, why string) bool {
	t.Helper()
	another, err := through.lockWithin(brief, h.key)
	if err == nil {
		isOver := h.mayBeOver()
		_ = another.unlock()
		if !isOver {
			t.Errorf("%s: Lock(%q) through %s, while somebody holds the lease: got a second lease, want to wait for the first: %s",
				when, h.key, through.name, why)
		}
		return !isOver
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: Lock(%q) through %s with a context of %v, while somebody holds the lease: got error %q, want one that Is context.DeadlineExceeded: "+
			"the caller takes anything else for a store that has failed", when, h.key, through.name, brief, err)
	}
	return true
}

// bounded gives up on a call that does not return a while after its context has
// ended, and takes a panic for an error. What it returns after that, late gets.
func bounded[T any](ctx context.Context, call func() (T, error), late func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done, givenUp := make(chan outcome), make(chan struct{})
	go func() {
		value, err := contained.Call(call)
		select {
		case done <- outcome{value, err}:
		case <-givenUp:
			if err == nil && late != nil {
				late(value)
			}
		}
	}()
	limit := patience
	if deadline, isSet := ctx.Deadline(); isSet {
		limit = time.Until(deadline)
	}
	timer := time.NewTimer(limit + grace)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-timer.C:
		close(givenUp)
		var none T
		return none, errStuck
	}
}

// wantData fails the test unless every handle loads exactly want.
func (s *subject) wantData(t testing.TB, key string, want []byte, when, why string) {
	t.Helper()
	for _, h := range s.handles() {
		got, err := h.load(key)
		switch {
		case err != nil:
			t.Errorf("%s: Load(%q) through %s: got error %q, want %s: %s", when, key, h.name, err, describe(want), why)
		case string(got.Data) != string(want):
			t.Errorf("%s: Load(%q) through %s: got %s, want %s: %s", when, key, h.name, describe(got.Data), describe(want), why)
		}
	}
}

// wantMiss fails the test unless every handle misses.
func (s *subject) wantMiss(t testing.TB, key, when, why string) {
	t.Helper()
	for _, h := range s.handles() {
		got, err := h.load(key)
		switch {
		case err == nil:
			t.Errorf("%s: Load(%q) through %s: got %s, want an error that Is cache.ErrMiss: %s", when, key, h.name, describe(got.Data), why)
		case !isMiss(err):
			t.Errorf("%s: Load(%q) through %s: got error %q, want one that Is cache.ErrMiss: the token source takes anything else for a store that has failed",
				when, key, h.name, err)
		}
	}
}

func isMiss(err error) bool { return errors.Is(err, cache.ErrMiss) }
func isLost(err error) bool { return errors.Is(err, cache.ErrLeaseLost) }

// describe shows data in a message: short data whole, else its length.
func describe(data []byte) string {
	if len(data) <= 32 {
		return fmt.Sprintf("data %q", data)
	}
	return fmt.Sprintf("%d bytes of data (%q…)", len(data), data[:16])
}
