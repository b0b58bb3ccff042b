package jwtsession

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// late is a client whose requests reach the API when they are let go, one by one.
func late(ts *TokenSource, box *sessiontest.Server) (client *http.Client, letGo chan struct{}) {
	letGo = make(chan struct{})
	base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		<-letGo
		return box.Client().Transport.RoundTrip(req)
	})
	return &http.Client{Transport: &Transport{Source: ts, Base: base}}, letGo
}

// inFlightDuringARefresh starts n requests, refreshes the session, does what
// happens then, lets the requests go and returns how many were answered with 200.
func inFlightDuringARefresh(t *testing.T, box *sessiontest.Server, ts *TokenSource, n int, then func()) int {
	t.Helper()
	client, letGo := late(ts, box)
	token(t, ts)
	pass(time.Minute)
	answers := make(chan int, n)
	for range n {
		go func() {
			res, err := client.Get(box.URL + "/me")
			if err != nil {
				t.Error(err)
				answers <- 0
				return
			}
			res.Body.Close()
			answers <- res.StatusCode
		}()
	}
	synctest.Wait()
	before := token(t, ts)
	pass(time.Until(ts.Status().RefreshAt))
	if token(t, ts) == before {
		t.Fatal("there was no refresh: the test would show nothing")
	}
	then()
	for range 2 * n { // first try and second, whoever's turn it is
		letGo <- struct{}{}
		synctest.Wait()
	}
	good := 0
	for range n {
		if <-answers == http.StatusOK {
			good++
		}
	}
	return good
}

// H3: the request's second and last try must not be made with a token that
// ended along with the first.
func TestARevocationRightAfterARefreshFailsNoRequestThatWasUnderWay(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		if n := inFlightDuringARefresh(t, box, ts, 100, box.RevokeAll); n != 100 {
			t.Errorf("%d of 100 requests got 200, want all", n)
		}
		expectCalls(t, box, 2, 2, 0) // one of the refreshes finds that the session has ended
	})
}

// T11: a late 401 about an old token costs a refresh where the newer one may
// have ended with it, and no sign-in.
func TestALate401ToAnOlderTokenOfTheSameChainCostsARefreshAndNoSignIn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		n := inFlightDuringARefresh(t, box, ts, 3, func() {
			box.Inject(sessiontest.OpResource, 3, sessiontest.Fault{Status: 401})
		})
		if n != 3 {
			t.Errorf("%d of 3 requests got 200, want all", n)
		}
		expectCalls(t, box, 1, 2, 0)
	})
}

// T9: what may be alive is not given up for a server that cannot tell.
func TestASessionThatIsDoubtedIsKeptIfTheServerCannotBeAsked(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		var current string
		n := inFlightDuringARefresh(t, box, ts, 1, func() {
			current = token(t, ts)
			box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: 401})
			box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 503})
		})
		if got := token(t, ts); n != 1 || got != current {
			t.Errorf("%d of 1 requests got 200, and the session is the same: %v; want it, and it", n, got == current)
		}
		expectCalls(t, box, 1, 2, 0)
		box.Heal()
		pass(time.Hour)
		if !ts.Status().Live {
			t.Error("an hour later there is no session: it is not refreshed any more")
		}
	})
}

// T6: a session whose predecessor was rejected while it was being stored is
// asked about before anybody gets it.
func TestASessionOnItsWayWhenItsPredecessorIsRejectedIsAskedAboutFirst(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		storing, letGo := make(chan struct{}), make(chan struct{})
		var held atomic.Bool
		hold := func(context.Context) error {
			if held.CompareAndSwap(false, true) {
				close(storing)
				<-letGo
			}
			return errAway
		}
		store := &faultyStore{Cache: cache.NewMemory()}
		ts := newSource(t, box, through(store))
		old := token(t, ts)
		store.store.Store(&hold)
		<-storing // the refresh is over
		box.RevokeAll()
		ts.Invalidate(old)
		waiting := make(chan struct{})
		go func() { defer close(waiting); expectOK(t, box, ts) }()
		synctest.Wait()
		close(letGo)
		<-waiting
		if n := box.Counts().Unauthorized; n != 0 {
			t.Errorf("%d requests were rejected, want none", n)
		}
		expectCalls(t, box, 2, 2, 0)
	})
}
