package rediscache

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
)

const (
	defaultLease   = 10 * time.Second
	longestLease   = time.Minute
	defaultTimeout = 250 * time.Millisecond
	defaultPrefix  = "jwtsession"
)

// Cache is a [cache.Cache] in Redis. Make one with [New]. It is safe for
// concurrent use; sharing one between all sources of a process shares what
// waiting costs.
type Cache struct {
	client  redis.UniversalClient
	address string
	prefix  string
	lease   time.Duration
	timeout time.Duration
	debts   chan struct{} // a token per lease that is being given back in the background
	hints   *hints
}

// An Option changes a setting of a [Cache].
type Option func(*Cache)

// WithLease sets how long a lease outlives its last renewal; the default is 10
// seconds, and so is what a value that is not positive stands for. More than a
// minute counts as a minute: a lock that lives for longer is none. It bounds
// how long others wait for a holder that died, and how long a holder may be
// stopped or cut off without losing it. It should be several times the timeout
// of [WithTimeout], since it is renewed at a third.
func WithLease(d time.Duration) Option {
	return func(c *Cache) {
		if d > 0 {
			c.lease = min(d, longestLease)
		}
	}
}

// WithTimeout bounds each round trip to Redis, with the dials, retries and
// waits for a connection that the client needs for it; the default is 250
// milliseconds, and so is what a value that is not positive stands for. The
// wait for a lease that somebody else holds is not a round trip: it is bounded
// by the context of Lock alone.
func WithTimeout(d time.Duration) Option {
	return func(c *Cache) {
		if d > 0 {
			c.timeout = d
		}
	}
}

// WithPrefix sets what the names in Redis begin with, after an opening brace;
// the default is "jwtsession". All who share sessions need the same prefix. It
// must have no braces and none of the characters of a pattern: *?[]\.
func WithPrefix(prefix string) Option {
	return func(c *Cache) { c.prefix = prefix }
}

// New returns a store in the Redis that client is connected to. It does not
// connect. The client stays the caller's: the store never closes it, and is of
// no use once it is closed. New panics if client is nil.
func New(client redis.UniversalClient, options ...Option) *Cache {
	if client == nil {
		panic("rediscache: New with a nil client")
	}
	c := &Cache{
		client:  client,
		address: addressOf(client),
		prefix:  defaultPrefix,
		lease:   defaultLease,
		timeout: defaultTimeout,
		debts:   make(chan struct{}, maxDebts),
	}
	for _, option := range options {
		option(c)
	}
	c.hints = newHints(client, c.names("*").channel)
	return c
}

// names are what one key is called in Redis.
type names struct{ entry, lock, channel string }

func (c *Cache) names(key string) names {
	tag := "{" + c.prefix + ":" + key + "}"
	return names{entry: tag + ":entry", lock: tag + ":lock", channel: tag + ":changed"}
}

// Load implements [cache.Cache] with one round trip. An error other than
// [cache.ErrMiss] says that Redis did not answer in time or refused.
func (c *Cache) Load(ctx context.Context, key string) (cache.Entry, error) {
	reply, err := c.run(ctx, loadScript, []string{c.names(key).entry})
	if err != nil {
		return cache.Entry{}, c.failure(ctx, "load from", err)
	}
	fields, isList := reply.([]any)
	if !isList {
		return cache.Entry{}, c.failure(ctx, "load from", unexpected(reply))
	}
	return c.parseEntry(fields)
}

// parseEntry reads what loadScript returns: nothing, or the value, which begins
// with the value of the lease it was written under, and what PTTL says of it,
// which may be more than a [time.Duration] can be.
func (c *Cache) parseEntry(fields []any) (cache.Entry, error) {
	if len(fields) == 0 {
		return cache.Entry{}, cache.ErrMiss
	}
	value, _ := fields[0].(string)
	left, _ := fields[len(fields)-1].(int64)
	const noExpiry, most = -1, math.MaxInt64 / int64(time.Millisecond)
	switch {
	case len(value) < leaseValueLength:
		return cache.Entry{}, fmt.Errorf("rediscache: redis at %s: the entry was not written by this package: %w",
			c.address, cache.ErrMiss)
	case left == noExpiry:
		left = 0
	case left <= 0:
		return cache.Entry{}, cache.ErrMiss
	}
	return cache.Entry{
		Data: []byte(value[leaseValueLength:]),
		TTL:  time.Duration(min(left, most)) * time.Millisecond,
	}, nil
}
