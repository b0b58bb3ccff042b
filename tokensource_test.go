package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/sessiontest"
)

var _ oauth2.TokenSource = (*TokenSource)(nil)

// T1
func TestEveryCallerGetsACopyOfTheTokenThatItMayChange(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	want := token(t, ts)
	first, _ := ts.Token()
	first.AccessToken, first.Expiry, first.TokenType = "changed", time.Time{}, "changed"
	second, err := ts.Token()
	if err != nil || second.AccessToken != want || second.Expiry.IsZero() || second.Type() != "Bearer" {
		t.Errorf("after a caller changed its token the next got %q, %v, %q, %v; want %q, an expiry and Bearer", second.AccessToken, second.Expiry, second.TokenType, err, want)
	}
}

// T1
func TestALiveTokenIsReadWithoutALockAndWithoutAnAllocation(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	want := token(t, ts)

	ts.mu.Lock()
	defer ts.mu.Unlock()
	read := make(chan string)
	go func() { read <- token(t, ts) }()
	select {
	case got := <-read:
		if got != want {
			t.Errorf("got token %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Token waited for the source's lock")
	}
	var s *snapshot
	if got := testing.AllocsPerRun(1000, func() { s, _ = ts.acquire(t.Context()) }); got != 0 {
		t.Errorf("reading the current session makes %v allocations, want 0", got)
	}
	if s.header != "Bearer "+want {
		t.Errorf("the session's header is %q, want %q", s.header, "Bearer "+want)
	}
}

// T5
func TestTenThousandCallersOnAColdSourceMakeOneSignIn(t *testing.T) {
	box := sessiontest.NewServer(sessiontest.WithLatency(100 * time.Millisecond))
	defer box.Close()
	ts := newSource(t, box)
	var failed atomic.Int64
	together(10_000, func(int) {
		if _, err := ts.Token(); err != nil {
			failed.Add(1)
		}
	})
	if n := failed.Load(); n != 0 {
		t.Errorf("%d of 10,000 callers got an error, want none", n)
	}
	expectCalls(t, box, 1, 0, 0)
}

// T5, T10
func TestTenThousandCallersWithAWrongPasswordMakeOneSignInAndGetTheSameError(t *testing.T) {
	box := sessiontest.NewServer(sessiontest.WithLatency(100 * time.Millisecond))
	defer box.Close()
	ts := newSource(t, box, func(c *Config) {
		c.Credentials = Credentials{Email: sessiontest.Email, Password: "wrong"}
	})
	all := make([]error, 10_000)
	together(len(all), func(i int) { _, all[i] = ts.Token() })
	for _, err := range all {
		if !errors.Is(err, ErrInvalidCredentials) || err != all[0] {
			t.Fatalf("a caller got %v, want the %v of all the others", err, all[0])
		}
	}
	expectCalls(t, box, 1, 0, 0)
}

// T5
func TestAWaitersDeadlineEndsItsOwnWaitAndNobodyElses(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Delay: 10 * time.Second})
		ts := newSource(t, box)
		patient := make(chan error)
		go func() { _, err := ts.Token(); patient <- err }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		var err error
		waited := took(func() { _, err = ts.TokenContext(ctx) })
		if waited != 200*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a 200 ms context returned after %v with %v, want after 200 ms with its own error", waited, err)
		}
		if err := <-patient; err != nil {
			t.Errorf("the other caller got %v, want a token", err)
		}
		expectCalls(t, box, 1, 0, 0)
	})
}

// T5
func TestTheFirstCallersCancellationDoesNotEndTheSignIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := make(chan error), make(chan error)
		go func() { _, err := ts.TokenContext(ctx); first <- err }()
		synctest.Wait()
		go func() { _, err := ts.Token(); second <- err }()
		synctest.Wait()
		because := errors.New("the user went away")
		cancel(because)
		if err := <-first; !errors.Is(err, context.Canceled) || !errors.Is(err, because) {
			t.Errorf("the caller who cancelled got %v, want its own cancellation and its cause", err)
		}
		if err := <-second; err != nil {
			t.Errorf("the second caller got %v, want a token", err)
		}
		expectCalls(t, box, 1, 0, 0)
	}, sessiontest.WithLatency(5*time.Second))
}

// T5
func TestAContextThatHasEndedStillReadsALiveToken(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	token(t, ts)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ts.TokenContext(ctx); err != nil {
		t.Errorf("with a live session: got %v, want a token without a wait", err)
	}
}

