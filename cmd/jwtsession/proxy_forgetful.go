package main

import (
	"context"
	"sync/atomic"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
)

// forgetful has a new source sign in for real: what is in the cache, be it a
// session or the memory of a refusal, it sees only once it has stored something
// itself.
func forgetful(config *jwtsession.Config) {
	if config.Cache != nil {
		config.Cache = &forgetfulCache{Cache: config.Cache}
	}
}

type forgetfulCache struct {
	cache.Cache
	remembers atomic.Bool
}

func (c *forgetfulCache) Load(ctx context.Context, key string) (cache.Entry, error) {
	if !c.remembers.Load() {
		return cache.Entry{}, cache.ErrMiss
	}
	return c.Cache.Load(ctx, key)
}

func (c *forgetfulCache) Lock(ctx context.Context, key string) (cache.Lease, error) {
	lease, err := c.Cache.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	return forgetfulLease{lease, c}, nil
}

type forgetfulLease struct {
	cache.Lease
	of *forgetfulCache
}

func (l forgetfulLease) Store(ctx context.Context, e cache.Entry) error {
	err := l.Lease.Store(ctx, e)
	if err == nil {
		l.of.remembers.Store(true)
	}
	return err
}
