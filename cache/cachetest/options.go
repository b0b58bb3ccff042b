package cachetest

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// Option tells what a test has to know about a store.
type Option func(*options)

type options struct {
	second    func(t *testing.T, first cache.Cache) cache.Cache
	leaseLife time.Duration
	lose      func(t *testing.T, key string, held cache.Lease)
	sleep     func(time.Duration)
	precision time.Duration
}

// WithSecondHandle opens another handle on the store that first is a handle on,
// as another process would have it: with its own connections, its own open
// files. Without it, the tests use the first in its place, and learn nothing of
// sharing between processes.
func WithSecondHandle(open func(t *testing.T, first cache.Cache) cache.Cache) Option {
	return func(o *options) { o.second = open }
}

// WithLeaseLife says how long a lease lives whose holder does nothing with it.
// The tests wait for that long, twice, so open the store with a short one: half
// a second or more, so that the tests can tell a lease that ran out, because the
// machine was busy, from one that did not hold. Without it, leases have to hold
// for as long as they are not unlocked, as they do in a store whose holders renew
// them.
func WithLeaseLife(life time.Duration) Option {
	return func(o *options) { o.leaseLife = life }
}

// WithLeaseLoss makes the lease on key, which came from one of the handles, be
// lost: as if its holder had been stopped for longer than a lease lives. When
// lose returns, the lease is free. Without it the tests wait for the lease's
// life, and if that is not known either, they skip the loss of a lease and say
// so.
func WithLeaseLoss(lose func(t *testing.T, key string, held cache.Lease)) Option {
	return func(o *options) { o.lose = lose }
}

// WithSleep lets time pass for a store whose clock is turned by hand, in place of
// [time.Sleep]. Entries and leases must then age by no less than what sleep was
// asked for, and by no more than that and the real time.
func WithSleep(sleep func(time.Duration)) Option {
	return func(o *options) { o.sleep = sleep }
}

// WithPrecision says how far the life of an entry or a lease may be off, besides
// the time that the calls take: 50 milliseconds if it is not given. The tests take
// longer with a coarse one.
func WithPrecision(precision time.Duration) Option {
	return func(o *options) { o.precision = precision }
}
