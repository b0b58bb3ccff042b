package jwtsession

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

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
