package scale

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// What a Redis of ours took, on the machine that it shared with its clients: see
// docs/scale.md for the commands.
var (
	roundTrip = flag.Duration("redis.rtt", 500*time.Microsecond, "how long a call to Redis is under way, there and back")
	perCall   = flag.Duration("redis.call", 29*time.Microsecond, "how long Redis is busy with a call; it does one at a time")
)

// What package rediscache does.
const (
	callTimeout = 250 * time.Millisecond
	firstPause  = 20 * time.Millisecond
	lastPause   = 2 * time.Second
	listenAfter = 3
)

var errSlow = errors.New("no answer in time")

// farStore is a [cache.Memory] that is as far away, and as busy, as a Redis, and
// whose leases are taken as package rediscache takes them: by asking again at
// growing intervals, or after an announcement, which all who wait hear. There is one
// key.
type farStore struct {
	near cache.Memory

	mu     sync.Mutex // guards the rest; never held while waiting
	free   time.Time  // when all calls that have come in are done
	holder *farLease
	hints  map[chan struct{}]struct{}
	calls  meter
	loads  meter // of them
	late   meter // of them: they were given up
}

// call has the store do something once it gets to it, and waits for the answer or
// the end of its patience. What was given up is done all the same.
func (s *farStore) call(ctx context.Context, do func()) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	s.mu.Lock()
	s.calls.count(now)
	begin := now.Add(*roundTrip / 2)
	if s.free.After(begin) {
		begin = s.free
	}
	s.free = begin.Add(*perCall)
	wait := s.free.Sub(now) + *roundTrip/2
	s.mu.Unlock()

	done := make(chan struct{})
	time.AfterFunc(wait-*roundTrip/2, func() {
		do()
		time.Sleep(*roundTrip / 2)
		close(done)
	})
	patience := time.NewTimer(callTimeout)
	defer patience.Stop()
	select {
	case <-done:
		return nil
	case <-patience.C:
		s.mu.Lock()
		s.late.count(now)
		s.mu.Unlock()
		return errSlow
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *farStore) Load(ctx context.Context, key string) (entry cache.Entry, err error) {
	type answer struct {
		entry cache.Entry
		err   error
	}
	answers := make(chan answer, 1)
	s.mu.Lock()
	s.loads.count(time.Now())
	s.mu.Unlock()
	if err := s.call(ctx, func() {
		var a answer
		a.entry, a.err = s.near.Load(context.Background(), key)
		answers <- a
	}); err != nil {
		return cache.Entry{}, err
	}
	a := <-answers
	return a.entry, a.err
}

func (s *farStore) Lock(ctx context.Context, key string) (cache.Lease, error) {
	l := &farLease{store: s, key: key}
	var announced chan struct{}
	began := time.Now()
	for attempt := 1; ; attempt++ {
		taken := make(chan bool, 1)
		if err := s.call(ctx, func() { taken <- l.take() }); err != nil {
			go s.call(context.Background(), func() { l.free() })
			return nil, err
		}
		if <-taken {
			return l, nil
		}
		if attempt == listenAfter {
			announced = s.listen()
			defer s.leave(announced)
		}
		longest := min(lastPause, firstPause<<(2*min(attempt-1, 5)))
		timer := time.NewTimer(longest/2 + rand.N(longest/2))
		for isOver := false; !isOver; {
			select {
			case <-announced:
				announced = nil
				timer.Reset(rand.N(min(time.Since(began)/10, lastPause) + 1))
			case <-timer.C:
				isOver = true
			case <-ctx.Done():
				timer.Stop()
				return nil, ctx.Err()
			}
		}
	}
}

func (s *farStore) listen() chan struct{} {
	announced := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hints == nil {
		s.hints = make(map[chan struct{}]struct{})
	}
	s.hints[announced] = struct{}{}
	return announced
}

func (s *farStore) leave(announced chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hints, announced)
}

// farLease is a [cache.LoadedLease], as that of package rediscache.
type farLease struct {
	store  *farStore
	key    string
	loaded cache.Entry
	err    error
}

// take runs at the store, as free and the function in Store do.
func (l *farLease) take() bool {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != nil {
		return s.holder == l
	}
	s.holder = l
	l.loaded, l.err = s.near.Load(context.Background(), l.key)
	return true
}

// free ends the lease, and announces that. It reports whether it was the caller's.
func (l *farLease) free() bool {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != l {
		return false
	}
	s.holder = nil
	for announced := range s.hints {
		select {
		case announced <- struct{}{}:
		default:
		}
	}
	return true
}

func (l *farLease) Loaded() (cache.Entry, error) { return l.loaded, l.err }

func (l *farLease) Store(ctx context.Context, e cache.Entry) error {
	return l.write(ctx, func(near cache.Lease) { near.Store(context.Background(), e) })
}

func (l *farLease) Delete(ctx context.Context) error {
	return l.write(ctx, func(near cache.Lease) { near.Delete(context.Background()) })
}

func (l *farLease) write(ctx context.Context, do func(cache.Lease)) error {
	held := make(chan bool, 1)
	if err := l.store.call(ctx, func() {
		near, _ := l.store.near.Lock(context.Background(), l.key) // nobody else does
		defer near.Unlock()
		do(near)
		held <- l.free()
	}); err != nil {
		return err
	}
	if !<-held {
		return cache.ErrLeaseLost
	}
	return nil
}

func (l *farLease) Unlock() error {
	l.store.mu.Lock()
	isOver := l.store.holder != l
	l.store.mu.Unlock()
	if isOver {
		return nil
	}
	return l.store.call(context.Background(), func() { l.free() })
}
