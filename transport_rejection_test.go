package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// H3
func TestARequestWhoseTokenWasRevokedIsSentOnceMoreWithANewOne(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	token(t, ts)
	box.RevokeAll()
	res, err := ts.Client().Post(box.URL+"/file", "text/plain", strings.NewReader("content"))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v; want the answer to the second request", res, err)
	}
	res.Body.Close()
	expectCalls(t, box, 2, 1, 0)
	if got := box.Counts().Resources; got != 2 {
		t.Errorf("the request was sent %d times, want twice", got)
	}
}

// H3
func TestTheSecondRequestHasTheWholeBody(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	var bodies []string
	var first *body
	transport := &Transport{Source: ts, Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		content, _ := io.ReadAll(req.Body)
		req.Body.Close()
		bodies = append(bodies, string(content))
		status := 200
		if len(bodies) == 1 {
			status = 401
		}
		b := newBody("")
		if first == nil {
			first = b
		}
		return &http.Response{StatusCode: status, Body: b, Header: http.Header{}}, nil
	})}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, box.URL+"/file", bytes.NewReader([]byte("content")))
	res, err := transport.RoundTrip(req)
	if err != nil || res.StatusCode != 200 || fmt.Sprint(bodies) != "[content content]" {
		t.Errorf("got %v, %v after the bodies %q; want 200 and the content twice", res, err, bodies)
	}
	if !first.closedOnce() {
		t.Errorf("the 401 has %v, want once", first)
	}
}

// H3: at most two sends per request.
func TestASecond401GoesToTheCaller(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	var seen []*http.Request
	transport := &Transport{Source: ts, Base: respond(401, &seen)}
	res, err := transport.RoundTrip(get(t, box.URL+"/me"))
	if err != nil || res.StatusCode != 401 || len(seen) != 2 {
		t.Errorf("got %v, %v after %d sends; want the 401 after two", res, err, len(seen))
	}
}

// H3
func TestA401ToARequestThatCannotBeRepeatedGoesToTheCallerAndEndsTheToken(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	first := token(t, ts)
	box.RevokeAll()
	req := get(t, box.URL+"/file")
	req.Method, req.Body = http.MethodPost, io.NopCloser(strings.NewReader("a stream"))
	res, err := ts.Client().Do(req)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("got %v, %v; want the 401", res, err)
	}
	res.Body.Close()
	if ts.Status().Live {
		t.Error("the rejected token is still the current one")
	}
	if token(t, ts) == first {
		t.Error("the next caller got the rejected token")
	}
}

// H3: NoBody, and a GetBody that fails.
func TestWhetherARequestIsRepeatedDependsOnItsBody(t *testing.T) {
	replayable := func() (io.ReadCloser, error) { return newBody("again"), nil }
	cases := map[string]struct {
		body  io.ReadCloser
		again func() (io.ReadCloser, error)
		sends int
	}{
		"nil":                  {nil, nil, 2},
		"NoBody":               {http.NoBody, nil, 2},
		"a body that repeats":  {newBody("x"), replayable, 2},
		"a body that does not": {newBody("x"), nil, 1},
		"a GetBody that fails": {newBody("x"), func() (io.ReadCloser, error) { return nil, errors.New("gone") }, 1},
	}
	for name, c := range cases {
		box := sessiontest.NewServer()
		ts := newSource(t, box)
		var seen []*http.Request
		transport := &Transport{Source: ts, Base: respond(401, &seen)}
		req := get(t, box.URL+"/me")
		req.Body, req.GetBody = c.body, c.again
		res, err := transport.RoundTrip(req)
		if err != nil || res.StatusCode != 401 || len(seen) != c.sends {
			t.Errorf("%s: got %v, %v after %d sends; want 401 after %d", name, res, err, len(seen), c.sends)
		}
		box.Close()
	}
}

// H4: the original 401, whole, however long it is.
func TestIfThereIsNoNewerTokenTheCallerGetsTheOriginal401Whole(t *testing.T) {
	for _, size := range []int{0, 10, longestRejection - 1, longestRejection, longestRejection + 1, 300_000} {
		box := sessiontest.NewServer()
		ts := newSource(t, box)
		token(t, ts)
		content := strings.Repeat("x", size)
		box.Inject(sessiontest.OpResource, -1, sessiontest.Fault{Status: 401, Body: content, ContentType: "text/plain", Header: http.Header{"X-Reason": {"because"}}})
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 401})
		res, err := ts.Client().Get(box.URL + "/me")
		if err != nil {
			t.Fatalf("got %v, want the 401", err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 401 || string(got) != content || err != nil || res.Header.Get("X-Reason") != "because" {
			t.Errorf("got %s with %d bytes and %v, want the 401 with %d bytes", res.Status, len(got), err, size)
		}
		if n := box.Counts().Resources; n != 1 {
			t.Errorf("the request was sent %d times, want once: there was no newer token", n)
		}
		box.Close()
	}
}

// H4: an answer that breaks off is met as it came.
func TestA401ThatBreaksOffIsGivenToTheCallerAsItCame(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	token(t, ts)
	box.Inject(sessiontest.OpResource, -1, sessiontest.Fault{Status: 401, Body: "0123456789", Truncate: true})
	box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Status: 401})
	res, err := ts.Client().Get(box.URL + "/me")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	if string(got) != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q and %v, want the half that came, and then its error", got, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// H3, T11
func TestOneThousandRequestsInFlightSurviveARevocationWithOneSignIn(t *testing.T) {
	box := sessiontest.NewServer(sessiontest.WithLatency(50 * time.Millisecond))
	defer box.Close()
	ts := newSource(t, box)
	token(t, ts)
	box.Inject(sessiontest.OpResource, 1000, sessiontest.Fault{Delay: 300 * time.Millisecond})
	begun := box.Await(sessiontest.OpResource, 500)
	go func() {
		<-begun
		box.RevokeAll()
	}()
	client := ts.Client()
	var failed, ok atomic.Int64
	together(1000, func(int) {
		res, err := client.Get(box.URL + "/me")
		if err != nil || res.StatusCode != 200 {
			failed.Add(1)
			return
		}
		ok.Add(1)
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	})
	if failed.Load() != 0 {
		t.Errorf("%d of 1,000 requests failed, want none", failed.Load())
	}
	if box.Counts().Unauthorized == 0 {
		t.Error("no request met the revocation: the test shows nothing")
	}
	expectCalls(t, box, 2, 1, 0)
}

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
