package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T10
func TestRefusedCredentialsRestForAMinuteDoublingToFifteen(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box, func(c *Config) {
			c.Credentials = Credentials{Email: sessiontest.Email, Password: "wrong"}
		})
		start := time.Now()
		var posts []time.Duration
		for time.Since(start) < time.Hour {
			if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Fatalf("got %v, want ErrInvalidCredentials", err)
			}
			if n := box.Counts().Creates; n > len(posts) {
				posts = append(posts, time.Since(start))
			}
			pass(time.Second)
		}
		want := []time.Duration{0, 1 * time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute}
		if fmt.Sprint(posts) != fmt.Sprint(want) {
			t.Errorf("with a call each second the sign-ins were at %v, want %v", posts, want)
		}
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
