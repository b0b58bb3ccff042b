package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestEveryRequestIsSignedInAndKeepsMethodPathQueryAndBody(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	cases := []struct{ method, target, want string }{
		{"GET", "/me", "/v1/me"},
		{"GET", "/", "/v1/"},
		{"DELETE", "/runs/7", "/v1/runs/7"},
		{"PATCH", "/runs/7?a=1&b=%20&b=+", "/v1/runs/7?a=1&b=%20&b=+"},
		{"PUT", "/files/a%2Fb", "/v1/files/a%2Fb"},
		{"GET", "/files/a%2fb%20c%c3%a9", "/v1/files/a%2fb%20c%c3%a9"},
		{"GET", "/a//b/", "/v1/a//b/"},
		{"GET", "//me", "/v1//me"},
		{"GET", "/a/./b", "/v1/a/./b"},
		{"GET", "/...", "/v1/..."},
		{"GET", "/a..b/c..", "/v1/a..b/c.."},
		{"GET", "/100%25", "/v1/100%25"},
		{"GET", "/q?x=1;y=2&z=%zz", "/v1/q?x=1;y=2&z=%zz"}, // which net/url refuses to parse
		{"GET", "/q?", "/v1/q?"},
		{"GET", "/q?next=../../x", "/v1/q?next=../../x"},
		{"PROPFIND", "/dav", "/v1/dav"},
		{"OPTIONS", "/me", "/v1/me"},
	}
	for _, c := range cases {
		answer := send(t, p, c.method+" "+c.target+" HTTP/1.1\nHost: HOST\nContent-Length: 4\nConnection: close\n\nbody")
		if answer.status != 200 {
			t.Errorf("%s %s: got %d %s, want 200", c.method, c.target, answer.status, answer.text)
			continue
		}
		got := a.last(t)
		if got.method != c.method || got.target != c.want || got.body != "body" {
			t.Errorf("%s %s: the API got %s %s %q, want %s %s \"body\"", c.method, c.target, got.method, got.target, got.body, c.method, c.want)
		}
		if value, present := got.header["Accept-Encoding"]; present {
			t.Errorf("%s: the API got Accept-Encoding %q, want none: the client asked for none", c.target, value)
		}
		if got.host != strings.TrimPrefix(a.URL, "http://") {
			t.Errorf("%s: the API got Host %q, want its own", c.target, got.host)
		}
	}
	if c := a.box.Counts(); c.Creates != 1 {
		t.Errorf("the API got %d sign-ins, want 1", c.Creates)
	}
}

func TestThePathOfTheBaseURLIsSentAsItIsWritten(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.APIs[0].BaseURL = a.base + "/a%2Fb/" })
	for path, want := range map[string]string{"/runs": "/v1/a%2Fb/runs", "/files/c%2fd": "/v1/a%2Fb/files/c%2fd"} {
		if got := get(t, p, path); got.status != 200 || a.last(t).target != want {
			t.Errorf("%s: got %d of %s, want 200 of %s", path, got.status, a.last(t).target, want)
		}
	}
}

// RFC 9110, 15.2: HTTP/1.0 has no 1xx, and would take one for the answer.
func TestAnAnswerBeforeTheAnswerIsNotForHTTP10(t *testing.T) {
	p := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	}).running(t)
	for version, want := range map[string]int{"1.0": 202, "1.1": 103} {
		if got := send(t, p, "GET /me HTTP/"+version+"\nHost: HOST\n\n"); got.status != want {
			t.Errorf("HTTP/%s: got %d first, want %d", version, got.status, want)
		}
	}
}

func TestAHeadRequestHasAHeaderAndNoBody(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	answer := do(t, request(t, "HEAD", p.URL()+"/me", nil))
	if answer.status != 200 || answer.text != "" || a.last(t).method != "HEAD" {
		t.Errorf("got %d %q of %v, want 200, no body, of a HEAD", answer.status, answer.text, a.last(t))
	}
}

