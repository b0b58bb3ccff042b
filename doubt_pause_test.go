package jwtsession

import (
	"net/http"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T12: the pause is over after a minute, whatever else happens.
func TestAnEndpointThatSays401ToARequestAndItsRepetitionCostsNoOtherRequest(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration // how often a request is made
		again int           // how many of them come before the endpoint says 401 twice more
	}{
		"once, and hours of rest":                {5 * time.Hour, 100},
		"once, and a job every twenty minutes":   {20 * time.Minute, 100},
		"with every third job of twenty minutes": {20 * time.Minute, 3},
		"with every third job of ten seconds":    {10 * time.Second, 3},
		"with every second job of forty minutes": {40 * time.Minute, 2},
	} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				expectOK(t, box, ts)
				lost := 0
				for i := range 72 {
					if i%c.again == 0 {
						box.Inject(sessiontest.OpResource, 2, sessiontest.Fault{Status: 401})
						if got := status(t, box, ts); got != 401 {
							t.Fatalf("the endpoint that says 401 twice: got %d", got)
						}
						box.Heal() // the repetition may not have been made
					}
					pass(c.every)
					if status(t, box, ts) != http.StatusOK {
						lost++
					}
				}
				if lost > 0 {
					t.Errorf("%d of 72 requests to a healthy server were lost, want none", lost)
				}
			})
		})
	}
}

// T12: whatever is rejected, and for however long, the session calls are few, and
// the session is kept and refreshed.
func TestAnEndpointThatAlwaysSays401CostsTwoSessionCallsAMinute(t *testing.T) {
	withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
		ts := open()
		expectOK(t, box, ts)
		box.Inject(sessiontest.OpResource, -1, sessiontest.Fault{Status: 401})
		for range 600 {
			if got := status(t, box, ts); got != 401 {
				t.Fatalf("got %d, want the endpoint's 401", got)
			}
			pass(time.Second)
		}
		got := box.Counts()
		if got.Creates < 9 || got.Creates > 11 || got.Refreshes > 13 {
			t.Errorf("600 rejected requests in ten minutes made %d sign-ins and %d refreshes, want the first and one of each a minute", got.Creates, got.Refreshes)
		}
		box.Heal()
		expectOK(t, box, ts)
		pass(time.Hour)
		if n := box.Counts().Creates - got.Creates; n > 1 || !ts.Status().Live {
			t.Errorf("an hour later there were %d more sign-ins, and the session lives: %v; want it refreshed", n, ts.Status().Live)
		}
	})
}

// T12: two log-outs elsewhere are two reasons to sign in.
func TestARejectionAMinuteAfterTheLastSignsInAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		for n := 1; n <= 3; n++ {
			first := token(t, ts)
			expectCalls(t, box, n, n-1, 0) // each rejection is asked about first
			box.RevokeAll()
			ts.Invalidate(first)
			token(t, ts)
			pass(time.Minute)
		}
	}, sessiontest.WithTokenLife(24*time.Hour))
}

// T12: a token that expired on its way to the server is no rejection, and does
// not put off the sign-in that a revocation right after it asks for.
func TestA401ToATokenThatHasExpiredIsNoRejection(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, -1, sessiontest.Fault{Status: 503})
		ts := newSource(t, box)
		old := token(t, ts)
		pass(15 * time.Minute)
		ts.Invalidate(old)
		box.Heal()
		pass(time.Minute)
		token(t, ts)
		pass(10 * time.Second)
		box.RevokeAll()
		expectOK(t, box, ts)
	})
}
