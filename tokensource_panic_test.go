package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// T15
func TestAPanicBecomesAnErrorAndWedgesNothing(t *testing.T) {
	ends := map[string]func(){
		"a panic":       func() { panic("the provider is broken") },
		"an ended call": runtime.Goexit,
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				broken := true
				ts := newSource(t, box, func(c *Config) {
					own := c.Credentials
					c.Credentials = CredentialsProviderFunc(func(ctx context.Context) (Credentials, error) {
						if broken {
							end()
						}
						return own.Retrieve(ctx)
					})
				})
				if _, err := ts.Token(); err == nil || !strings.Contains(err.Error(), "callback") {
					t.Errorf("got %v, want an error that speaks of the callback", err)
				}
				broken = false
				pass(2 * time.Second)
				token(t, ts)
			})
		})
	}
}

// T15
func TestAPanicOfAnIssuerAtARefreshIsAFailedRefresh(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		issuer := &issuerFuncs{}
		issuer.refresh = func(context.Context, Session) (Session, error) {
			if _, n, _ := issuer.counts(); n == 1 {
				panic("the issuer is broken")
			}
			return Session{Token: "refreshed", ExpiresAt: time.Now().Add(time.Hour)}, nil
		}
		ts := newSourceOf(t, Config{Issuer: issuer})
		token(t, ts)
		pass(14 * time.Minute)
		if got := token(t, ts); got != "refreshed" {
			t.Errorf("got token %q, want that of the refresh after the panic", got)
		}
	})
}

// T15: whoever asks for the token while it is being made would wait for ever.
func TestAProviderThatAsksItsOwnSourceGetsAnErrorAndNoDeadlock(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		var ts *TokenSource
		ts = newSource(t, box, func(c *Config) {
			c.Credentials = CredentialsProviderFunc(func(ctx context.Context) (Credentials, error) {
				_, err := ts.TokenContext(ctx)
				return Credentials{}, err
			})
		})
		if waited := took(func() { ts.Token() }); waited != 0 {
			t.Errorf("it took %v, want an error at once", waited)
		}
	})
}

// T10, T15: the provider is the program's own, and is asked by the next caller.
func TestAProviderThatFailsOnceIsAskedAgainByTheNextCaller(t *testing.T) {
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("the vault is sealed") },
		"a panic":  func() error { panic("the vault is gone") },
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				asked := 0
				ts := newSource(t, box, func(c *Config) {
					own := c.Credentials
					c.Credentials = CredentialsProviderFunc(func(ctx context.Context) (Credentials, error) {
						if asked++; asked == 1 {
							return Credentials{}, fail()
						}
						return own.Retrieve(ctx)
					})
				})
				if _, err := ts.Token(); err == nil {
					t.Fatal("the first caller got a token, want the provider's error")
				}
				if waited := took(func() { token(t, ts) }); waited != 0 {
					t.Errorf("the next caller waited %v, want none", waited)
				}
			})
		})
	}
}

// T15
func TestAnIssuerThatPanicsOnceIsAskedAgainByTheNextCaller(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		n := 0
		ts := newSourceOf(t, Config{Issuer: &issuerFuncs{create: func(context.Context) (Session, error) {
			if n++; n == 1 {
				panic("the issuer is broken")
			}
			return Session{Token: "good", ExpiresAt: time.Now().Add(time.Hour)}, nil
		}}})
		if _, err := ts.Token(); err == nil {
			t.Fatal("the first caller got a token, want an error")
		}
		token(t, ts)
	})
}

// oddError panics when it is asked, or wraps itself.
type oddError struct{ panics, wraps bool }

func (e *oddError) Error() string { return "odd" }
func (e *oddError) Is(error) bool {
	if e.panics {
		panic("Is")
	}
	return false
}
func (e *oddError) Unwrap() error {
	if e.wraps {
		return e
	}
	return nil
}

// C9, T15: an error is the program's own code, too. Each of these would end the
// process, or hang it, when it is asked what it is.
func TestAnErrorThatCannotBeAskedIsContained(t *testing.T) {
	for name, odd := range map[string]error{
		"a nil of package net": (*net.OpError)(nil), "a nil of package fs": (*fs.PathError)(nil), "a nil of ours": (*APIError)(nil),
		"a nil of ours, wrapped": fmt.Errorf("wrapped: %w", (*APIError)(nil)), "two, one of them nil": errors.Join(io.EOF, (*url.Error)(nil)),
		"one that panics": &oddError{panics: true}, "one that wraps itself": &oddError{wraps: true},
	} {
		provider := CredentialsProviderFunc(func(context.Context) (Credentials, error) { return Credentials{}, odd })
		issuer := &issuerFuncs{create: func(context.Context) (Session, error) { return Session{}, odd }}
		for from, c := range map[string]Config{"a provider": {Credentials: provider}, "an issuer": {Issuer: issuer}} {
			if _, err := newSourceOf(t, c).Token(); err == nil || !strings.Contains(err.Error(), "a callback failed: it panicked") {
				t.Errorf("%s, from %s: got %v, want an error that says that a callback panicked", name, from, err)
			}
		}
		inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
			for call, store := range map[string]oddStore{
				"Load": {load: odd}, "Lock": {lock: odd}, "Loaded": {loaded: odd}, "Store": {store: odd}, "no lease": {none: true}, "a lease that panics": {panics: true},
			} {
				store.Memory = cache.NewMemory()
				ts := newSource(t, box, func(c *Config) { c.Cache = store })
				token(t, ts)
				if err := ts.Revoke(t.Context()); err != nil {
					t.Errorf("%s, from %s of a store: got %v from Revoke, want none", name, call, err)
				}
			}
		})
	}
}

// oddStore is a store that fails in its own way.
type oddStore struct {
	*cache.Memory
	load, lock, loaded, store error
	none, panics              bool
}

func (s oddStore) Load(ctx context.Context, key string) (cache.Entry, error) {
	if s.load != nil {
		return cache.Entry{}, s.load
	}
	return s.Memory.Load(ctx, key)
}

func (s oddStore) Lock(ctx context.Context, key string) (cache.Lease, error) {
	if s.none || s.lock != nil {
		return nil, s.lock
	}
	lease, err := s.Memory.Lock(ctx, key)
	return oddLease{lease, s}, err
}

type oddLease struct {
	cache.Lease
	of oddStore
}

func (l oddLease) Loaded() (cache.Entry, error) {
	if l.of.panics {
		panic("Loaded")
	}
	if l.of.loaded != nil {
		return cache.Entry{}, l.of.loaded
	}
	return cache.Entry{}, cache.ErrMiss
}

func (l oddLease) Store(ctx context.Context, e cache.Entry) error {
	if l.of.store != nil {
		return l.of.store
	}
	return l.Lease.Store(ctx, e)
}
