package jwtsession

import (
	"net/http"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// status makes a request through the source, and returns the answer's status.
func status(t testing.TB, box *sessiontest.Server, ts *TokenSource) int {
	t.Helper()
	res, err := ts.Client().Get(box.URL + "/me")
	if err != nil {
		t.Fatalf("a request got %v, want an answer", err)
	}
	res.Body.Close()
	return res.StatusCode
}

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

// T12: whatever is rejected, and for however long, the session calls are few.
func TestAnEndpointThatAlwaysSays401CostsTwoSessionCallsAMinute(t *testing.T) {
	withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
		ts := open()
		expectOK(t, box, ts)
		box.Inject(sessiontest.OpResource, -1, sessiontest.Fault{Status: 401})
		for range 600 {
			status(t, box, ts)
			pass(time.Second)
		}
		if got := box.Counts(); got.Creates > 12 || got.Refreshes > 13 {
			t.Errorf("600 rejected requests in ten minutes made %d sign-ins and %d refreshes, want one of each a minute", got.Creates, got.Refreshes)
		}
	})
}

// unjudged are answers to a refresh, and the lack of one, that judge nothing.
var unjudged = map[string]sessiontest.Fault{
	"200 and HTML":      {Body: "<html>Welcome</html>", ContentType: "text/html"},
	"200 and {}":        {Body: "{}"},
	"200 and no token":  {Body: `{"expiresAt":"2040-01-01T00:00:00Z"}`},
	"a bad token":       {Body: `{"jwtToken":"not one\nof the kind"}`},
	"204":               {Status: 204},
	"302":               {Status: 302, Header: http.Header{"Location": {"https://login.example.com/"}}},
	"408":               {Status: 408},
	"429":               {Status: 429},
	"500":               {Status: 500},
	"503 and HTML":      {Status: 503, Body: "<html>Sorry</html>", ContentType: "text/html"},
	"a lost answer":     {Drop: true},
	"half an answer":    {Truncate: true},
	"no answer in time": {Hang: true},
}

// T8, T11: only an answer that judges ends a session.
func TestADoubtedSessionIsKeptIfTheAnswerToItsRefreshJudgesNothing(t *testing.T) {
	for name, fault := range unjudged {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				kept := token(t, ts)
				box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: 401})
				box.Inject(sessiontest.OpRefresh, -1, fault)
				if got := status(t, box, ts); got != 401 {
					t.Errorf("the request got %d, want the 401, for there is no newer session", got)
				}
				if got := token(t, ts); got != kept {
					t.Error("the session was given up, although nothing has judged it")
				}
				pass(time.Until(ts.Status().ExpiresAt) - time.Second)
				expectOK(t, box, ts) // until its end
				box.Heal()
				pass(time.Minute)
				expectOK(t, box, ts)
				expectCalls(t, box, box.Counts().Creates, box.Counts().Refreshes, 0)
			}, sessiontest.WithTokenLife(5*time.Minute))
		})
	}
}

// T8: the same of a refresh that is only planned.
func TestALiveSessionIsKeptIfTheAnswerToItsRefreshJudgesNothing(t *testing.T) {
	for name, fault := range unjudged {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				kept := token(t, ts)
				box.Inject(sessiontest.OpRefresh, -1, fault)
				pass(time.Until(ts.Status().ExpiresAt) - time.Second)
				if waited := took(func() {
					if token(t, ts) != kept {
						t.Error("the session was given up, although nothing has judged it")
					}
				}); waited != 0 {
					t.Errorf("a caller waited %v, want none", waited)
				}
				if n := box.Counts().Refreshes; n < 2 {
					t.Errorf("%d refreshes were tried before the end, want more than one", n)
				}
				expectCalls(t, box, 1, box.Counts().Refreshes, 0)
			})
		})
	}
}
