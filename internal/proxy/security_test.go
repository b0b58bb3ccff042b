package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// expectNothingAsked fails if the API got anything at all but the proxy's own
// sign-in.
func (a *api) expectNothingAsked(t testing.TB, what string) {
	t.Helper()
	if got := a.got(); len(got) > 0 {
		t.Errorf("%s: the API got %v, want nothing", what, got)
	}
}

func TestARequestWithAnotherHostIsRefused(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	for _, host := range []string{
		"evil.example.com", "evil.example.com:" + p.port(), "127.0.0.1", "localhost", "127.0.0.1:1", "localhost:1",
		"127.0.0.1.evil.example.com:" + p.port(), "localhost.evil.example.com:" + p.port(), "127.0.0.2:" + p.port(),
		"127.1:" + p.port(), "0.0.0.0:" + p.port(), "[::1]:" + p.port(), "localhost.:" + p.port(), "",
	} {
		for _, path := range []string{"/me", "/-/healthz", "/-/readyz", "/-/metrics"} {
			send(t, p, "GET "+path+" HTTP/1.1\nHost: "+host+"\n\n").expect(t, path+" of "+host, 403, "host")
		}
	}
	send(t, p, "GET /me HTTP/1.0\n\n").expect(t, "no Host at all", 403, "host")
	if got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\nHost: evil.example.com\n\n").status; got != 400 {
		t.Errorf("two Host headers: got %d, want 400", got)
	}
	a.expectNothingAsked(t, "another host")
	for _, host := range []string{"HOST", "localhost:" + p.port(), "LocalHost:" + p.port()} {
		if got := send(t, p, "GET /me HTTP/1.1\nHost: "+host+"\n\n"); got.status != 200 {
			t.Errorf("Host %s: got %d %s, want 200", host, got.status, got.text)
		}
	}
}

func TestAHostThatIsAllowedIsServed(t *testing.T) {
	a := newAPI(t, nil)
	const secret = "a-secret-of-the-clients"
	p := a.running(t, func(c *Config) { c.Hosts, c.Secret = []string{"api.internal", "other.internal:8080"}, secret })
	for host, want := range map[string]int{
		"api.internal": 200, "API.internal:1234": 200, "other.internal:8080": 200,
		"other.internal": 403, "sub.api.internal": 403, "api.internal.evil.example.com": 403,
	} {
		if got := send(t, p, "GET /me HTTP/1.1\nHost: "+host+"\nAuthorization: Bearer "+secret+"\n\n").status; got != want {
			t.Errorf("Host %s: got %d, want %d", host, got, want)
		}
	}
	if err := (Config{Hosts: []string{"api.internal"}}).Validate(); err == nil {
		t.Error("without a secret and TLS: got no error, want one: pages could have it signed in")
	}
}

func TestARequestThatAPageOfAnotherSiteMadeIsRefused(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	for _, header := range []string{
		"Origin: https://evil.example.com", "Origin: null", "Origin: ", "Origin: http://127.0.0.1:1", "Origin: http://localhost",
		"Origin: https://HOST", "Origin: http://HOST.evil.example.com", "Origin: http://HOST\nOrigin: https://evil.example.com",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: made-up", "Sec-Fetch-Site: ",
		"Origin: http://HOST\nSec-Fetch-Site: cross-site", "Origin: https://evil.example.com\nSec-Fetch-Site: same-origin",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
			got := send(t, p, method+" /me HTTP/1.1\nHost: HOST\n"+header+"\nConnection: close\n\n")
			if got.status != 403 {
				t.Errorf("%s with %q: got %d, want 403", method, header, got.status)
			}
			if cors := got.header.Get("Access-Control-Allow-Origin"); cors != "" {
				t.Errorf("%s with %q: got Access-Control-Allow-Origin %q, want none", method, header, cors)
			}
		}
	}
	send(t, p, "GET /-/metrics HTTP/1.1\nHost: HOST\nSec-Fetch-Site: cross-site\n\n").expect(t, "metrics", 403, "cross_site")
	a.expectNothingAsked(t, "another site")
	for _, header := range []string{"Origin: http://HOST", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "X: none of both"} {
		if got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n"); got.status != 200 {
			t.Errorf("%q: got %d %s, want 200", header, got.status, got.text)
		}
	}
}

func TestAnOriginThatIsAllowedIsServed(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Origins = []string{"http://localhost:3000"} })
	for header, want := range map[string]int{
		"Origin: http://localhost:3000\nSec-Fetch-Site: same-site":             200,
		"Origin: http://localhost:3001\nSec-Fetch-Site: same-site":             403,
		"Sec-Fetch-Site: same-site":                                            403, // of whom, nobody says
		"Origin: http://localhost:3000\nOrigin: https://evil.example.com":      403,
		"Origin: https://evil.example.com\nOrigin: http://localhost:3000\nX: ": 403,
	} {
		if got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n").status; got != want {
			t.Errorf("%q: got %d, want %d", header, got, want)
		}
	}
	// A browser that has an answer without the page's origin must not show it to the
	// page's script from its cache.
	for _, header := range []string{"X-No: origin", "Origin: http://localhost:3000"} {
		got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n").header["Vary"]
		if !isListed(got, "Origin") {
			t.Errorf("%s: got Vary %q, want Origin in it", header, got)
		}
	}
	// Else caches would keep an answer for each origin, of which none is allowed.
	if got := get(t, a.running(t), "/me").header["Vary"]; len(got) > 0 {
		t.Errorf("without such an origin: got Vary %q, want none", got)
	}
}

