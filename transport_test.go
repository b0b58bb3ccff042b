package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// body counts how often it is closed.
type body struct {
	io.Reader
	closed atomic.Int32
}

func newBody(content string) *body { return &body{Reader: strings.NewReader(content)} }
func (b *body) Close() error       { b.closed.Add(1); return nil }
func (b *body) String() string     { return fmt.Sprintf("a body closed %d times", b.closed.Load()) }
func (b *body) closedOnce() bool   { return b.closed.Load() == 1 }
func get(t testing.TB, u string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// respond is a base transport that answers everything with a status.
func respond(status int, seen *[]*http.Request) roundTripperFunc {
	return func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			io.Copy(io.Discard, req.Body)
			req.Body.Close()
		}
		if seen != nil {
			*seen = append(*seen, req)
		}
		return &http.Response{StatusCode: status, Body: newBody(http.StatusText(status)), Request: req, Header: http.Header{}}, nil
	}
}

// H1
func TestTheTokenGoesToTheAPIsOriginAndToNoOther(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box, func(c *Config) { c.Origins = []string{"https://files.example.com", "https://other.example.com:8443"} })
	want := "Bearer " + token(t, ts)
	host := strings.TrimSuffix(strings.TrimPrefix(box.URL, "http://"), "/v1")
	port := host[strings.LastIndexByte(host, ':'):]
	cases := map[string]bool{
		box.URL + "/me":                               true,
		"http://" + host + "/outside/the/base":        true,
		"HTTP://" + host + "/":                        true,
		"https://" + host + "/v1/me":                  false, // another scheme
		"http://127.0.0.1:1/v1/me":                    false, // another port
		"http://127.0.0.2" + port + "/v1/me":          false,
		"http://evil.example.com/v1/me":               false,
		"http://127.0.0.1.evil.example.com" + port:    false,
		"https://files.example.com/a":                 true,
		"https://FILES.example.com:443/a":             true,
		"http://files.example.com/a":                  false,
		"https://files.example.com:8443/a":            false,
		"https://files.example.com.evil.example.org/": false,
		"https://sub.files.example.com/":              false,
		"https://other.example.com:8443/":             true,
		"https://other.example.com/":                  false,
	}
	for u, signed := range cases {
		var seen []*http.Request
		transport := &Transport{Source: ts, Base: respond(200, &seen)}
		req := get(t, u)
		if _, err := transport.RoundTrip(req); err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		got := seen[0].Header.Get("Authorization")
		if signed && got != want {
			t.Errorf("%s: got authorization %q, want the token", u, got)
		}
		if !signed && (got != "" || seen[0] != req) {
			t.Errorf("%s: got authorization %q, want the request untouched", u, got)
		}
	}
}

// H1: an Authorization header that the caller sends elsewhere is its own affair.
func TestRequestsToOtherOriginsKeepTheirAuthorization(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	var seen []*http.Request
	req := get(t, "https://example.com/")
	req.Header.Set("Authorization", "Basic abc")
	transport := &Transport{Source: ts, Base: respond(401, &seen)}
	if _, err := transport.RoundTrip(req); err != nil || len(seen) != 1 || seen[0].Header.Get("Authorization") != "Basic abc" {
		t.Errorf("got %v, %d requests; want one, untouched, and its 401", err, len(seen))
	}
	expectCalls(t, box, 0, 0, 0)
}

// H1
func TestARedirectToAForeignHostTakesNoTokenAlong(t *testing.T) {
	var leaked atomic.Value
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("Authorization"))
	}))
	defer foreign.Close()
	box := sessiontest.NewServer()
	defer box.Close()
	box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: 302, Header: http.Header{"Location": {foreign.URL}}})
	ts := newSource(t, box)
	res, err := ts.Client().Get(box.URL + "/file")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := leaked.Load(); got != "" {
		t.Errorf("the foreign host got authorization %q, want a request without", got)
	}
}

// H1
func TestAnIssuerWithoutAnOriginIsAnErrorThatSaysWhatToSet(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}})
	b := newBody("x")
	req := get(t, "https://api.example.com/")
	req.Body = b
	_, err := ts.Client().Transport.RoundTrip(req)
	if err == nil || !strings.Contains(err.Error(), "BaseURL") || !strings.Contains(err.Error(), "Origins") {
		t.Errorf("got %v, want an error that names BaseURL and Origins", err)
	}
	if !b.closedOnce() {
		t.Errorf("%v, want once", b)
	}
}

// H2
func TestTheCallersRequestIsNeverChanged(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	var seen []*http.Request
	transport := &Transport{Source: ts, Base: respond(200, &seen)}
	req := get(t, box.URL+"/me")
	req.Header = http.Header{"Authorization": {"Bearer caller's"}, "X-Many": make([]string, 1, 8)}
	before := maps.Clone(req.Header)
	if _, err := transport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(req.Header, before, func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("the caller's headers are %v now, want %v", req.Header, before)
	}
	sent := seen[0]
	if got := sent.Header["Authorization"]; len(got) != 1 || got[0] != "Bearer "+token(t, ts) {
		t.Errorf("authorization %q was sent, want the token alone", got)
	}
	// A base that adds to the copy's headers must not reach the caller's.
	sent.Header.Add("X-Many", "added")
	sent.Header.Set("X-New", "new")
	if got := req.Header["X-Many"][:2:2][1]; got != "" || req.Header.Get("X-New") != "" {
		t.Errorf("what the base added shows in the caller's request: %q, %q", got, req.Header.Get("X-New"))
	}
	// H6: what carries the token is each request's own.
	sent.Header["Authorization"][0] = "another"
	sent.Header["X-Many"][0] = "another"
	if got := ts.current.Load().header; got != "Bearer "+ts.current.Load().token() || req.Header["X-Many"][0] == "another" {
		t.Error("what the base wrote into the header values shows in other requests")
	}
}

