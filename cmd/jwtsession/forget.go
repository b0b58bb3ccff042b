package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
)

// forget removes what the cache has of the account, be it a session or a
// refusal, and calls nobody. It reports whether there was anything.
func (a *account) forget(ctx context.Context, credentials jwtsession.Credentials) (found bool, err error) {
	sessions, closeCache, err := a.store.open(ctx)
	if err != nil || sessions == nil {
		return false, err
	}
	defer closeCache()
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	key, err := a.entryKey(ctx, credentials)
	if err != nil {
		return false, err
	}
	if _, err := sessions.Load(ctx, key); errors.Is(err, cache.ErrMiss) {
		return false, a.tryLease(ctx, sessions, key)
	}
	lease, err := sessions.Lock(ctx, key)
	if err != nil {
		return false, a.ofCache(err)
	}
	defer lease.Unlock()
	if err := lease.Delete(ctx); err != nil {
		return true, a.ofCache(err)
	}
	return true, nil
}

// tryCache is the error of a cache that cannot be used.
func (a *account) tryCache(ctx context.Context, credentials jwtsession.Credentials) error {
	sessions, closeCache, err := a.store.open(ctx)
	if err != nil || sessions == nil {
		return err
	}
	defer closeCache()
	key, err := a.entryKey(ctx, credentials)
	if err != nil {
		return err
	}
	return a.tryLease(ctx, sessions, key)
}

// tryLease is the error of a cache that nothing can be stored in. A directory that
// cannot be made has no entry either, and only the lease tells them apart.
func (a *account) tryLease(ctx context.Context, sessions cache.Cache, key string) error {
	if _, err := (readOnly{sessions, a.store.directory != ""}).Lock(ctx, key); err != nil {
		return a.ofCache(err)
	}
	return nil
}

// ofCache is an error of the cache, which is none of the API's.
func (a *account) ofCache(err error) error {
	return &localError{fmt.Errorf("%w; it is %s (%s)", err, a.store.name, a.cacheFrom())}
}

// entryKey is the name of the account's entry in a cache: what a source asks for
// first, which gets no further.
func (a *account) entryKey(ctx context.Context, credentials jwtsession.Credentials) (string, error) {
	ctx, found := context.WithCancel(ctx)
	defer found()
	keys := make(chan string, 1)
	config := a.config()
	config.Credentials = credentials
	config.HTTPClient = &http.Client{Transport: noCalls{}}
	config.Cache = keyFinder{keys, found}
	ts, err := jwtsession.New(config)
	if err != nil {
		return "", &usageError{err}
	}
	defer ts.Close()
	_, err = ts.TokenContext(ctx)
	select {
	case key := <-keys:
		return key, nil
	default:
		return "", err
	}
}

// keyFinder is a cache that has nothing, and tells what it was asked for.
type keyFinder struct {
	keys  chan<- string
	found func()
}

// Load has nothing.
func (f keyFinder) Load(_ context.Context, key string) (cache.Entry, error) {
	select {
	case f.keys <- key:
	default: // it has been told
	}
	f.found()
	return cache.Entry{}, cache.ErrMiss
}

// Lock fails.
func (keyFinder) Lock(context.Context, string) (cache.Lease, error) { return nil, errOnlyLooking }