func TestTunnelsAndTargetsElsewhereAreRefused(t *testing.T) {
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	go func() {
		if conn, err := elsewhere.Accept(); err == nil {
			t.Errorf("the other host got a connection, want none")
			conn.Close()
		}
	}()
	a := newAPI(t, nil)
	p := a.running(t)
	other := elsewhere.Addr().String()
	for line, want := range map[string]int{
		"CONNECT " + other:                  405,
		"CONNECT HOST":                      405,
		"CONNECT /me":                       405,
		"TRACE /me":                         405, // its answer would repeat the token
		"GET http://" + other + "/me":       403,
		"GET https://" + other + "/me":      403,
		"GET http://HOST@" + other + "/me":  403,
		"GET http://user:secret@HOST/me":    400,
		"GET ftp://" + other + "/me":        403,
		"GET http:opaque":                   400,
		"OPTIONS *":                         400,
		"GET http://evil.example.com:80/me": 403,
	} {
		got := send(t, p, line+" HTTP/1.1\nHost: HOST\nConnection: close\n\n")
		if got.status != want {
			t.Errorf("%s: got %d %.100q, want %d", line, got.status, got.text, want)
		}
	}
	for _, target := range []string{"me", "?x", "\\me"} { // these are no requests at all
		if got := send(t, p, "GET "+target+" HTTP/1.1\nHost: HOST\n\n").status; got != 400 {
			t.Errorf("target %s: got %d, want 400", target, got)
		}
	}
	a.expectNothingAsked(t, "targets elsewhere")
	if got := send(t, p, "GET http://HOST/me?x HTTP/1.1\nHost: evil.example.com\n\n"); got.status != 200 || a.last(t).target != "/v1/me?x" {
		t.Errorf("an absolute target of the proxy's own: got %d, and the API %v; want 200 of /v1/me?x", got.status, a.last(t))
	}
}

func TestNoPathLeadsOutOfTheAPI(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	for _, path := range []string{
		"/..", "/../", "/../admin", "/a/../../admin", "/a/..", "/./../admin", "//../admin", "/a//../../admin",
		"/%2e%2e/admin", "/%2E%2E/admin", "/.%2e/admin", "/%2e./admin", "/..%2fadmin", "/..%2Fadmin", "/a%2f..%2f..%2fadmin",
		"/%252e%252e/admin", "/..%252fadmin", "/%25252e%25252e%25252fadmin", "/%2525252525252525252e", "/%25%32%65%25%32%65/admin",
		`/..\admin`, `/a\..\..\admin`, "/..%5cadmin", "/%2e%2e%5Cadmin", "/%252e%252e%255cadmin",
		"/..;/admin", "/..;x=y/admin", "/%2e%2e%3b/admin", "/..%00/admin", "/..%20/admin", "/x%0d%0aX:y", "/.%09./admin", "/../-/metrics", "/-/../admin",
	} {
		send(t, p, "GET "+path+" HTTP/1.1\nHost: HOST\n\n").expect(t, path, 400, "path")
	}
	a.expectNothingAsked(t, "a path that leads out")
}

func TestAnUpgradeDoesNotPass(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	for _, header := range []string{
		"Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
	} {
		got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n")
		for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
			if value := a.last(t).header.Get(name); value != "" || got.status != 200 {
				t.Errorf("%q: got %d, and the API %s: %q; want 200, as without an upgrade", header, got.status, name, value)
			}
		}
	}
}

func TestAHeaderThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.running(t)
	conn, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET /me HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nX: %s\r\n\r\n", p.port(), strings.Repeat("x", largestHeader+8<<10))
	// What was not read makes the end of the answer a reset, so that only its
	// beginning is certain.
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, " 431 ") {
		t.Errorf("got %q (%v), want 431", line, err)
	}
	a.expectNothingAsked(t, "a header that is too large")
}

func TestAConnectionThatSendsNothingOrSlowlyIsClosed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.listening(t)
	if p.server.ReadHeaderTimeout <= 0 || p.server.IdleTimeout <= 0 {
		t.Errorf("got a bound of %v on a header and %v on idleness, want both bounded", p.server.ReadHeaderTimeout, p.server.IdleTimeout)
	}
	p.server.ReadHeaderTimeout, p.server.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
	serve(t, p)
	for _, raw := range []string{"GET /me HTTP/1.1\r\nX: ", "GET /-/healthz HTTP/1.1\r\nHost: HOST\r\n\r\n"} {
		conn, err := net.Dial("tcp", p.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, strings.ReplaceAll(raw, "HOST", "127.0.0.1:"+p.port()))
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%q: got error %v, want the proxy to close the connection", raw, err)
		}
	}
}