// H2: the body is closed exactly once, whatever happens.
func TestTheRequestsBodyIsClosedExactlyOnce(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	live := newSource(t, box)
	wrong := newSource(t, box, func(c *Config) { c.Credentials = Credentials{Email: "nobody@example.com", Password: "x"} })
	closed := newSource(t, box)
	closed.Close()
	failing := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		req.Body.Close()
		return nil, errors.New("no route")
	})
	cases := map[string]*Transport{
		"an answer":             {Source: live, Base: respond(200, nil)},
		"a 401":                 {Source: live, Base: respond(401, nil)},
		"an error of the base":  {Source: live, Base: failing},
		"no session to be had":  {Source: wrong, Base: failing},
		"a closed source":       {Source: closed, Base: failing},
		"a Transport without a": {Base: failing},
	}
	for name, transport := range cases {
		b := newBody("content")
		req := get(t, box.URL+"/me")
		req.Method, req.Body = http.MethodPost, b
		transport.RoundTrip(req)
		if !b.closedOnce() {
			t.Errorf("%s: %v, want once", name, b)
		}
	}
}

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

// H5
func TestARequestsContextEndsItsWaitForAToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		var err error
		waited := took(func() { _, err = ts.Client().Do(get(t, box.URL+"/me").WithContext(ctx)) })
		if waited != 200*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v after %v, want the context's error after 200 ms", err, waited)
		}
	})
}

// H5
func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	base := &idleCloser{}
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box, func(c *Config) { c.HTTPClient = &http.Client{Transport: base} })
	ts.Client().CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("the base got it %d times, want once", base.closed)
	}
	(&Transport{Source: ts, Base: respond(200, nil)}).CloseIdleConnections() // which has no such method
}

type idleCloser struct {
	http.RoundTripper
	closed int
}

func (c *idleCloser) CloseIdleConnections() { c.closed++ }

// H5
func TestItWorksOverHTTP1AndHTTP2(t *testing.T) {
	for _, version := range []int{1, 2} {
		box := sessiontest.NewServer(sessiontest.WithTLS())
		ts := newSource(t, box, func(c *Config) {
			base := c.HTTPClient.Transport.(*http.Transport).Clone()
			base.ForceAttemptHTTP2 = version == 2
			if version == 1 {
				base.TLSClientConfig.NextProtos = []string{"http/1.1"}
			}
			c.HTTPClient = &http.Client{Transport: base}
		})
		token(t, ts)
		box.RevokeAll()
		res, err := ts.Client().Post(box.URL+"/file", "text/plain", strings.NewReader("content"))
		if err != nil || res.StatusCode != 200 || res.ProtoMajor != version {
			t.Errorf("HTTP/%d: got %v, %v; want 200 over HTTP/%d", version, res, err, version)
		} else {
			res.Body.Close()
		}
		expectCalls(t, box, 2, 1, 0)
		ts.Client().CloseIdleConnections()
		box.Close()
	}
}

// H2, H6: at most three allocations of its own for up to seven headers of the
// caller's and the session's. One more header makes Go's map need two more for
// itself.
func TestSigningARequestMakesThreeAllocations(t *testing.T) {
	login := "POST /login\n\n" + `{"u": "{email}", "p": "{password}"}`
	for name, c := range map[string]struct {
		protocol *Protocol
		headers  map[int]float64
	}{
		"PacerPro's":       {nil, map[int]float64{0: 3, 2: 3, 7: 3, 8: 5}},
		"a described one":  {&Protocol{SignIn: login, Token: "token"}, map[int]float64{0: 3, 2: 3, 7: 3}},
		"another header":   {&Protocol{SignIn: login, Token: "token", Send: []string{"X-Auth-Token: {token}"}}, map[int]float64{0: 3, 2: 3, 7: 3}},
		"two headers":      {&Protocol{SignIn: login, Token: "token", Keep: map[string]string{"csrf": "csrf"}, Send: []string{"X-Auth-Token: {token}", "X-CSRF: {csrf}"}}, map[int]float64{0: 3, 2: 3, 6: 3}},
		"rejected by more": {&Protocol{SignIn: login, Token: "token", Rejects: []int{401, 403}}, map[int]float64{0: 3, 2: 3, 7: 3}},
	} {
		var protocol Protocol
		if c.protocol != nil {
			protocol = *c.protocol
		}
		box := sessiontest.NewServer(sessiontest.WithProtocol(protocol))
		ts := newSource(t, box, func(config *Config) { config.Protocol = c.protocol })
		token(t, ts)
		res := &http.Response{StatusCode: 200, Body: http.NoBody}
		transport := &Transport{Source: ts, Base: roundTripperFunc(func(*http.Request) (*http.Response, error) { return res, nil })}
		for headers, want := range c.headers {
			req := get(t, box.URL+"/me")
			for i := range headers {
				req.Header.Set(fmt.Sprintf("X-Header-%d", i), "value")
			}
			if got := testing.AllocsPerRun(100, func() { transport.RoundTrip(req) }); got > want {
				t.Errorf("%s, with %d headers: %v allocations, want %v at most", name, headers, got, want)
			}
		}
		box.Close()
	}
}
