package main

import (
	"context"
	"errors"
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
		return false, nil
	}
	lease, err := sessions.Lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer lease.Unlock()
	return true, lease.Delete(ctx)
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
