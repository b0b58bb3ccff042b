package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
)

// warnOfCache has a person told, once a run, what is wrong with the cache: that
// there is none is else noticed by nobody before an account is locked.
func (a *account) warnOfCache(stderr io.Writer) func(*jwtsession.Config) {
	warn := func(err error) {
		a.cacheTrouble.Do(func() {
			fmt.Fprintf(stderr, "jwtsession: warning: %s; without it no refusal is remembered, and a wrong password goes out at each run\n", oneLine(err))
		})
	}
	return func(c *jwtsession.Config) {
		if err := a.missingCache(); err != nil {
			warn(err)
		}
		next := c.OnEvent
		c.OnEvent = func(e jwtsession.Event) {
			switch {
			case e.Kind != jwtsession.EventCacheFailed:
			case errors.Is(e.Err, cache.ErrMiss): // the cache is used: of one entry, nothing could be
				a.entryTrouble.Do(func() {
					fmt.Fprintln(stderr, "jwtsession: warning:", oneLine(cmp.Or(errors.Unwrap(e.Err), e.Err)))
				})
			default:
				warn(fmt.Errorf("%w; it is %s (%s)", e.Err, a.store.name, a.cacheFrom()))
			}
			if next != nil {
				next(e)
			}
		}
	}
}

// missingCache is the error of a user who has no place for a cache, and has said
// nothing about one.
func (a *account) missingCache() error {
	if a.cache.value != "file" || a.store.kind != "none" {
		return nil
	}
	return errors.New("there is no cache, since " + noCacheDirectory)
}

// cacheFrom says where the cache comes from, and its directory.
func (a *account) cacheFrom() string {
	if a.cacheDir.from == "" || a.store.directory == "" {
		return a.cache.from
	}
	if a.cache.from == "default" {
		return a.cacheDir.from
	}
	return a.cache.from + " and " + a.cacheDir.from
}
