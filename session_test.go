package jwtsession

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

var _ Issuer = (*Client)(nil)

// canary are the secrets that the tests look for. The password has what JSON,
// URLs and HTML escape. None has four characters in a row that a server's own
// words have.
const (
	canaryEmail    = "canary+1@example.com"
	canaryPassword = `CANARY-pä$$ "w"/\<é>&?%+ 漢 𝄞 ñ-wörd`
	canaryOpaque   = "CANARY-0paque-t0ken-9f8e7d6c5b4a-zyxwvutsrqponmlkjihgfedcba"
)

var canaryCredentials = Credentials{Email: canaryEmail, Password: canaryPassword}

// newClient returns a client of a server that answers the session calls as
// handler says.
func newClient(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL+"/v1", server.Client())
}

func clientOf(t testing.TB, base string, hc *http.Client) *Client {
	t.Helper()
	client, err := NewClient(base, canaryCredentials, hc)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return client
}

// calls are the three of a client, by the name of the operation.
func calls(client *Client, token string) map[operation]func(context.Context) error {
	return map[operation]func(context.Context) error{
		opCreate:  func(ctx context.Context) error { _, err := client.Create(ctx); return err },
		opRefresh: func(ctx context.Context) error { _, err := client.Refresh(ctx, Session{Token: token}); return err },
		opRevoke:  func(ctx context.Context) error { return client.Revoke(ctx, Session{Token: token}) },
	}
}

// capture accepts one connection after the other, answers the one request on it,
// and hands over every byte of that.
func capture(t *testing.T) (address string, requests <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	captured := make(chan string, 3)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			var raw bytes.Buffer
			reader := bufio.NewReader(io.TeeReader(connection, &raw))
			if req, err := http.ReadRequest(reader); err == nil {
				io.Copy(io.Discard, req.Body)
			}
			captured <- raw.String()
			answer := `{"jwtToken":"opaque"}`
			fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
			connection.Close()
		}
	}()
	return listener.Addr().String(), captured
}

// S1: every byte, as it goes over the wire.
func TestTheThreeCallsAreThoseOfTheAPIByteForByte(t *testing.T) {
	address, requests := capture(t)
	client, err := NewClient("http://"+address+"/v1", Credentials{Email: "clerk@example.com", Password: "secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"email":"clerk@example.com","password":"secret"}`
	want := map[operation][]string{
		opCreate: {"POST /v1/session HTTP/1.1", "Host: " + address, "User-Agent: jwtsession/" + Version,
			fmt.Sprintf("Content-Length: %d", len(body)), "Accept: application/json", "Content-Type: application/json", "Accept-Encoding: gzip", "", body},
		opRefresh: {"GET /v1/session HTTP/1.1", "Host: " + address, "User-Agent: jwtsession/" + Version,
			"Accept: application/json", "Authorization: Bearer the.token", "Accept-Encoding: gzip", "", ""},
		opRevoke: {"DELETE /v1/session HTTP/1.1", "Host: " + address, "User-Agent: jwtsession/" + Version,
			"Authorization: Bearer the.token", "Accept-Encoding: gzip", "", ""},
	}
	for op, call := range calls(client, "the.token") {
		if err := call(t.Context()); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if got, want := <-requests, strings.Join(want[op], "\r\n"); got != want {
			t.Errorf("%s sent\n%q\nwant\n%q", op, got, want)
		}
	}
}

// S1, K4
func TestAStrictServerAcceptsTheThreeCallsOverHTTPAndTLS(t *testing.T) {
	for name, opts := range map[string][]sessiontest.Option{
		"HTTP/1.1":              nil,
		"TLS":                   {sessiontest.WithTLS()},
		"in memory":             {sessiontest.InMemory()},
		"HTTP/1.1 over TLS":     {sessiontest.WithTLS()},
		"a user's other e-mail": {sessiontest.WithUser(canaryEmail, "x"), sessiontest.WithUser(sessiontest.Email, sessiontest.Password)},
	} {
		t.Run(name, func(t *testing.T) {
			box := sessiontest.NewServer(append(opts, sessiontest.Strict(t))...)
			defer box.Close()
			hc, want := box.Client(), 1
			switch name {
			case "TLS":
				want = 2
			case "HTTP/1.1 over TLS":
				base := hc.Transport.(*http.Transport).Clone()
				base.TLSClientConfig.NextProtos = []string{"http/1.1"}
				base.ForceAttemptHTTP2 = false
				defer base.CloseIdleConnections()
				hc.Transport = base
			}
			var protocols []int
			base := hc.Transport
			hc.Transport = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				res, err := base.RoundTrip(req)
				if res != nil {
					protocols = append(protocols, res.ProtoMajor)
				}
				return res, err
			})
			client, err := NewClient(box.URL, Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, hc)
			if err != nil {
				t.Fatal(err)
			}
			s, err := client.Create(t.Context())
			if err != nil || s.Token == "" || s.ExpiresAt.IsZero() {
				t.Fatalf("Create: got %v, %v; want a session", s, err)
			}
			if s, err = client.Refresh(t.Context(), s); err != nil || s.Token == "" || s.ExpiresAt.IsZero() {
				t.Fatalf("Refresh: got %v, %v; want a session", s, err)
			}
			if err := client.Revoke(t.Context(), s); err != nil {
				t.Fatalf("Revoke: got %v, want nil", err)
			}
			expectCalls(t, box, 1, 1, 1)
			if fmt.Sprint(protocols) != fmt.Sprint([]int{want, want, want}) {
				t.Errorf("the calls went over HTTP/%v, want /%d", protocols, want)
			}
		})
	}
}