// T5
func TestThereIsOneSessionCallAtATime(t *testing.T) {
	var running, most atomic.Int32
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box, func(c *Config) {
			base := c.HTTPClient.Transport
			c.HTTPClient.Transport = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer running.Add(-1)
				return base.RoundTrip(req)
			})
		})
		for range 50 {
			together(20, func(i int) {
				got, err := ts.Token()
				switch {
				case err != nil:
				case i%7 == 3:
					ts.Invalidate(got.AccessToken)
				case i%10 == 9:
					ts.Revoke(t.Context())
				}
			})
			pass(15 * time.Second)
		}
	}, sessiontest.WithTokenLife(20*time.Second), sessiontest.WithLatency(300*time.Millisecond))
	if most.Load() != 1 {
		t.Errorf("there were up to %d session calls at a time, want 1", most.Load())
	}
}

// T5, Timeout
func TestASignInThatHangsEndsWithTheTimeout(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box)
		var err error
		waited := took(func() { _, err = ts.Token() })
		if waited != DefaultTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a sign-in that hangs: %v after %v, want a deadline exceeded after %v", err, waited, DefaultTimeout)
		}
		if !strings.Contains(fmt.Sprint(err), "localhost") || !strings.Contains(fmt.Sprint(err), "sign in") {
			t.Errorf("the error is %q, want it to say what was tried and where", err)
		}
	})
}

// T9
func TestCallersOfAServerThatFailsGetTheErrorAtOnceUntilTheNextAttemptIsDue(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Status: 503})
		ts := newSource(t, box)
		var first error
		waited := took(func() { _, first = ts.Token() })
		if waited > DefaultTimeout || waited < DefaultTimeout/4 || first == nil {
			t.Errorf("the first caller got %v after %v, want an error after retries within %v", first, waited, DefaultTimeout)
		}
		tries := box.Counts().Creates
		if tries < 3 || tries > 8 {
			t.Errorf("there were %d attempts within %v, want the few of an exponential backoff", tries, DefaultTimeout)
		}
		waited = took(func() {
			together(100, func(int) {
				if _, err := ts.Token(); errors.Unwrap(err) != first {
					t.Errorf("a later caller got %v, want the first one's %v", err, first)
				}
			})
		})
		if waited != 0 {
			t.Errorf("100 callers waited %v for an error that is known, want 0", waited)
		}
		expectCalls(t, box, tries, 0, 0)

		// Callers every 100 ms for ten minutes make an attempt a minute at most.
		for range 6000 {
			ts.Token()
			pass(100 * time.Millisecond)
		}
		if n := box.Counts().Creates - tries; n < 8 || n > 16 {
			t.Errorf("6,000 calls in ten minutes of an outage made %d attempts, want about one a minute", n)
		}
		box.Heal()
		pass(75 * time.Second)
		token(t, ts)
	})
}

// T9
func TestOneHundredCallersOnAFailingServerMakeOneRowOfAttempts(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Drop: true})
		ts := newSource(t, box, func(c *Config) { c.Timeout = 500 * time.Millisecond })
		together(100, func(int) {
			if _, err := ts.Token(); err == nil {
				t.Error("got a token of a server that answers nothing")
			}
		})
		expectCalls(t, box, 1, 0, 0)
	})
}

// T9
func TestAnOutageOfAFewSecondsCostsTheFirstCallerAWaitAndNoError(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, 3, sessiontest.Fault{Status: 502, Body: "<html>Bad Gateway</html>", ContentType: "text/html"})
		ts := newSource(t, box)
		waited := took(func() { token(t, ts) })
		if waited < 5*time.Second || waited > 9*time.Second {
			t.Errorf("three failures cost %v, want the about 1, 2 and 4 seconds of the schedule", waited)
		}
		expectCalls(t, box, 4, 0, 0)
	})
}

// T9, S6
func TestARetryAfterBeyondTheTimeoutEndsTheOperationAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Status: 429, RetryAfter: "120"})
		ts := newSource(t, box)
		var err error
		waited := took(func() { _, err = ts.Token() })
		var api *APIError
		if waited != 0 || !errors.As(err, &api) || api.RetryAfter != 2*time.Minute {
			t.Errorf("got %v after %v, want the server's 429 at once", err, waited)
		}
		if _, again := ts.Token(); !strings.Contains(fmt.Sprint(again), "said just now; the server is asked again in 2m0s") {
			t.Errorf("in the same second: got %v, want that it was said just now", again)
		}
		pass(119 * time.Second)
		if _, again := ts.Token(); errors.Unwrap(again) != err || !strings.Contains(again.Error(), "said 1m59s ago; the server is asked again in 1s") {
			t.Errorf("a second before the server is willing: got %v, want %v", again, err)
		}
		expectCalls(t, box, 1, 0, 0)
		pass(time.Second)
		token(t, ts)
	})
}

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
