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
		pass(90 * time.Second) // longer than any wait of the retry schedule
		if got := token(t, ts); got == old {
			t.Error("the session is not asked about any more: got the old token")
		}
		expectCalls(t, box, 2, box.Counts().Refreshes, 0)
	}, sessiontest.WithTokenLife(time.Hour))
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

// T11
func TestOnlyTheCurrentTokenCanBeInvalidated(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	first := token(t, ts)
	ts.Invalidate("another")
	if got := token(t, ts); got != first {
		t.Error("a word about another token changed the current one")
	}
	// Three answers to requests under way, all about the first token.
	box.RevokeAll()
	ts.Invalidate(first)
	second := token(t, ts)
	ts.Invalidate(first)
	ts.Invalidate(first)
	if got := token(t, ts); got != second || second == first {
		t.Error("late words about an old token ended the new one")
	}
	expectCalls(t, box, 2, 1, 0)
}
