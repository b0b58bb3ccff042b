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

// expectLockout asks once a second for an hour, and compares when the server was
// asked.
func expectLockout(t *testing.T, box *sessiontest.Server, ask func()) {
	t.Helper()
	start := time.Now()
	var posts []time.Duration
	for time.Since(start) < time.Hour {
		ask()
		if n := box.Counts().Creates; n > len(posts) {
			posts = append(posts, time.Since(start))
		}
		pass(time.Second)
	}
	want := []time.Duration{0, 1 * time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute}
	if fmt.Sprint(posts) != fmt.Sprint(want) {
		t.Errorf("the sign-ins were at %v, want %v", posts, want)
	}
}

// T10
func TestRefusedCredentialsRestForAMinuteDoublingToFifteen(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box, func(c *Config) {
			c.Credentials = Credentials{Email: sessiontest.Email, Password: "wrong"}
		})
		expectLockout(t, box, func() {
			if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Fatalf("got %v, want ErrInvalidCredentials", err)
			}
		})
	})
}

// T10
func TestChangedCredentialsAreTriedAtOnceAndTheProviderIsAskedEachTime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		password, asked := "wrong", 0
		ts := newSource(t, box, func(c *Config) {
			c.Credentials = CredentialsProviderFunc(func(context.Context) (Credentials, error) {
				asked++
				return Credentials{Email: sessiontest.Email, Password: password}, nil
			})
		})
		for range 50 {
			ts.Token()
		}
		if asked != 50 {
			t.Errorf("50 calls asked the provider %d times, want each time", asked)
		}
		expectCalls(t, box, 1, 0, 0)
		password = sessiontest.Password
		token(t, ts)
		expectCalls(t, box, 2, 0, 0)
	})
}

// T10
func TestARefusalAfterARejectedRefreshLeavesTheLiveTokenToItsCallers(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		first := token(t, ts)
		expiry := ts.Status().ExpiresAt
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 404})
		box.SetPassword(sessiontest.Email, "changed at the server")
		pass(time.Until(ts.Status().RefreshAt))
		expectCalls(t, box, 2, 1, 0)
		if got := token(t, ts); got != first {
			t.Error("the callers' token changed, want the live one")
		}
		pass(time.Until(expiry))
		if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
			t.Errorf("after the expiry: got %v, want ErrInvalidCredentials", err)
		}
		if n := box.Counts().Creates; n > 4 {
			t.Errorf("%d sign-ins with a refused password within 5 minutes, want the lockout's 4 at most", n)
		}
	})
}

// T10: a provider that wavers between two wrong passwords has both refused.
func TestWaveringBetweenTwoRefusedPasswordsSendsEachOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		asked := 0
		ts := newSource(t, box, func(c *Config) {
			c.Credentials = CredentialsProviderFunc(func(context.Context) (Credentials, error) {
				asked++
				return Credentials{Email: sessiontest.Email, Password: fmt.Sprint("wrong", asked%2)}, nil
			})
		})
		for range 50 {
			if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Fatalf("got %v, want ErrInvalidCredentials", err)
			}
			pass(time.Second)
		}
		expectCalls(t, box, 2, 0, 0)
	})
}

// T10, T13: Revoke forgets neither a refusal nor a Retry-After.
func TestARevocationDoesNotEndARestThatTheServerAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		password string
		fault    sessiontest.Fault
	}{
		"a wrong password":         {"wrong", sessiontest.Fault{}},
		"a Retry-After with a 429": {sessiontest.Password, sessiontest.Fault{Status: 429, RetryAfter: "60"}},
		"a Retry-After with a 503": {sessiontest.Password, sessiontest.Fault{Status: 503, RetryAfter: "60"}},
	} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				if c.fault.Status != 0 {
					box.Inject(sessiontest.OpCreate, -1, c.fault)
				}
				ts := open(func(config *Config) {
					config.Credentials = Credentials{Email: sessiontest.Email, Password: c.password}
				})
				for i := range 50 {
					if _, err := ts.Token(); err == nil {
						t.Fatalf("call %d got a token, want the server's error", i)
					}
					revoke(t, ts)
					pass(time.Second)
				}
				expectCalls(t, box, 1, 0, 0)
			})
		})
	}
}

// T10, T18: nor do others that share the cache.
func TestARevocationDoesNotEndTheRestForOthers(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		for range 50 {
			ts := newSource(t, box, through(store), func(c *Config) {
				c.Credentials = Credentials{Email: sessiontest.Email, Password: "wrong"}
			})
			if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Fatalf("got %v, want the refusal", err)
			}
			revoke(t, ts)
			ts.Close()
		}
		expectCalls(t, box, 1, 0, 0)
	})
}

// T10: also where an issuer has credentials of its own, which nobody can compare.
func TestARevocationDoesNotEndTheRestOfAnIssuersCredentials(t *testing.T) {
	for name, credentials := range map[string]CredentialsProvider{
		"without Credentials":   nil,
		"with Credentials, too": Credentials{Email: sessiontest.Email, Password: "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
				issuer := &issuerFuncs{create: func(context.Context) (Session, error) { return Session{}, ErrInvalidCredentials }}
				ts := newSourceOf(t, Config{Issuer: issuer, Credentials: credentials})
				for range 50 {
					ts.Token()
					revoke(t, ts)
				}
				if n, _, _ := issuer.counts(); n != 1 {
					t.Errorf("50 calls and as many revocations made %d sign-ins with a refused password, want 1", n)
				}
			})
		})
	}
}

// T10: who corrects the password is let in at once, here and in other processes,
// where Credentials go with an Issuer; and where none do, after the minute.
func TestACorrectedPasswordBesideAnIssuerIsTriedAtOnce(t *testing.T) {
	for name, shared := range map[string]bool{"with a cache": true, "without a cache": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
				password := "wrong"
				issuer := &issuerFuncs{}
				issuer.create = func(context.Context) (Session, error) {
					if password == "wrong" {
						return Session{}, ErrInvalidCredentials
					}
					return Session{Token: "good", ExpiresAt: time.Now().Add(time.Hour)}, nil
				}
				config := Config{Issuer: issuer, Credentials: CredentialsProviderFunc(func(context.Context) (Credentials, error) {
					return Credentials{Email: sessiontest.Email, Password: password}, nil
				})}
				if shared {
					through(cache.NewMemory())(&config)
				}
				first, second := newSourceOf(t, config), newSourceOf(t, config)
				for _, ts := range []*TokenSource{first, second} {
					if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
						t.Fatalf("got %v, want the refusal", err)
					}
				}
				password = "right"
				for _, ts := range []*TokenSource{newSourceOf(t, config), second, first} {
					if waited := took(func() { token(t, ts) }); waited != 0 {
						t.Errorf("with the password corrected a caller waited %v, want none", waited)
					}
				}
			})
		})
	}
}

// T10: that another password was right says nothing of the one that was refused.
func TestARefusedPasswordRestsAlthoughAnotherWasRight(t *testing.T) {
	withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
		password := "wrong"
		ts := open(func(c *Config) {
			c.Credentials = CredentialsProviderFunc(func(context.Context) (Credentials, error) {
				return Credentials{Email: sessiontest.Email, Password: password}, nil
			})
		})
		for i, next := range []string{"wrong", sessiontest.Password, "wrong", sessiontest.Password, "wrong"} {
			password = next
			if _, err := ts.Token(); (err == nil) != (next == sessiontest.Password) {
				t.Fatalf("call %d with the password %q: got error %v", i, next, err)
			}
			revoke(t, ts)
			pass(time.Second)
		}
		expectCalls(t, box, 3, 0, 2)
	})
}
