package rediscache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
)

// lease is held until a Store that succeeded, Unlock, or its loss. Who holds it
// is known to Redis alone: only Redis' answer ever says that it was lost.
type lease struct {
	store *Cache
	names names
	value string

	loaded    cache.Entry // what the acquiring script read
	loadedErr error

	// When that was: by the server's clock in milliseconds, and by the monotonic
	// clock of this process, which got the answer a little later.
	acquiredAt int64
	acquired   time.Time

	isOver      atomic.Bool // a Store succeeded, or Unlock was called
	stopRenewal context.CancelFunc
}

var _ cache.LoadedLease = (*lease)(nil)

func (c *Cache) newLease(key string) *lease {
	return &lease{store: c, names: c.names(key), value: newLeaseValue()}
}

func (l *lease) startRenewal() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stopRenewal = cancel
	go l.renew(ctx)
}

// renew prolongs the lease at a third of its life. After a failure it tries
// again soon, until Redis must have ended the lease.
func (l *lease) renew(ctx context.Context) {
	life := l.store.lease
	renewed := time.Now() // only ever compared by its monotonic part
	timer := time.NewTimer(life / 3)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		reply, err := l.store.run(ctx, renewScript, []string{l.names.lock}, l.value, milliseconds(life))
		switch {
		case err == nil && reply == isHolder:
			renewed = time.Now()
			timer.Reset(life / 3)
		case err == nil, time.Since(renewed) > life, errors.Is(err, redis.ErrClosed):
			return
		default:
			timer.Reset(life / 12)
		}
	}
}

// Loaded implements [cache.LoadedLease].
func (l *lease) Loaded() (cache.Entry, error) {
	return cache.Entry{Data: bytes.Clone(l.loaded.Data), TTL: l.loaded.TTL}, l.loadedErr
}

// Store implements [cache.Lease] with one round trip, and ends the lease. A
// life of less than a millisecond counts as one millisecond. At most 1 MiB can be
// stored.
func (l *lease) Store(ctx context.Context, e cache.Entry) error {
	if len(e.Data) > maxData {
		return l.store.failure(ctx, "store in", fmt.Errorf("the entry has %d bytes, more than the %d that are allowed", len(e.Data), maxData))
	}
	data := string(e.Data) // a copy: the call may outlast this method
	var life int64
	if e.TTL != 0 {
		life = milliseconds(e.TTL)
	}
	now := l.acquiredAt + time.Since(l.acquired).Milliseconds()
	err := l.write(ctx, "store in", storeScript, data, life, l.names.channel, now)
	if err == nil {
		l.isOver.Store(true)
		l.stopRenewal()
	}
	return err
}

// Delete implements [cache.Lease] with one round trip.
func (l *lease) Delete(ctx context.Context) error {
	return l.write(ctx, "delete from", deleteScript)
}

// write runs a script that writes if the lease is still the caller's.
func (l *lease) write(ctx context.Context, verb string, script *redis.Script, args ...any) error {
	if l.isOver.Load() {
		return l.store.failure(context.Background(), verb, cache.ErrLeaseLost)
	}
	reply, err := l.store.run(ctx, script, []string{l.names.lock, l.names.entry}, append([]any{l.value}, args...)...)
	switch {
	case err != nil:
		return l.store.failure(ctx, verb, err)
	case reply != isHolder:
		return l.store.failure(context.Background(), verb, cache.ErrLeaseLost)
	}
	return nil
}

// Unlock implements [cache.Lease] with one round trip, or none after a Store
// that succeeded. If Redis does not answer in time, the store goes on trying in
// the background, and the lease ends with its life at the latest.
func (l *lease) Unlock() error {
	l.stopRenewal()
	if l.isOver.Swap(true) {
		return nil
	}
	ctx := context.Background()
	_, err := l.store.runOrUndo(ctx, l.giveBack, unlockScript, []string{l.names.lock}, l.value, l.names.channel)
	if err != nil {
		return l.store.failure(ctx, "give back the lease in", err)
	}
	return nil
}
