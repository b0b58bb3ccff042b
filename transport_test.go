package jwtsession

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

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

// H1: an API that redirects to another host, or by way of another path, keeps the
// query that it got, and http.Client tells in the Referer where it comes from.
func TestARedirectTakesNoTokenAlongThatTheAPIHasRepeated(t *testing.T) {
	var got string
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = fmt.Sprint(r.URL, " from ", r.Referer())
	}))
	defer foreign.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			io.WriteString(w, `{"token":"CANARY+/1"}`)
		case "/away":
			http.Redirect(w, r, foreign.URL+"/?"+r.URL.RawQuery, http.StatusFound)
		case "/slash":
			http.Redirect(w, r, "/away/?"+r.URL.Query().Encode(), http.StatusMovedPermanently)
		case "/away/":
			http.Redirect(w, r, foreign.URL+"/?sid=another", http.StatusFound)
		}
	}))
	defer api.Close()
	ts := newSourceOf(t, Config{BaseURL: api.URL, Credentials: canaryCredentials, Protocol: &Protocol{
		SignIn: "POST /login\n\n" + `{"user":"{email}","password":"{password}"}`, Token: "token", Send: []string{"?sid={token}"},
	}})
	for path, want := range map[string]string{
		"/away?a=1":  "/?a=1 from " + api.URL + "/away?a=1",
		"/slash?a=1": "/?sid=another from " + api.URL + "/away/?a=1",
	} {
		res, err := ts.Client().Get(api.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got != want {
			t.Errorf("%s: the foreign host got %s, want %s", path, got, want)
		}
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

// H2: of the headers of a request the session replaces its own, and takes no other
// along, in whatever order they come.
func TestTheSessionReplacesNoHeaderButItsOwn(t *testing.T) {
	source := newSourceOf(t, Config{BaseURL: "https://api.example.com", Issuer: &issuerFuncs{}})
	given := http.Header{"authorization": {"Basic xyz"}, "AUTHORIZATION": {"Basic xyz"}}
	names := []string{"If-None-Match"} // as long as Authorization
	for n := range 12 {
		names = append(names, fmt.Sprint("X-Header-", n))
	}
	for _, name := range names {
		given[name] = []string{name}
	}
	var sent http.Header
	base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		sent = req.Header
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
	})
	req, err := http.NewRequest("GET", "https://api.example.com/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = given
	if _, err := (&Transport{Source: source, Base: base}).RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Authorization": {"Bearer " + token(t, source)}}
	for _, name := range names {
		want[name] = []string{name}
	}
	if !reflect.DeepEqual(sent, want) {
		t.Errorf("got the headers %v, want %v", sent, want)
	}
}
