package jwtsession

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T6; and what a refresh brings after a log-out is no session.
func TestARefreshThatEndsAfterALogOutDoesNotBringTheSessionBack(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		release := make(chan struct{})
		letGo := sync.OnceFunc(func() { close(release) })
		defer letGo()
		ts := newSource(t, box, holdRefreshes(release))
		token(t, ts)
		pass(time.Until(ts.Status().RefreshAt) + time.Second) // the answer is held back by now
		if n := box.Counts().Refreshed; n != 1 {
			t.Fatalf("the server answered %d refreshes, want the one that is held back", n)
		}
		revoked := make(chan error)
		go func() { revoked <- ts.Revoke(t.Context()) }()
		synctest.Wait()
		letGo()
		if err := <-revoked; err != nil {
			t.Fatalf("Revoke: %v", err)
		}
		synctest.Wait()
		if ts.current.Load() != nil || !ts.Status().RefreshAt.IsZero() {
			t.Errorf("after Revoke the source has a session, or plans a refresh: %+v", ts.Status())
		}
		expectCalls(t, box, 1, 1, 1)
		token(t, ts)
		expectCalls(t, box, 2, 1, 1)
	})
}

// holdRefreshes holds the answers to refreshes back until release is closed,
// whatever the context says.
func holdRefreshes(release <-chan struct{}) func(*Config) {
	return func(c *Config) {
		base := c.HTTPClient.Transport
		held := *c.HTTPClient
		held.Transport = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method != http.MethodGet {
				return base.RoundTrip(req)
			}
			res, err := base.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
			<-release
			return res, err
		})
		c.HTTPClient = &held
	}
}

// T6
func TestAnAnswerThatComesTooLateDoesNotReplaceANewerSession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		release := make(chan struct{})
		issuer := &issuerFuncs{}
		issuer.refresh = func(context.Context, Session) (Session, error) {
			if _, n, _ := issuer.counts(); n == 1 {
				<-release // whatever the context says
				return Session{Token: "late", ExpiresAt: time.Now().Add(time.Hour)}, nil
			}
			return Session{Token: "newer", ExpiresAt: time.Now().Add(15 * time.Minute)}, nil
		}
		ts := newSourceOf(t, Config{Issuer: issuer})
		first := token(t, ts)
		pass(12 * time.Minute)
		for start := time.Now(); token(t, ts) == first && time.Since(start) < 3*time.Minute; {
			pass(time.Second)
		}
		close(release)
		synctest.Wait()
		if got := token(t, ts); got != "newer" {
			t.Errorf("after the late answer the token is %q, want the newer one", got)
		}
	})
}

// T7
func TestAFailedEarlyRefreshIsTriedAgainWhileTheTokenLives(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 503})
		var j journal
		ts := newSource(t, box, j.record)
		first := token(t, ts)
		due := time.Until(ts.Status().RefreshAt)
		pass(due)
		if got := token(t, ts); got != first {
			t.Error("the callers' token changed with the failure")
		}
		pass(1300 * time.Millisecond)
		if got := token(t, ts); got == first {
			t.Error("1.3 s after the first failure there was no other attempt, want one after about a second")
		}
		expectCalls(t, box, 1, 2, 0)
		if got, want := j.kinds(), "signed in, refresh failed, refreshed"; got != want {
			t.Errorf("events: %s; want %s", got, want)
		}
		if e := j.all()[1]; e.Err == nil || e.Attempt != 1 || e.RetryIn < 500*time.Millisecond || e.RetryIn > 1300*time.Millisecond {
			t.Errorf("the failure's event is %+v, want attempt 1, an error, and another in about 1 s", e)
		}
	})
}

// T7: retries until expiry, never more than a quarter of what is left apart.
func TestTheRetriesOfARefreshComeCloserTogetherTowardsTheExpiry(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, -1, sessiontest.Fault{Status: 500})
		var j journal
		ts := newSource(t, box, j.record)
		token(t, ts)
		expiry := ts.Status().ExpiresAt
		pass(time.Until(expiry) - time.Millisecond)
		if _, err := ts.Token(); err != nil {
			t.Errorf("a millisecond before the expiry a caller got %v, want the live token", err)
		}
		events := j.all()[1:]
		if len(events) < 8 {
			t.Fatalf("there were %d attempts in the refresh window, want many", len(events))
		}
		for i, e := range events[:len(events)-1] {
			left := expiry.Sub(e.Time)
			apart := events[i+1].Time.Sub(e.Time)
			if apart > max(left/4, 100*time.Millisecond)+time.Millisecond {
				t.Errorf("attempts %d and %d are %v apart with %v left, want a quarter of that at most", i+1, i+2, apart, left)
			}
			if apart > 73*time.Second {
				t.Errorf("attempts %d and %d are %v apart, want about a minute at most", i+1, i+2, apart)
			}
		}
		last := events[len(events)-1]
		if left := expiry.Sub(last.Time); left > time.Second {
			t.Errorf("the last attempt was %v before the expiry, want them to go on until then", left)
		}
		box.Heal()
		pass(time.Second)
		token(t, ts)
	})
}