// S1: whatever is in a password arrives, and only that.
func TestTheCredentialsArriveUnchanged(t *testing.T) {
	var got struct{ Email, Password string }
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewDecoder(r.Body).Decode(&got)
		io.WriteString(w, `{"jwtToken":"opaque"}`)
	})
	if _, err := client.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.Email != canaryEmail || got.Password != canaryPassword {
		t.Errorf("the server got %q and %q, want %q and %q", got.Email, got.Password, canaryEmail, canaryPassword)
	}
}

// S1: the API answers a revocation with {} or nothing, 200 or 204.
func TestEveryAnswerThatARevocationMayGetIsASuccess(t *testing.T) {
	for _, answer := range []struct {
		status     int
		body, kind string
	}{{200, "{}", ""}, {200, "", ""}, {204, "", ""}, {200, "OK", "text/plain"}, {200, "", "text/html"}, {200, "{}", "text/html"}} {
		client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", answer.kind)
			w.WriteHeader(answer.status)
			io.WriteString(w, answer.body)
		})
		if err := client.Revoke(t.Context(), Session{Token: "opaque"}); err != nil {
			t.Errorf("%d with %q: got %v, want nil", answer.status, answer.body, err)
		}
	}
}

// T8: the network may answer in the place of the API, and the token is good then.
func TestAPageForPeopleIsNoRevocation(t *testing.T) {
	page := &sessiontest.Fault{Status: http.StatusOK, Body: "<html>Welcome to our network</html>", ContentType: "text/html; charset=utf-8"}
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		before := token(t, ts)
		box.Inject(sessiontest.OpRevoke, 1, *page)
		if err := ts.Revoke(t.Context()); err == nil || !strings.Contains(err.Error(), "a page for people") {
			t.Errorf("got %v, want an error that says that the answer is a page for people", err)
		}
		if got := token(t, ts); got != before || !opens(t, box, got) {
			t.Error("after a log-out that nobody has judged: got another token, want the one that lives")
		}
		revoke(t, ts)
		if opens(t, box, before) {
			t.Error("after the second log-out the token opens the API still")
		}
	})
}