func TestWithoutTheSecretNobodyIsSignedIn(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-the-clients"
	for own, c := range map[string]struct {
		keep          bool
		header, other string
	}{
		"as a bearer token":      {false, "Authorization: Bearer ", "Jwtsession-Secret: "},
		"in a header of its own": {true, "Jwtsession-Secret: ", "Authorization: Bearer "},
	} {
		a := newAPI(t, nil)
		p := a.running(t, func(config *Config) { config.Secret, config.KeepAuthorization = secret, c.keep })
		for _, header := range []string{
			"X: none", c.header, c.header + "wrong", c.header + secret[1:], c.header + secret + "x",
			c.header + "wrong\n" + c.header + secret, c.other + secret, "Authorization: Basic " + secret,
		} {
			send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n").expect(t, own+": "+header, 403, "secret")
			send(t, p, "GET /-/metrics HTTP/1.1\nHost: HOST\n"+header+"\n\n").expect(t, own+": metrics with "+header, 403, "secret")
		}
		a.expectNothingAsked(t, "no secret")
		got := get(t, p, "/me", c.header+secret)
		if sent := a.last(t).header; got.status != 200 || strings.Contains(fmt.Sprint(sent), secret) || !strings.HasPrefix(sent.Get("Authorization"), "Bearer ey") {
			t.Errorf("%s: got %d; want 200, the API's token sent, and the secret not", own, got.status)
		}
		if got := get(t, p, "/-/healthz"); got.status != 200 {
			t.Errorf("%s: /-/healthz without the secret: got %d, want 200", own, got.status)
		}
	}
}

func TestRemoteClientsNeedTLSAndASecret(t *testing.T) {
	a := newAPI(t, nil)
	cert, key, roots := certificate(t, "proxy.internal", "127.0.0.1")
	safe := Config{APIs: []API{{Source: a.source, BaseURL: a.base}}, Address: "0.0.0.0:0", AllowRemote: true, CertFile: cert, KeyFile: key, Secret: "a-secret-of-the-clients"}
	for name, change := range map[string]func(*Config){
		"not allowed":          func(c *Config) { c.AllowRemote = false },
		"any interface":        func(c *Config) { c.AllowRemote, c.Address = false, ":0" },
		"any interface, IPv6":  func(c *Config) { c.AllowRemote, c.Address = false, "[::]:0" },
		"another interface":    func(c *Config) { c.AllowRemote, c.Address = false, "192.0.2.1:0" },
		"a name":               func(c *Config) { c.AllowRemote, c.Address = false, "example.com:0" },
		"without a cert":       func(c *Config) { c.CertFile, c.KeyFile = "", "" },
		"without a key":        func(c *Config) { c.KeyFile = "" },
		"without a secret":     func(c *Config) { c.Secret = "" },
		"with a short secret":  func(c *Config) { c.Secret = "123456789012345" },
		"at a Unix socket":     func(c *Config) { c.Address = "unix:" + filepath.Join(t.TempDir(), "s") },
		"a key that is no key": func(c *Config) { c.KeyFile = cert },
	} {
		config := safe
		change(&config)
		if p, err := Listen(config); err == nil {
			p.Close()
			t.Errorf("%s: got a proxy at %s, want an error", name, p.URL())
		} else if strings.Contains(err.Error(), config.Secret) && config.Secret != "" {
			t.Errorf("%s: the error %q has the secret in it", name, err)
		}
	}

	p := a.running(t, func(c *Config) { *c = safe })
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	for host, want := range map[string]int{"": 200, "proxy.internal": 200, "proxy.internal:443": 200, "evil.example.com": 403, "localhost:" + p.port(): 403} {
		req := request(t, "GET", "https://127.0.0.1:"+p.port()+"/me", nil, "Authorization: Bearer "+safe.Secret)
		req.Host = host
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, res); got.status != want || res.Proto != "HTTP/2.0" {
			t.Errorf("Host %q: got %d over %s, want %d over HTTP/2.0", host, got.status, res.Proto, want)
		}
	}
	if got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\n\n").status; got != 400 {
		t.Errorf("without TLS: got %d, want 400", got)
	}
}

func TestNothingThatTheProxySaysHoldsASecret(t *testing.T) {
	const password = "a-canary-of-a-password"
	a := newAPI(t, nil, sessiontest.WithUser(sessiontest.Email, password))
	p := a.running(t) // with another password: the sign-in is refused
	for _, path := range []string{"/me", "/-/readyz", "/-/metrics", "/-/x", "/../x", "/session"} {
		got := send(t, p, "GET "+path+" HTTP/1.1\nHost: HOST\n\n")
		for _, secret := range []string{password, sessiontest.Password, sessiontest.Email, "Bearer ey"} {
			if strings.Contains(got.text+fmt.Sprint(got.header), secret) {
				t.Errorf("%s: the answer %q has a secret in it", path, got.text)
			}
		}
	}
}
