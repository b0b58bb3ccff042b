package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// patience is how long a test waits for what must happen, on a loaded machine.
const patience = 30 * time.Second

// seen is a request as the API got it.
type seen struct {
	method, target, host string
	header               http.Header
	body                 string
}

// api is an API whose sessions are those of a box, and whose resource is up to
// the test.
type api struct {
	*httptest.Server
	box    *sessiontest.Server
	base   string
	source *jwtsession.TokenSource

	mu       sync.Mutex
	requests []seen
	resource http.HandlerFunc // nil: 200 to a live token, else 401
}

// newAPI starts an API over real TCP, and a source that signs in to it.
func newAPI(t testing.TB, resource http.HandlerFunc, opts ...sessiontest.Option) *api {
	t.Helper()
	a := &api{box: sessiontest.NewServer(append(opts, sessiontest.InMemory())...), resource: resource}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	a.base = a.URL + "/v1"
	a.source = newSource(t, jwtsession.Config{BaseURL: a.base})
	t.Cleanup(func() {
		a.Server.Close()
		a.box.Close()
	})
	return a
}

// newSource returns a source with a box's credentials, unless config has others.
func newSource(t testing.TB, config jwtsession.Config) *jwtsession.TokenSource {
	t.Helper()
	if config.Credentials == nil {
		config.Credentials = jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password}
	}
	source, err := jwtsession.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return source
}

// roundTripperFunc is a function as an http.RoundTripper.
type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/session" {
		a.box.ServeHTTP(w, r)
		return
	}
	if a.resource == nil {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		a.mu.Lock()
		a.requests = append(a.requests, seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body)})
		a.mu.Unlock()
		a.box.ServeHTTP(w, r)
		return
	}
	a.resource(w, r)
}

// got returns the requests so far, those for the session left out.
func (a *api) got() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.requests...)
}

// last returns the newest request, which the test cannot do without.
func (a *api) last(t testing.TB) seen {
	t.Helper()
	all := a.got()
	if len(all) == 0 {
		t.Fatal("the API got no request, want one")
	}
	return all[len(all)-1]
}

// running starts a proxy to the API, which is stopped when the test ends.
func (a *api) running(t testing.TB, change ...func(*Config)) *Proxy {
	t.Helper()
	p := a.listening(t, change...)
	serve(t, p)
	return p
}

// away returns an API that has gone away, and a proxy to it that still has a
// session.
func away(t testing.TB, change ...func(*Config)) (*api, *Proxy) {
	t.Helper()
	a := newAPI(t, nil)
	p := a.running(t, change...)
	get(t, p, "/me")
	a.Server.CloseClientConnections()
	a.Server.Close()
	return a, p
}

// listening returns a proxy to the API that does not serve yet.
func (a *api) listening(t testing.TB, change ...func(*Config)) *Proxy {
	t.Helper()
	config := Config{APIs: []API{{Source: a.source, BaseURL: a.base}}, Address: "127.0.0.1:0"}
	for _, c := range change {
		c(&config)
	}
	p, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve has a proxy serve until it is stopped, at the latest when the test ends.
// What it returns stops it, and has what Serve returned.
func serve(t testing.TB, p *Proxy) (stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := p.Serve(ctx)
		if err != nil {
			t.Errorf("Serve: got error %v, want none", err)
		}
		result <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return cancel, result
}

// await returns what comes from a channel, which has to come soon.
func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("not reached")
	}
}

// port is where the proxy listens.
func (p *Proxy) port() string {
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	return port
}

// send writes bytes to the proxy as they are, HOST standing for its own, and
// returns the answer. It is how to send what net/http's client would put right.
func send(t testing.TB, p *Proxy, raw string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return talk(t, conn, strings.ReplaceAll(raw, "HOST", "127.0.0.1:"+p.port()))
}

// talk sends a request over a connection, and closes it after the answer.
func talk(t testing.TB, conn net.Conn, raw string) answer {
	t.Helper()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("sent %.100q: got no answer: %v", raw, err)
	}
	return read(t, res)
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	text   string
	body   struct {
		Error, Message, Type, Code, Email, Path string
		Status                                  int
	}
}

func read(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	json.Unmarshal(text, &a.body)
	return a
}

// do sends a request with net/http's client, which follows no redirect here.
func do(t testing.TB, req *http.Request) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

func get(t testing.TB, p *Proxy, path string, header ...string) answer {
	t.Helper()
	return do(t, request(t, http.MethodGet, p.URL()+path, nil, header...))
}

// request builds a request; headers are "Name: value".
func request(t testing.TB, method, url string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return req
}

// expect compares an answer of the proxy's own.
func (a answer) expect(t testing.TB, what string, status int, code string) {
	t.Helper()
	if a.status != status || a.body.Code != code {
		t.Errorf("%s: got %d %.200q, want %d with code %q", what, a.status, a.text, status, code)
		return
	}
	if strings.Count(a.text, "\n") != 1 || a.body.Error == "" || a.body.Message != a.body.Error || a.body.Status != status || a.body.Type != "error" {
		t.Errorf("%s: got %q, want one line of JSON in the shape of the API's errors", what, a.text)
	}
	if again := a.header["Retry-After"]; len(again) > 0 && status < 500 {
		t.Errorf("%s: got %d with Retry-After %q, want none: it would fare no better", what, status, again)
	}
}

func (s seen) String() string { return fmt.Sprintf("%s %s", s.method, s.target) }
