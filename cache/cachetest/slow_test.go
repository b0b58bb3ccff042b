package cachetest

import (
	"context"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// slowStore is a store on a machine that is busy after each call.
type slowStore struct {
	cache.Cache
	pause time.Duration
}

func (s slowStore) Load(ctx context.Context, key string) (cache.Entry, error) {
	defer time.Sleep(s.pause)
	return s.Cache.Load(ctx, key)
}

func (s slowStore) Lock(ctx context.Context, key string) (cache.Lease, error) {
	defer time.Sleep(s.pause)
	lease, err := s.Cache.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	return slowLease{lease, s.pause}, nil
}

type slowLease struct {
	cache.Lease
	pause time.Duration
}

func (l slowLease) Store(ctx context.Context, e cache.Entry) error {
	defer time.Sleep(l.pause)
	return l.Lease.Store(ctx, e)
}

func (l slowLease) Delete(ctx context.Context) error {
	defer time.Sleep(l.pause)
	return l.Lease.Delete(ctx)
}

func (l slowLease) Loaded() (cache.Entry, error) { return l.Lease.(cache.LoadedLease).Loaded() }

// lateStore is a store whose Lock returns when it is told to, whatever becomes of
// its context.
type lateStore struct {
	cache.Cache
	until    chan struct{}
	hasLease bool
}

func (s lateStore) Lock(_ context.Context, key string) (cache.Lease, error) {
	<-s.until
	if !s.hasLease {
		return nil, nil
	}
	return s.Cache.Lock(context.Background(), key)
}
