package jwtsession

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// H3: the sign-in that a 401 leads to may need the connection that the 401 came
// on.
func TestASignInMayUseTheConnectionOfTheRejection(t *testing.T) {
	for name, size := range map[string]int{"a short 401": 10, "one that just fits": longestRejection - 1} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				ts := newSource(t, box, func(c *Config) {
					only := c.HTTPClient.Transport.(*http.Transport).Clone()
					only.MaxConnsPerHost = 1
					t.Cleanup(only.CloseIdleConnections)
					c.HTTPClient.Transport = only
				})
				token(t, ts)
				box.RevokeAll()
				box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: 401, Body: strings.Repeat("x", size), ContentType: "text/plain"})
				var res *http.Response
				var err error
				waited := took(func() { res, err = ts.Client().Get(box.URL + "/me") })
				if err != nil || res.StatusCode != http.StatusOK || waited != 0 {
					t.Fatalf("with one connection in all: got %v, %v after %v; want the second answer, and no wait", res, err, waited)
				}
				res.Body.Close()
				expectCalls(t, box, 2, 1, 0)
			})
		})
	}
}

// H3: the first response is closed exactly once, also if it is too long to be
// kept, and no more of it is read than the bound.
func TestTheRejectionIsClosedExactlyOnceHoweverLongItIs(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	for _, size := range []int{0, 10, longestRejection - 1, longestRejection, longestRejection + 1, 10 * longestRejection} {
		ts := newSource(t, box)
		rejection := &stream{Reader: strings.NewReader(strings.Repeat("x", size))}
		sends := 0
		transport := &Transport{Source: ts, Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			if sends++; sends == 1 {
				return &http.Response{StatusCode: 401, Body: rejection, Header: http.Header{}}, nil
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
		})}
		res, err := transport.RoundTrip(get(t, box.URL+"/me"))
		if err != nil || res.StatusCode != 200 || sends != 2 {
			t.Fatalf("%d bytes: got %v, %v after %d sends; want 200 after two", size, res, err, sends)
		}
		if rejection.closed != 1 {
			t.Errorf("%d bytes: the 401 was closed %d times, want once", size, rejection.closed)
		}
		if rejection.read > longestRejection {
			t.Errorf("%d bytes: %d of the 401 were read, want %d at most", size, rejection.read, longestRejection)
		}
	}
}

// T11: three requests whose 401s come in one after the other, the last two when
// the first has been answered with a new token already.
func TestLateRejectionsOfAnOldTokenLeaveTheNewOneAlone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		for _, delay := range []time.Duration{time.Second, time.Minute, 2 * time.Minute} {
			box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Delay: delay, Status: 401})
		}
		statuses := make(chan int)
		for range 3 {
			go func() {
				res, err := ts.Client().Get(box.URL + "/me")
				if err != nil {
					t.Errorf("got %v, want an answer", err)
					statuses <- 0
					return
				}
				res.Body.Close()
				statuses <- res.StatusCode
			}()
		}
		pass(500 * time.Millisecond)
		box.RevokeAll()
		for range 3 {
			if got := <-statuses; got != http.StatusOK {
				t.Errorf("a request got %d, want 200", got)
			}
		}
		expectCalls(t, box, 2, 1, 0)
	})
}

// H5, H4: the wait for a newer token ends with the request's context as well.
func TestARequestsContextEndsItsWaitForANewerToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		token(t, ts)
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Hang: true})
		transport := &Transport{Source: ts, Base: respond(401, nil)}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		var res *http.Response
		var err error
		waited := took(func() { res, err = transport.RoundTrip(get(t, box.URL+"/me").WithContext(ctx)) })
		if waited != 200*time.Millisecond || err != nil || res.StatusCode != 401 {
			t.Errorf("got %v, %v after %v; want the 401 after 200 ms", res, err, waited)
		}
	})
}