func TestWhatConcernsTheClientAloneDoesNotPass(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	get(t, p, "/me", "Authorization: Basic c2VjcmV0", "Proxy-Authorization: Basic c2VjcmV0", "Cookie: sid=secret",
		"X-Forwarded-For: 10.1.2.3", "X-Forwarded-Host: inside", "X-Forwarded-Proto: http", "Forwarded: for=10.1.2.3",
		"Jwtsession-Secret: what nobody asked for", "Upgrade: websocket", "Connection: Upgrade, X-Hop", "X-Hop: 1", "Te: trailers",
		"X-Mine: kept", "Accept: text/csv", "User-Agent: pacer/1", "Accept-Encoding: br")
	got := a.last(t).header
	for _, name := range []string{"Proxy-Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Jwtsession-Secret", "Upgrade", "Connection", "X-Hop"} {
		if value, present := got[name]; present {
			t.Errorf("the API got %s: %q, want none", name, value)
		}
	}
	if len(got["Authorization"]) != 1 || !strings.HasPrefix(got.Get("Authorization"), "Bearer ey") {
		t.Errorf("the API got %d Authorization headers, want one, with the token", len(got["Authorization"]))
	}
	for name, want := range map[string]string{"X-Mine": "kept", "Accept": "text/csv", "User-Agent": "pacer/1", "Accept-Encoding": "br"} {
		if got.Get(name) != want {
			t.Errorf("the API got %s: %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestNoCookieOfTheAPIsReachesTheClients(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"sid=secret", "other=theirs"}
		w.Header().Set("Sent-Cookie", r.Header.Get("Cookie"))
	})
	if got := get(t, a.running(t), "/me", "Cookie: a=b").header; got.Get("Set-Cookie") != "" || got.Get("Sent-Cookie") != "" {
		t.Errorf("got Set-Cookie %q, and the API Cookie %q, want neither", got.Get("Set-Cookie"), got.Get("Sent-Cookie"))
	}
	p := a.running(t, func(c *Config) { c.KeepCookies = true })
	if got := get(t, p, "/me", "Cookie: a=b").header; got.Get("Set-Cookie") != "sid=secret" || got.Get("Sent-Cookie") != "a=b" {
		t.Errorf("with KeepCookies: got Set-Cookie %q, and the API Cookie %q, want both", got.Get("Set-Cookie"), got.Get("Sent-Cookie"))
	}
	p = a.running(t, func(c *Config) { c.KeepCookies, c.APIs[0].SessionCookies = true, []string{"sid"} })
	if got := get(t, p, "/me").header["Set-Cookie"]; len(got) != 1 || got[0] != "other=theirs" {
		t.Errorf("with KeepCookies, where one is the session's: got Set-Cookie %q, want the other alone", got)
	}
}

func TestAnAuthorizationThatIsToPassReplacesTheToken(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.KeepAuthorization = true })
	answer := get(t, p, "/me", "Authorization: Bearer mine")
	if got := a.last(t).header["Authorization"]; len(got) != 1 || got[0] != "Bearer mine" || answer.status != 401 {
		t.Errorf("got %d, and the API %q; want 401, and the client's own once", answer.status, got)
	}
	if answer := get(t, p, "/me"); answer.status != 200 {
		t.Errorf("without one: got %d, want 200", answer.status)
	}
	if c := a.box.Counts(); c.Creates != 1 {
		t.Errorf("the API got %d sign-ins, want 1: a 401 to the client's own token is none of ours", c.Creates)
	}
}

func TestSessionCallsOfClientsAreRefused(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	if answer := get(t, p, "/me"); answer.status != 200 {
		t.Fatalf("got %d, want 200", answer.status)
	}
	for _, target := range []string{"POST /session", "GET /session", "DELETE /session", "DELETE /session/", "DELETE //session", "DELETE /./session", "DELETE /%73ession", "DELETE /session?x"} {
		send(t, p, target+" HTTP/1.1\nHost: HOST\nConnection: close\n\n").expect(t, target, 403, "session")
	}
	if c := a.box.Counts(); c.Revokes != 0 || c.Creates != 1 || c.Refreshes != 0 {
		t.Errorf("the API got %+v, want no session call but the proxy's own sign-in", c)
	}
	if answer := get(t, p, "/sessions"); answer.status != 200 {
		t.Errorf("/sessions: got %d, want 200", answer.status)
	}
}

func TestBothWaysAreStreamed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		control.EnableFullDuplex()
		w.Header().Set("Content-Length", "15") // known, and all the same not to be held back
		control.Flush()
		for lines := bufio.NewReader(r.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, strings.ToUpper(line))
			control.Flush()
		}
	})
	p := a.running(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reader, writer := io.Pipe()
	defer writer.Close()
	res, err := http.DefaultTransport.RoundTrip(request(t, "POST", p.URL()+"/echo", reader).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for _, line := range []string{"one\n", "two\n", "three!\n"} {
		io.WriteString(writer, line)
		got, err := lines.ReadString('\n')
		if got != strings.ToUpper(line) {
			t.Fatalf("sent %q, got %q (%v) before anything more was sent, want it in capitals", line, got, err)
		}
	}
}

func TestALargeBodyPassesWholeAndUnchanged(t *testing.T) {
	t.Parallel()
	var length atomic.Int64
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		length.Store(r.ContentLength)
		io.Copy(w, r.Body)
	})
	p := a.running(t)
	content := make([]byte, 10<<20)
	rand.Read(content)
	answer := do(t, request(t, "POST", p.URL()+"/echo", bytes.NewReader(content)))
	if answer.text != string(content) || length.Load() != int64(len(content)) {
		t.Errorf("got %d bytes, and the API a Content-Length of %d; want the %d that were sent", len(answer.text), length.Load(), len(content))
	}
}

