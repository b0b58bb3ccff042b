package jwtsession

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/internal/connections"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// relay stands between a client and a server, as a NAT does.
type relay struct {
	address string
	closed  chan struct{} // gets one for each connection that the client has closed

	mu     sync.Mutex
	opened int
	silent []*bool // of each connection: what is sent on it arrives nowhere
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := &relay{address: listener.Addr().String(), closed: make(chan struct{}, 100)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			t.Cleanup(func() { client.Close(); upstream.Close() })
			silent := new(bool)
			r.mu.Lock()
			r.opened++
			r.silent = append(r.silent, silent)
			r.mu.Unlock()
			go r.copy(client, upstream, silent)
			go func() {
				r.copy(upstream, client, silent)
				upstream.Close()
				r.closed <- struct{}{}
			}()
		}
	}()
	return r
}

// copy hands on what arrives, until the connection goes silent.
func (r *relay) copy(to io.Writer, from io.Reader, silent *bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.mu.Lock()
		lost := *silent
		r.mu.Unlock()
		if !lost {
			to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// forget silences the connections that there are, as a NAT does that has
// forgotten them: nobody is told.
func (r *relay) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, silent := range r.silent {
		*silent = true
	}
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened
}

// over runs f with a client of a box behind a relay, over each version of HTTP.
func over(t *testing.T, f func(t *testing.T, client *Client, r *relay)) {
	for name, opts := range map[string][]sessiontest.Option{"HTTP/1.1": nil, "HTTP/2": {sessiontest.WithTLS()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := sessiontest.NewServer(opts...)
			t.Cleanup(box.Close)
			scheme, rest, _ := strings.Cut(box.URL, "://")
			server, path, _ := strings.Cut(rest, "/")
			r := newRelay(t, server)
			client, err := NewClient(scheme+"://"+r.address+"/"+path, Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, box.Client())
			if err != nil {
				t.Fatal(err)
			}
			f(t, client, r)
		})
	}
}

// T5
func TestASessionCallGoesOverNoConnectionThatWasIdleForLong(t *testing.T) {
	t.Parallel()
	over(t, func(t *testing.T, client *Client, r *relay) {
		s, err := client.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s, err = client.Refresh(t.Context(), s); err != nil || r.connections() != 1 {
			t.Fatalf("got %v over %d connections, want two calls over one", err, r.connections())
		}
		r.forget()
		select {
		case <-r.closed:
		case <-time.After(2 * connections.LongestIdle):
			t.Fatalf("after %v the idle connection is still open", 2*connections.LongestIdle)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := client.Refresh(ctx, s); err != nil || r.connections() != 2 {
			t.Errorf("after a while: got %v and %d connections, want an answer over a second one", err, r.connections())
		}
	})
}

// T5: what goes silent in the middle of a call.
func TestAConnectionThatGoesSilentLeavesTimeForAnother(t *testing.T) {
	t.Parallel()
	over(t, func(t *testing.T, client *Client, r *relay) {
		s, err := client.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.forget()
		const attempt = 20 * time.Second
		least, most := 2*connections.SessionPing-time.Second, attempt/2
		limit := attempt
		if strings.HasPrefix(client.baseURL, "http:") {
			least, most, limit = time.Second, 2*time.Second, time.Second // it has no pings
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		lost := took(func() { _, err = client.Refresh(ctx, s) })
		if err == nil || kindOf(err) != temporary || lost < least || lost > most {
			t.Errorf("got %v after %v, want an error between %v and %v", err, lost, least, most)
		}
		if _, err := client.Refresh(t.Context(), s); err != nil || r.connections() != 2 {
			t.Errorf("the next attempt: got %v and %d connections, want an answer over a second one", err, r.connections())
		}
	})
}

// T5: a transport that is not ours to clone is asked.
func TestAForeignTransportDropsItsIdleConnectionsWhenTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		foreign := &droppingTransport{}
		client := clientOf(t, "", &http.Client{Transport: foreign})
		for i, call := range []func(context.Context) error{calls(client, "opaque")[opCreate], calls(client, "opaque")[opRefresh], calls(client, "opaque")[opRevoke]} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := call(ctx); err == nil || foreign.dropped != i+1 {
				t.Errorf("time is over: got %v, and it was asked %d times, want %d", err, foreign.dropped, i+1)
			}
			cancel()
			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			if err := call(ctx); err == nil || foreign.dropped != i+1 {
				t.Errorf("cancelled: got %v, and it was asked %d times, want %d", err, foreign.dropped, i+1)
			}
		}
	})
}

// droppingTransport never answers.
type droppingTransport struct{ dropped int }

