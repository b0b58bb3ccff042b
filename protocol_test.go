package jwtsession

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var _ Signer = (*Client)(nil)

// rotating is a protocol whose refresh token is used once.
var rotating = Protocol{
	SignIn:       "POST /token\n\n{\"user\": \"{email}\", \"password\": \"{password}\", \"tenant\": \"{tenant}\"}",
	Refresh:      "POST /refresh\n\nrefresh_token={refresh}",
	LogOut:       "POST /logout\n\nrefresh_token={refresh}",
	Token:        "data.access",
	ExpiresIn:    "data.expires_in",
	Keep:         map[string]string{"refresh": "data.refresh", "csrf": "cookie:csrf"},
	RenewableFor: 24 * time.Hour,
	Send:         []string{"X-Auth-Token: {token}", "X-CSRF: {csrf}", "X-Tenant: {tenant}", "X-User: {email}", "Cookie: SID={token}"},
	Rejects:      []int{401, 419},
}

var canaryTenant = Credentials{Email: canaryEmail, Password: canaryPassword, Extra: map[string]string{"tenant": "CANARY-tenant"}}

// speaking returns a client of a server that answers as handler says.
func speaking(t testing.TB, p Protocol, c CredentialsProvider, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := p.NewClient(server.URL+"/v1", c, server.Client())
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return client
}

// isLost reports whether a refresh must not be repeated, as the error itself says.
func isLost(t testing.TB, err error) bool {
	t.Helper()
	var api *APIError
	var tells interface{ WasSent() bool }
	if err != nil && !errors.As(err, &api) && !errors.As(redact("refresh").error(err), &tells) {
		t.Errorf("got %v, which does not tell", err)
	}
	return tells != nil && tells.WasSent()
}

// seen is a request in one line.
func seen(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
}

// Section 6, O1 and O3: a session's life in another protocol.
func TestAClientSpeaksTheProtocolThatADescriptionTells(t *testing.T) {
	var requests []string
	client := speaking(t, rotating, Credentials{Email: "e", Password: "p", Extra: map[string]string{"tenant": "x"}}, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, seen(r))
		if len(requests) == 1 {
			w.Header().Set("Set-Cookie", "csrf=c1; Path=/")
			io.WriteString(w, `{"data":{"access":"a1","expires_in":600,"refresh":"r1"}}`)
			return
		}
		io.WriteString(w, `{"data":{"access":"a2","expires_in":"600","refresh":"r2"}}`)
	})
	started := time.Now()
	first, err := client.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.Refresh(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Revoke(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for i, s := range []Session{first, second} {
		want := fmt.Sprintf(`{"csrf":"c1","email":"e","refresh":"r%d","tenant":"x"}`, i+1)
		if s.Token != fmt.Sprint("a", i+1) || s.State != want {
			t.Errorf("session %d: got %q and the state %s, want %s", i+1, s.Token, s.State, want)
		}
		life, renewable := s.ExpiresAt.Sub(started), s.RenewableUntil.Sub(started)
		if life < 9*time.Minute || life > 11*time.Minute || renewable < 23*time.Hour || renewable > 25*time.Hour {
			t.Errorf("session %d: got a life of %v, renewable for %v; want 10m and 24h", i+1, life, renewable)
		}
	}
	want := []string{
		`POST /v1/token application/json {"user": "e", "password": "p", "tenant": "x"}`,
		`POST /v1/refresh application/x-www-form-urlencoded refresh_token=r1`,
		`POST /v1/logout application/x-www-form-urlencoded refresh_token=r2`,
	}
	if fmt.Sprint(requests) != fmt.Sprint(want) {
		t.Errorf("the server got\n%q, want\n%q", requests, want)
	}

	req := httptest.NewRequest("GET", "https://h/", nil)
	req.Header.Set("Cookie", "a=1")
	client.Sign(req, second)
	if got, want := fmt.Sprint(req.Header), "map[Cookie:[a=1; SID=a2] X-Auth-Token:[a2] X-Csrf:[c1] X-Tenant:[x] X-User:[e]]"; got != want {
		t.Errorf("a request carries %s, want %s", got, want)
	}
	for status, want := range map[int]bool{200: false, 401: true, 403: false, 419: true} {
		if got := client.Rejects(&http.Response{StatusCode: status}); got != want {
			t.Errorf("%d rejects: %v, want %v", status, got, want)
		}
	}
}

// The earliest of all counts: expires_at, expires_in, a fixed life and exp.
func TestTheEarliestExpiryCounts(t *testing.T) {
	inHours := func(n int) int64 { return time.Now().Add(time.Duration(n) * time.Hour).Unix() }
	jwt := func(n int) string { return signedToken(map[string]any{"exp": inHours(n)}) }
	for name, c := range map[string]struct {
		at, in string
		answer string
		want   time.Duration
	}{
		"exp":                   {"at", "in", fmt.Sprintf(`{"token":%q,"at":%d,"in":7200}`, jwt(1), inHours(3)), time.Hour},
		"a time":                {"at", "in", fmt.Sprintf(`{"token":%q,"at":%d,"in":7200}`, jwt(3), inHours(1)), time.Hour},
		"a time in millisecods": {"at", "in", fmt.Sprintf(`{"token":"t","at":%d,"in":7200}`, inHours(1)*1000), time.Hour},
		"a life":                {"at", "in", fmt.Sprintf(`{"token":%q,"at":%d,"in":3600}`, jwt(3), inHours(2)), time.Hour},
		"a life in millisecods": {"at", "in ms", `{"token":"t","in":3600000}`, time.Hour},
		"a fixed life":          {"at", "1h", fmt.Sprintf(`{"token":%q,"at":%d}`, jwt(3), inHours(2)), time.Hour},
		"none":                  {"at", "in", `{"token":"t"}`, 0},
	} {
		p := Protocol{SignIn: "POST /token\n\nu={email}", Token: "token", ExpiresAt: c.at, ExpiresIn: c.in}
		client := speaking(t, p, Credentials{Email: "e"}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.answer) })
		s, err := client.Create(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := time.Until(s.ExpiresAt); c.want == 0 && !s.ExpiresAt.IsZero() || c.want != 0 && (got-c.want).Abs() > time.Minute {
			t.Errorf("%s: got a life of %v, want %v", name, got, c.want)
		}
	}
}