func TestAClientThatGoesAwayEndsTheAPIsRequest(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	})
	p := a.running(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	if _, err := http.DefaultTransport.RoundTrip(request(t, "GET", p.URL()+"/slow", nil).WithContext(ctx)); err == nil {
		t.Error("got an answer, want an error")
	}
	await(t, ended, "the end of the API's request, whose client had gone")
}

func TestARedirectInsideTheAPIStaysInTheProxy(t *testing.T) {
	var location string
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	})
	p := a.running(t)
	for sent, want := range map[string]string{
		a.base + "/runs/3?a=b%20c#d": "/runs/3?a=b%20c#d",
		a.base:                       "/",
		"/v1/files/a%2Fb":            "/files/a%2Fb",
		"/v2/elsewhere?a#b":          a.URL + "/v2/elsewhere?a#b", // and not the API's /v1/v2/elsewhere
		"/v10":                       a.URL + "/v10",
		"/":                          a.URL + "/",
		a.URL + "/v2/elsewhere":      a.URL + "/v2/elsewhere",
		"/v1//evil.example.com":      a.URL + "/v1//evil.example.com",
		"/v1/../v2/x%2Fy":            a.URL + "/v2/x%2Fy",
		"../v2/elsewhere":            a.URL + "/v2/elsewhere",
		"../v1/runs?page=2#c":        "/runs?page=2#c",
		"../":                        a.URL + "/",
		"a/../b":                     "/b",
		"./b":                        "./b",
		"?a=../b":                    "?a=../b",
		"a..b":                       "a..b",
		"relative":                   "relative",
		"https://example.com/v1/a":   "https://example.com/v1/a",
		"//example.com/v1/a":         "//example.com/v1/a",
	} {
		location = sent
		if got := get(t, p, "/me").header.Get("Location"); got != want {
			t.Errorf("Location %s: got %q, want %q", sent, got, want)
		}
	}
}

func TestHTTP2IsSpokenToAnAPIThatSpeaksIt(t *testing.T) {
	a := newAPI(t, nil)
	box := sessiontest.NewServer(sessiontest.WithTLS())
	defer box.Close()
	source := newSource(t, jwtsession.Config{BaseURL: box.URL, HTTPClient: box.Client()})
	transport := NewTransport()
	transport.TLSClientConfig = box.Client().Transport.(*http.Transport).TLSClientConfig
	var proto atomic.Value
	p := a.running(t, func(c *Config) {
		c.APIs = []API{{Source: source, BaseURL: box.URL}}
		c.Transport = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			res, err := transport.RoundTrip(req)
			if err == nil {
				proto.Store(res.Proto)
			}
			return res, err
		})
	})
	if answer := get(t, p, "/me"); answer.status != 200 || proto.Load() != "HTTP/2.0" {
		t.Errorf("got %d over %v, want 200 over HTTP/2.0", answer.status, proto.Load())
	}
}

// The proxy's lengths and the API's must be the same: what follows a request
// must not become one of its own.
func TestARequestWithTwoLengthsSmugglesNothing(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	const smuggled = "GET /smuggled HTTP/1.1\nHost: HOST\n\n"
	for name, raw := range map[string]string{
		"both lengths":           "POST /me HTTP/1.1\nHost: HOST\nContent-Length: 50\nTransfer-Encoding: chunked\nConnection: close\n\n0\n\n" + smuggled,
		"two Content-Lengths":    "POST /me HTTP/1.1\nHost: HOST\nContent-Length: 0\nContent-Length: 50\nConnection: close\n\n" + smuggled,
		"an odd encoding":        "POST /me HTTP/1.1\nHost: HOST\nTransfer-Encoding: xchunked\nConnection: close\n\n0\n\n" + smuggled,
		"a space before colon":   "POST /me HTTP/1.1\nHost: HOST\nTransfer-Encoding : chunked\nConnection: close\n\n0\n\n" + smuggled,
		"a folded header line":   "POST /me HTTP/1.1\nHost: HOST\nX: y\n Transfer-Encoding: chunked\nConnection: close\n\n0\n\n" + smuggled,
		"a length with a plus":   "POST /me HTTP/1.1\nHost: HOST\nContent-Length: +0\nConnection: close\n\n" + smuggled,
		"HTTP/1.0 with chunks":   "POST /me HTTP/1.0\nHost: HOST\nTransfer-Encoding: chunked\n\n0\n\n" + smuggled,
		"length hidden as a hop": "POST /me HTTP/1.1\nHost: HOST\nConnection: close, Content-Length\nContent-Length: 38\n\n" + smuggled,
	} {
		send(t, p, raw)
		for _, request := range a.got() {
			if strings.Contains(request.target, "smuggled") {
				t.Fatalf("%s: the API got %v, want nothing but /me", name, request)
			}
		}
	}
}