func (d *droppingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func (d *droppingTransport) CloseIdleConnections() { d.dropped++ }

// T5: a clone speaks what the original speaks, on connections of its own.
func TestSessionCallsHaveConnectionsOfTheirOwnWhateverTheTransportSpeaks(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{} // the version of HTTP that a client's address spoke
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.RemoteAddr] = r.ProtoMajor
		io.WriteString(w, `{"jwtToken":"opaque"}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trust := func() *tls.Config { return &tls.Config{RootCAs: roots} }
	for name, c := range map[string]struct {
		make    func() *http.Transport
		version int
	}{
		"as the default":         {func() *http.Transport { return &http.Transport{TLSClientConfig: trust(), ForceAttemptHTTP2: true} }, 2},
		"with a TLS config only": {func() *http.Transport { return &http.Transport{TLSClientConfig: trust()} }, 1},
		"without anything": {func() *http.Transport {
			t := &http.Transport{}
			t.Clone() // decides that it speaks HTTP/2
			t.TLSClientConfig.RootCAs = roots
			return t
		}, 2},
		"without HTTP/2": {func() *http.Transport {
			return &http.Transport{TLSClientConfig: trust(), ForceAttemptHTTP2: true, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
		}, 1},
		"with HTTP/2 alone": {func() *http.Transport {
			t := &http.Transport{TLSClientConfig: trust(), Protocols: &http.Protocols{}}
			t.Protocols.SetHTTP2(true)
			return t
		}, 2},
		"with connections of the program's": {func() *http.Transport {
			config := trust()
			config.NextProtos = []string{"h2", "http/1.1"}
			return &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: (&tls.Dialer{Config: config}).DialContext}
		}, 2},
	} {
		for _, used := range []bool{false, true} {
			original := c.make()
			hc := &http.Client{Transport: original}
			get := func() {
				res, err := hc.Get(server.URL)
				if err != nil {
					t.Fatalf("%s: the transport itself: %v", name, err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			if used {
				get()
			}
			client := clientOf(t, server.URL, hc)
			for op, call := range calls(client, "opaque") {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s, %s, used before: %v: got %v, want an answer", name, op, used, err)
				}
			}
			get()
			mu.Lock()
			if len(seen) != 2 {
				t.Errorf("%s, used before: %v: the server saw %d connections, want one for each", name, used, len(seen))
			}
			for _, version := range seen {
				if version != c.version {
					t.Errorf("%s, used before: %v: the server saw HTTP/%d, want HTTP/%d", name, used, version, c.version)
				}
			}
			clear(seen)
			mu.Unlock()
			original.CloseIdleConnections()
			client.http().CloseIdleConnections()
		}
	}
}

// T5: an HTTP/2 that the program has set up, as with x/net, has connections of the
// original's.
func TestACloneDoesNotSpeakOverTheConnectionsOfTheOriginal(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"jwtToken":"opaque"}`) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	original := server.Client().Transport.(*http.Transport).Clone()
	strayed := func(string, *tls.Conn) http.RoundTripper {
		t.Error("a session call's connection was given to the original")
		return http.NewFileTransport(http.Dir("."))
	}
	original.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{"h2": strayed, "other": strayed}
	client := clientOf(t, server.URL, &http.Client{Transport: original})
	defer client.http().CloseIdleConnections()
	for op, call := range calls(client, "opaque") {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: got %v, want an answer", op, err)
		}
	}
	if original.TLSNextProto["h2"] == nil || len(original.TLSNextProto) != 2 {
		t.Error("the program's transport has been changed")
	}
}

// T5: what no later attempt would find otherwise.
func TestAServerThatIsNotTheRightOneIsNoTroubleOfTheNetwork(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = nil
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	toSecure := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, secure.Listener.Addr().String())
	}
	for name, c := range map[string]struct {
		base      string
		transport *http.Transport
		want      errorKind
	}{
		"an unknown authority":                  {secure.URL, &http.Transport{}, unusable},
		"another name":                          {"https://other.test", &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: toSecure}, unusable},
		"no TLS":                                {"https" + strings.TrimPrefix(plain.URL, "http"), &http.Transport{}, unusable},
		"an expired certificate, by this clock": {secure.URL, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Time: func() time.Time { return time.Now().AddDate(200, 0, 0) }}}, temporary},
		"nobody there":                          {"https://127.0.0.1:1", &http.Transport{}, temporary},
	} {
		for op, call := range calls(clientOf(t, c.base, &http.Client{Transport: c.transport}), "opaque") {
			if err := call(t.Context()); err == nil || kindOf(err) != c.want {
				t.Errorf("%s, %s: got %v of kind %d, want kind %d", name, op, err, kindOf(err), c.want)
			}
		}
	}
}
