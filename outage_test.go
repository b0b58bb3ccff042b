package jwtsession

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T9: whatever an early refresh has waited for before.
func TestTheFirstCallerAfterTheExpiryGetsRetriesWithinTheTimeout(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 503})
		pass(time.Until(ts.Status().ExpiresAt) + 10*time.Second)
		time.AfterFunc(5*time.Second, func() { box.Heal() })
		waited := took(func() { token(t, ts) })
		if waited < 5*time.Second || waited > 10*time.Second {
			t.Errorf("the first caller waited %v, want a little longer than the 5 s that the server was away", waited)
		}
	})
}

// T11: a refresh that fails judges nothing: the session is kept, and asked about
// again.
func TestARejectionDuringARefreshThatFailsCostsNoSessionAndNoSignIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		old := token(t, ts)
		box.Inject(sessiontest.OpRefresh, -1, sessiontest.Fault{Status: 503, Delay: time.Second})
		pass(time.Until(ts.Status().RefreshAt) + time.Minute)
		<-box.Await(sessiontest.OpRefresh, box.Counts().Refreshes+1)
		box.RevokeAll()
		ts.Invalidate(old)
		if got := token(t, ts); got != old {
			t.Error("the session was given up, although nothing has judged it")
		}
		expectCalls(t, box, 1, box.Counts().Refreshes, 0)
		box.Heal()
		pass(time.Minute)
		if got := token(t, ts); got == old {
			t.Error("a minute later the session is not asked about: got the old token")
		}
		expectCalls(t, box, 2, box.Counts().Refreshes, 0)
	})
}

// T11
func TestALate401ToAnExpiredTokenDoesNotDisturbTheNewerOne(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		old := ts.current.Load
		token(t, ts)
		first := old()
		pass(15 * time.Minute)
		ts.reject(first)
		token(t, ts)
		expectCalls(t, box, 1, 1, 0)
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

// T5
func TestACallerThatHasGivenUpAlreadyStartsNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := ts.TokenContext(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		pass(time.Second)
		expectCalls(t, box, 0, 0, 0)
	})
}

// E2: an issuer of one's own may count in milliseconds, too.
func TestAnExpiryThatNobodyCanWriteIsUnknown(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{create: func(context.Context) (Session, error) {
		return Session{Token: "opaque", ExpiresAt: time.Unix(1500334993000, 0)}, nil
	}}})
	token(t, ts)
	text, err := json.Marshal(ts.Status())
	if err != nil || strings.Contains(string(text), "expiresAt") {
		t.Errorf("the status is %s, %v; want no expiry", text, err)
	}
}

// chattyError is an issuer's error with a token in a field.
type chattyError struct{ Token string }

func (chattyError) Error() string { return "the issuer failed" }

// X1
func TestNoVerbPrintsWhatIsInAnErrorOfAnEventOrAStatus(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		const canary = "canary-in-a-field"
		var j journal
		ts := newSourceOf(t, Config{Issuer: &issuerFuncs{refresh: func(context.Context, Session) (Session, error) {
			return Session{}, chattyError{canary}
		}}}, j.record)
		token(t, ts)
		pass(12*time.Minute + time.Second)
		if len(j.all()) < 2 || ts.Status().LastError == nil {
			t.Fatal("there was no failure: the test would show nothing")
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			for _, value := range []any{ts.Status(), j.all(), struct{ E Event }{j.all()[1]}} {
				if text := fmt.Sprintf(verb, value); strings.Contains(text, canary) || !strings.Contains(text, "the issuer failed") {
					t.Errorf("%s of a %T: %s; want the error's text and not its field", verb, value, text)
				}
			}
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

// T8: for however long the life is.
func TestAServerThatNeverMovesALongExpiryGetsAFewCalls(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		end := time.Now().Add(14 * 24 * time.Hour)
		same := func(context.Context) (Session, error) { return Session{Token: "same", ExpiresAt: end}, nil }
		issuer := &issuerFuncs{create: same, refresh: func(ctx context.Context, _ Session) (Session, error) { return same(ctx) }}
		ts := newSourceOf(t, Config{Issuer: issuer})
		token(t, ts)
		pass(time.Until(end) - time.Second)
		if creates, refreshes, _ := issuer.counts(); creates > 30 || refreshes > 30 {
			t.Errorf("%d sign-ins and %d refreshes in one life of two weeks, want a few", creates, refreshes)
		}
	})
}