// T7, S6
func TestARetryAfterDelaysTheNextAttemptAtARefresh(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 429, RetryAfter: "30"})
		ts := newSource(t, box)
		token(t, ts)
		pass(time.Until(ts.Status().RefreshAt))
		if wait := time.Until(ts.Status().RefreshAt); wait != 30*time.Second {
			t.Errorf("the next attempt is due in %v, want the 30 s that the server asked for", wait)
		}
		pass(30*time.Second - time.Millisecond)
		expectCalls(t, box, 1, 1, 0)
		pass(time.Millisecond)
		expectCalls(t, box, 1, 2, 0)
	})
}

// T7, T9: no caller makes the call that the server asked not to make.
func TestARetryAfterOfARefreshHoldsBeyondTheExpiry(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 429, RetryAfter: "280"})
		ts := newSource(t, box)
		token(t, ts)
		expiry := ts.Status().ExpiresAt
		pass(time.Until(ts.Status().RefreshAt))
		allowed := time.Now().Add(280 * time.Second)
		pass(max(0, time.Until(expiry)))
		if time.Now().Before(allowed) && time.Until(allowed) < DefaultTimeout {
			token(t, ts) // waits for it
		} else if _, err := ts.Token(); err != nil && time.Now().Before(allowed) {
			pass(time.Until(allowed))
			token(t, ts)
		}
		if time.Now().Before(allowed) {
			t.Errorf("there was a token %v before the server was willing, want none", time.Until(allowed))
		}
	})
}

// T7
func TestARefreshThatHangsIsBoundedAndFollowedByAnother(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box)
		first := token(t, ts)
		pass(time.Until(ts.Status().RefreshAt) + DefaultTimeout + 2*time.Second)
		if got := token(t, ts); got == first {
			t.Error("one refresh that hung ended the refreshing, want another attempt after the time-out")
		}
		expectCalls(t, box, 1, 2, 0)
	})
}

// T8
func TestARefreshThatTheServerRejectsLeadsToASignInAtOnce(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 409, 410, 422, 451} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: status})
				ts := newSource(t, box)
				token(t, ts)
				pass(time.Until(ts.Status().RefreshAt))
				expectCalls(t, box, 2, 1, 0)
			})
		})
	}
}

// T8
func TestARefreshThatFailsForNowDoesNotLeadToASignIn(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504, 599, 302, 204} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: status})
				ts := newSource(t, box)
				token(t, ts)
				pass(time.Until(ts.Status().RefreshAt) + 2*time.Second)
				expectCalls(t, box, 1, 2, 0)
			})
		})
	}
}

// T8
func TestARefreshThatDoesNotMoveTheExpiryLeadsToASignInAndNotToALoop(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{SameExpiry: true})
		ts := newSource(t, box)
		token(t, ts)
		old := ts.Status().ExpiresAt
		pass(time.Until(ts.Status().RefreshAt))
		expectCalls(t, box, 2, 1, 0)
		if renewed := ts.Status().ExpiresAt; !renewed.After(old) {
			t.Errorf("the session expires at %v, as before", renewed)
		}
	})
}

// T8: a server whose sign-ins do not move the expiry either gets no storm.
func TestAServerThatNeverMovesTheExpiryGetsAFewCalls(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		end := time.Now().Add(15 * time.Minute)
		same := func(context.Context) (Session, error) { return Session{Token: "same", ExpiresAt: end}, nil }
		issuer := &issuerFuncs{create: same, refresh: func(ctx context.Context, _ Session) (Session, error) { return same(ctx) }}
		ts := newSourceOf(t, Config{Issuer: issuer})
		token(t, ts)
		pass(15*time.Minute - time.Second)
		if creates, refreshes, _ := issuer.counts(); creates+refreshes > 60 {
			t.Errorf("%d sign-ins and %d refreshes in one life, want the backoff's few", creates, refreshes)
		}
	})
}

// T8: "changed token" is not the test.
func TestARefreshWithTheSameTokenAndALaterExpiryIsARefresh(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		later := func() (Session, error) {
			return Session{Token: "the-same", ExpiresAt: time.Now().Add(15 * time.Minute)}, nil
		}
		issuer := &issuerFuncs{
			create:  func(context.Context) (Session, error) { return later() },
			refresh: func(context.Context, Session) (Session, error) { return later() },
		}
		ts := newSourceOf(t, Config{Issuer: issuer})
		for range 60 {
			token(t, ts)
			pass(time.Minute)
		}
		if creates, refreshes, _ := issuer.counts(); creates != 1 || refreshes < 4 || refreshes > 6 {
			t.Errorf("%d sign-ins and %d refreshes in an hour, want 1 and about 5", creates, refreshes)
		}
	})
}

// E5, T8
func TestARefreshThatBringsAnExpiredSessionLeadsToASignIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Expired: true})
		ts := newSource(t, box)
		token(t, ts)
		pass(time.Until(ts.Status().RefreshAt))
		expectCalls(t, box, 2, 1, 0)
	})
}

// E5
func TestASessionThatIsExpiredOnArrivalIsAnErrorAndNotALoop(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Expired: true})
		ts := newSource(t, box)
		var err error
		for range 50 {
			_, err = ts.Token()
		}
		if err == nil || !strings.Contains(err.Error(), "expired") || !strings.Contains(err.Error(), "clock") {
			t.Errorf("got %v, want an error that speaks of the expiry and the clocks", err)
		}
		expectCalls(t, box, 1, 0, 0)
	})
}

func (chattyError) Error() string { return "the issuer failed" }

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