// O9
func TestARefreshWithoutATokenProlongsTheSessionWhereItsLifeIsFixed(t *testing.T) {
	for body, want := range map[string]bool{"": true, "{}": true, `{"user":"e"}`: true, `{"token":"b"}`: true, "<html>sign in</html>": false} {
		p := Protocol{SignIn: "POST /token\n\nu={email}", Refresh: "GET /me", Token: "token", ExpiresIn: "1h"}
		client := speaking(t, p, nil, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) })
		s, err := client.Refresh(t.Context(), Session{Token: "a", State: `{"k":"v"}`, ExpiresAt: time.Now().Add(time.Minute)})
		if got := err == nil && time.Until(s.ExpiresAt) > 59*time.Minute && s.State == `{"k":"v"}`; got != want {
			t.Errorf("%q: got %v with the state %q, %v; want it to be prolonged: %v", body, s, s.State, err, want)
		}
		if wantToken := map[bool]string{true: "b", false: "a"}[strings.Contains(body, "b\"")]; want && s.Token != wantToken {
			t.Errorf("%q: got %q, want %q", body, s.Token, wantToken)
		}
		if _, err := client.Create(t.Context()); err == nil {
			t.Errorf("%q: a sign-in without credentials succeeded", body)
		}
	}
	varying := Protocol{SignIn: "POST /token\n\nu={email}", Refresh: "GET /me", Token: "token", ExpiresIn: "in"}
	client := speaking(t, varying, nil, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"in":3600}`) })
	if s, err := client.Refresh(t.Context(), Session{Token: "a"}); !errors.Is(err, ErrMalformedToken) {
		t.Errorf("where lives vary: got %v, %v; want ErrMalformedToken", s, err)
	}
}

// What there is no request for is no call: the end of a chain, and a log-out that
// forgets.
func TestWhatTheProtocolDoesNotHaveIsNotAskedFor(t *testing.T) {
	var calls atomic.Int32
	count := func(w http.ResponseWriter, r *http.Request) { calls.Add(1) }
	without := Protocol{SignIn: "POST /token\n\nu={email}", Token: "token"}
	for name, c := range map[string]struct {
		p     Protocol
		state string
	}{"no refresh": {without, `{"refresh":"r"}`}, "no refresh token": {rotating, `{"csrf":"c"}`}} {
		client := speaking(t, c.p, canaryTenant, count)
		s := Session{Token: "a", State: c.state}
		_, err := client.Refresh(t.Context(), s)
		if !errors.Is(err, ErrUnauthorized) || kindOf(err) != rejected || client.renews(s) {
			t.Errorf("%s: got %v, want ErrUnauthorized", name, err)
		}
		if err := client.Revoke(t.Context(), s); err != nil {
			t.Errorf("%s: Revoke: got %v, want nil", name, err)
		}
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("the server got %d calls, want none", n)
	}
}

// O1: a refresh or a log-out that names something of the credentials asks for it.
func TestTheProviderIsAskedWhereARequestNamesTheCredentials(t *testing.T) {
	p := rotating
	p.Refresh, p.LogOut = "POST /refresh\nAuthorization: Basic {basic}\n\nrefresh_token={refresh}", "POST /logout/{tenant}\n\nt={token}"
	var asked, refused atomic.Int32
	provider := CredentialsProviderFunc(func(context.Context) (Credentials, error) {
		if asked.Add(1); refused.Load() > 0 {
			return Credentials{}, errors.New("the store is away")
		}
		return Credentials{Email: "e", Password: "p", Extra: map[string]string{"tenant": "x"}}, nil
	})
	var requests []string
	client := speaking(t, p, provider, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Header.Get("Authorization")+" "+seen(r))
		io.WriteString(w, `{"data":{"access":"a2"}}`)
	})
	s := Session{Token: "a1", State: `{"refresh":"r1","csrf":"c","tenant":"x","email":"e"}`}
	_, err1 := client.Refresh(t.Context(), s)
	err2 := client.Revoke(t.Context(), s)
	want := []string{
		"Basic ZTpw POST /v1/refresh application/x-www-form-urlencoded refresh_token=r1",
		" POST /v1/logout/x application/x-www-form-urlencoded t=a1",
	}
	if err1 != nil || err2 != nil || fmt.Sprint(requests) != fmt.Sprint(want) || asked.Load() != 2 {
		t.Errorf("got %v, %v; the provider was asked %d times, and the server got\n%q, want\n%q", err1, err2, asked.Load(), requests, want)
	}
	refused.Store(1)
	if _, err := client.Refresh(t.Context(), s); !isLocal(err) || !strings.Contains(fmt.Sprint(err), "the store is away") {
		t.Errorf("got %v, want the provider's error", err)
	}
	if len(requests) != 2 {
		t.Errorf("without credentials the server got %q", requests[2:])
	}
}

// O3: what became of a refresh is known only if it was not sent, or was answered.
func TestARefreshThatUsesUpItsTokenIsLostIfItMayHaveArrived(t *testing.T) {
	answer := func(text string) func(net.Conn) {
		return func(c net.Conn) { io.WriteString(c, text) }
	}
	for name, c := range map[string]struct {
		respond func(net.Conn)
		lost    bool
	}{
		"no answer":             {answer(""), true},
		"half a header":         {answer("HTTP/1.1 200 OK\r\nContent-"), true},
		"half a body":           {answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":"), true},
		"no session":            {answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), true},
		"a refusal":             {answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), false},
		"half a refusal":        {answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n{"), false},
		"a server that is away": {answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), false},
		"a session":             {answer("HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"data\":{\"access\":\"a2\"}}"), false},
		"nobody there":          {nil, false},
	} {
		for _, method := range []string{"POST", "GET"} {
			p := rotating
			p.Refresh, p.Send = method+" /refresh?t={refresh}", nil
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var arrived atomic.Int32
			go func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					if req, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
						arrived.Add(1)
						io.Copy(io.Discard, req.Body)
						c.respond(connection)
					}
					connection.Close()
				}
			}()
			if c.respond == nil {
				listener.Close()
			}
			client, err := p.NewClient("http://"+listener.Addr().String(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Refresh(t.Context(), Session{Token: "a1", State: `{"refresh":"r1","csrf":"c","tenant":"x","email":"e"}`})
			listener.Close()
			if isLost(t, err) != c.lost {
				t.Errorf("%s, to %s: got %v, lost: %v; want %v", name, method, err, isLost(t, err), c.lost)
			}
			if n := arrived.Load(); n > 1 || c.respond != nil && n != 1 {
				t.Errorf("%s, to %s: the refresh arrived %d times", name, method, n)
			}
		}
	}
}

// O3: net/http repeats a GET by itself, on a connection that has been used.
func TestARefreshIsNotRepeatedBehindOurBack(t *testing.T) {
	var arrived atomic.Int32
	p := rotating
	p.Refresh = "GET /refresh?t={refresh}"
	client := speaking(t, p, canaryTenant, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			arrived.Add(1)
			connection, _, _ := w.(http.Hijacker).Hijack()
			connection.Close()
			return
		}
		w.Header().Set("Set-Cookie", "csrf=c")
		io.WriteString(w, `{"data":{"access":"a1","refresh":"r1"}}`)
	})
	s, err := client.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Refresh(t.Context(), s); !isLost(t, err) || arrived.Load() != 1 {
		t.Errorf("got %v after %d requests, want one that is lost", err, arrived.Load())
	}
}

// O3: a transport that does not say how far it came may have sent the request, and
// one whose context is over has not.
func TestATransportThatDoesNotTellMayHaveSentARefresh(t *testing.T) {
	client, err := rotating.NewClient("https://h", nil, &http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no answer")
	})})
	if err != nil {
		t.Fatal(err)
	}
	s := Session{Token: "a1", State: `{"refresh":"r1","csrf":"c","tenant":"x","email":"e"}`}
	if _, err := client.Refresh(t.Context(), s); !isLost(t, err) {
		t.Errorf("got %v, want it lost", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Refresh(over, s); err == nil || isLost(t, err) {
		t.Errorf("after its context: got %v, want an error and nothing lost", err)
	}
	provider := rotating
	provider.Refresh += "&user={email}"
	client, _ = provider.NewClient("https://h", CredentialsProviderFunc(func(context.Context) (Credentials, error) {
		return Credentials{}, errors.New("the store is away")
	}), nil)
	if _, err := client.Refresh(t.Context(), s); !isLocal(err) {
		t.Errorf("without credentials: got %v, want an error of ours", err)
	}
	zero, _ := NewClient("https://h", nil, &http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no answer")
	})})
	if _, err := zero.Refresh(t.Context(), Session{Token: "a"}); err == nil || isLost(t, err) {
		t.Errorf("PacerPro's refresh uses up nothing: got %v, lost: %v", err, isLost(t, err))
	}
}
