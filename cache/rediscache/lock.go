package rediscache

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
)

const (
	firstPause = 20 * time.Millisecond
	lastPause  = 2 * time.Second

	// maxDebts is how many leases a store gives back at a time.
	maxDebts = 64

	// listenAfter is how many attempts a wait makes before it listens for
	// announcements: a short wait is not worth a connection.
	listenAfter = 3
)

// Lock implements [cache.Cache]. A lease that is free costs one round trip, which
// also reads the entry: the lease is a [cache.LoadedLease]. If Redis does not
// answer one of its questions in time, Lock fails at once with an error that is
// neither [cache.ErrMiss] nor, while ctx lives, ctx's.
//
// Each lease that is held has a goroutine which renews it, and ends with Unlock,
// with a Store that succeeded, when the lease is lost, and when the client is
// closed. A lease that is never unlocked is never free.
func (c *Cache) Lock(ctx context.Context, key string) (cache.Lease, error) {
	l := c.newLease(key)
	var announced chan struct{} // nil: not listened to yet, or heard once, which was in vain if one is still there
	began := time.Now()
	for attempt := 1; ; attempt++ {
		left, err := l.acquire(ctx)
		if err != nil {
			return nil, c.failure(ctx, "take the lease in", err)
		}
		if left == 0 {
			l.startRenewal()
			return l, nil
		}
		if attempt == listenAfter {
			announced = c.hints.join(l.names.channel)
			defer c.hints.leave(l.names.channel, announced)
		}
		timer := time.NewTimer(pause(attempt, left))
		for isOver := false; !isOver; {
			select {
			case <-announced:
				announced = nil
				timer.Reset(spread(time.Since(began)))
			case <-timer.C:
				isOver = true
			case <-ctx.Done():
				timer.Stop()
				return nil, c.failure(ctx, "wait for the lease, which another holds, in", ctx.Err())
			}
		}
	}
}

// acquire tries once to take the lease. It returns 0 if the caller has it now,
// else what the holder's has left.
func (l *lease) acquire(ctx context.Context) (time.Duration, error) {
	c := l.store
	reply, err := c.runOrUndo(ctx, l.giveBack, acquireScript, []string{l.names.lock, l.names.entry}, l.value, milliseconds(c.lease), milliseconds(longestLease))
	if err != nil {
		return 0, err
	}
	if left, isHeld := reply.(int64); isHeld && left > 0 {
		return time.Duration(min(left, milliseconds(longestLease))) * time.Millisecond, nil
	}
	fields, _ := reply.([]any)
	if len(fields) == 0 {
		return 0, unexpected(reply)
	}
	l.acquiredAt, _ = fields[0].(int64)
	l.acquired = time.Now()
	l.loaded, l.loadedErr = c.parseEntry(fields[1:])
	return 0, nil
}

// giveBack ends a lease that somebody may hold in Redis and nobody here: an
// attempt that was given up may reach Redis all the same, and then everybody
// would wait for the end of its life. It asks until Redis answers, for at most
// that life.
func (l *lease) giveBack() {
	c := l.store
	select {
	case c.debts <- struct{}{}:
		defer func() { <-c.debts }()
	default:
		return
	}
	end := time.Now().Add(c.lease)
	for wait := c.timeout; time.Now().Before(end); wait = min(2*wait, 10*c.timeout) {
		_, err := c.run(context.Background(), unlockScript, []string{l.names.lock}, l.value, l.names.channel)
		if !isUncertain(err) || errors.Is(err, redis.ErrClosed) {
			return
		}
		time.Sleep(wait)
	}
}

// pause is how long to wait after an attempt, if the holder's lease has that
// much left: random, so that those who wait do not ask in step.
func pause(attempt int, left time.Duration) time.Duration {
	longest := min(lastPause, firstPause<<(2*min(attempt-1, 5)))
	if left < longest {
		return left + mathrand.N(firstPause)
	}
	return longest/2 + mathrand.N(longest/2)
}

// spread is how long who has waited so long waits on after an announcement: a crowd
// that asked at once would not all be answered in time, and those who are not would
// go on without the store.
func spread(waited time.Duration) time.Duration {
	return mathrand.N(min(waited/10, lastPause) + 1)
}

// leaseValueLength is the length of every lease's value. An entry begins with
// the value of the lease that it was written under.
const leaseValueLength = 32

func newLeaseValue() string {
	var random [leaseValueLength / 2]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// milliseconds is a life as Redis counts it: at least one, since none would be
// for ever.
func milliseconds(life time.Duration) int64 {
	return max(1, life.Milliseconds())
}
