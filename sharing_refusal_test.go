package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// T10: fifty processes with a wrong password send it once a minute.
func TestARefusalIsSharedAndDoublesForAll(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		wrong := func(c *Config) { c.Credentials = Credentials{Email: sessiontest.Email, Password: "wrong"} }
		expectLockout(t, box, func() {
			// Each call is by a process that has just started.
			ts := newSource(t, box, through(store), wrong)
			_, err := ts.Token()
			var api *APIError
			if !errors.Is(err, ErrInvalidCredentials) || !errors.As(err, &api) || api.StatusCode != 401 || api.Message == "" {
				t.Fatalf("got %v, want the server's 401 with what it said", err)
			}
			ts.Close()
		})
	})
}

// T10
func TestARefusedPasswordWorksForAllOnceTheServerTakesIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		later := func(c *Config) { c.Credentials = Credentials{Email: sessiontest.Email, Password: "later"} }
		a, b := newSource(t, box, through(store), later), newSource(t, box, through(store), later)
		for _, ts := range []*TokenSource{a, b, a, b} {
			if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Fatalf("got %v, want ErrInvalidCredentials", err)
			}
		}
		expectCalls(t, box, 1, 0, 0)
		box.SetPassword(sessiontest.Email, "later")
		pass(time.Minute)
		if token(t, a) != token(t, b) {
			t.Error("the two sources have a session each, want one")
		}
		expectCalls(t, box, 2, 0, 0)
	})
}

// With an Issuer the key and the account take the place of the credentials.
func TestAnIssuersSessionIsSharedByItsAccount(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		store, issuer := cache.NewMemory(), &issuerFuncs{}
		source := func(account string) *TokenSource {
			return newSourceOf(t, Config{Issuer: issuer, Account: account}, through(store))
		}
		if first, second := token(t, source("a")), token(t, source("a")); first != second {
			t.Error("two sources of one account have a session each, want one")
		}
		token(t, source("b"))
		if creates, _, _ := issuer.counts(); creates != 2 {
			t.Errorf("%d sign-ins for two accounts, want 2", creates)
		}
	})
}

// A session without an expiry lasts until a 401, for all who share it.
func TestASessionOfUnknownLifeIsShared(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		store, n := cache.NewMemory(), 0
		issuer := &issuerFuncs{create: func(context.Context) (Session, error) {
			n++
			return Session{Token: fmt.Sprint("opaque-", n)}, nil
		}, refresh: func(context.Context, Session) (Session, error) { return Session{}, ErrUnauthorized }}
		a := newSourceOf(t, Config{Issuer: issuer, Account: "a"}, through(store))
		b := newSourceOf(t, Config{Issuer: issuer, Account: "a"}, through(store))
		token(t, a)
		pass(1000 * time.Hour)
		if got := token(t, b); got != "opaque-1" {
			t.Errorf("got %q, want the first session", got)
		}
		a.Invalidate("opaque-1")
		if got := token(t, a); got != "opaque-2" {
			t.Errorf("after a rejection got %q, want a new session", got)
		}
		b.Invalidate("opaque-1")
		if got := token(t, b); got != "opaque-2" || n != 2 {
			t.Errorf("the other source got %q after %d sign-ins, want the new session from the cache and 2", got, n)
		}
	})
}
