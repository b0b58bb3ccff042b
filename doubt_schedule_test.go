package jwtsession

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T11: what was asked without a judgement is asked again on the schedule of
// retries, and not for each request that is answered with a 401.
func TestWhileTheSessionAPIJudgesNothingRejectionsDoNotAskItEachTime(t *testing.T) {
	for name, fault := range map[string]sessiontest.Fault{
		"503": {Status: 503}, "no answer": {Drop: true}, "no JSON": {Body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				ts := newSource(t, box)
				token(t, ts)
				box.RevokeAll()
				box.Inject(sessiontest.OpRefresh, -1, fault)
				box.Inject(sessiontest.OpCreate, -1, fault)
				before := box.Counts()
				for range 100 {
					res, err := ts.Client().Do(get(t, box.URL+"/me"))
					if err != nil || res.StatusCode != 401 {
						t.Fatalf("got %v and %v, want the 401", res, err)
					}
					res.Body.Close()
					pass(100 * time.Millisecond)
				}
				if calls := box.Counts(); calls.Refreshes+calls.Creates-before.Creates > 6 {
					t.Errorf("100 requests in ten seconds made %d refreshes and %d sign-ins, want those of the schedule: 6 at most", calls.Refreshes, calls.Creates-before.Creates)
				}
			})
		})
	}
}

// T11: a call that began before the rejection says nothing of it.
func TestARefreshFromBeforeARejectionThatFailsIsNoAnswerToIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box, func(c *Config) { c.Timeout = 3 * time.Second })
		token(t, ts)
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Hang: true})
		pass(time.Until(ts.Status().RefreshAt) + time.Second) // it hangs now
		box.RevokeAll()
		res, err := ts.Client().Do(get(t, box.URL+"/me"))
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("got %v and %v, want 200: the server can be asked once the old call is over", res, err)
		}
		if calls := box.Counts(); calls.Refreshes != 2 || calls.Creates != 2 {
			t.Errorf("got %d refreshes and %d sign-ins, want the one that hung, the question, and a second sign-in", calls.Refreshes, calls.Creates)
		}
	})
}