// S2: net/http would send the password along with a 307 or a 308.
func TestASessionCallNeverFollowsARedirect(t *testing.T) {
	var arrived atomic.Int32
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer foreign.Close()
	target := foreign.URL + "/" + canaryOpaque + "?token=" + canaryOpaque
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := newClient(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, status) })
		for op, call := range calls(client, canaryOpaque) {
			err := call(t.Context())
			host := strings.TrimPrefix(foreign.URL, "http://")
			if err == nil || !strings.Contains(err.Error(), "redirect to "+host+", which is not followed") {
				t.Errorf("%d to %s: got %v, want an error that names the host %s", status, op, err, host)
			}
			if strings.Contains(fmt.Sprint(err), "CANARY") {
				t.Errorf("%d to %s: the error tells more than the host: %v", status, op, err)
			}
		}
	}
	if n := arrived.Load(); n != 0 {
		t.Errorf("%d requests reached the second server, want none", n)
	}
}

// S2: net/http quotes a target that it cannot read, whoever asked it not to.
func TestARedirectToWhatIsNoURLIsNotQuoted(t *testing.T) {
	for location, want := range map[string]string{
		"https://CANARY.example.com:port/": "an unknown host", "%zzCANARY": "an unknown host", "https://user:CANARY@other.example.com/CANARY": "other.example.com",
		"https:CANARY": "an unknown host", "": "an unknown host", "//other.example.com/CANARY": "other.example.com", "/elsewhere?CANARY": "127.0.0.1:",
	} {
		client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusPermanentRedirect)
		})
		for op, call := range calls(client, canaryOpaque) {
			err := call(t.Context())
			var api *APIError
			if !errors.As(err, &api) || !strings.Contains(api.Message, "a redirect to "+want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s, to %q: got %v, want an *APIError that names %s", op, location, err, want)
			}
		}
	}
}

// Not every RoundTripper says of which request its answer is.
func TestARedirectOfAnAnswerThatNamesNoRequestNamesItsHost(t *testing.T) {
	base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		req.Body.Close()
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"//other.example.com/"}}, Body: http.NoBody}, nil
	})
	_, err := clientOf(t, "https://api.example.com", &http.Client{Transport: base}).Create(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a redirect to other.example.com") {
		t.Errorf("got %v, want an error that names other.example.com", err)
	}
}

// S2: also with a CheckRedirect of the user's own, which is left as it was.
func TestTheUsersHTTPClientIsNotChanged(t *testing.T) {
	var asked, arrived atomic.Int32
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer foreign.Close()
	box := httptest.NewServer(http.RedirectHandler(foreign.URL, http.StatusTemporaryRedirect))
	defer box.Close()
	hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { asked.Add(1); return nil }}
	if _, err := clientOf(t, box.URL, hc).Create(t.Context()); err == nil || arrived.Load() != 0 || asked.Load() != 0 {
		t.Errorf("got %v; %d requests arrived and CheckRedirect was asked %d times, want an error and neither", err, arrived.Load(), asked.Load())
	}
	res, err := hc.Get(box.URL)
	if err != nil || arrived.Load() != 1 || asked.Load() != 1 {
		t.Fatalf("the user's client got %v after %d redirects, want it to follow as before", err, asked.Load())
	}
	res.Body.Close()
}

// A context of the caller's reaches the call, with its values and its end.
func TestACallEndsWithItsContext(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Hang: true})
		client := clientOf(t, box.URL, box.Client())
		for op, call := range calls(client, "opaque") {
			traced := false
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(string) { traced = true }})
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			var err error
			waited := took(func() { err = call(ctx) })
			cancel()
			if waited != time.Second || err == nil || kindOf(err) != temporary || !traced {
				t.Errorf("%s: got %v after %v, want the end of its context after 1 s", op, err, waited)
			}
			if want := op.String() + " at localhost"; !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: got %q, want it to say %q", op, err, want)
			}
		}
	})
}
