//go:build !windows

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
)

// said waits for a line of a program that has this text in it.
func said(t *testing.T, lines <-chan string, text string) string {
	t.Helper()
	var before []string
	for timeout := time.After(patience); ; {
		select {
		case line, more := <-lines:
			if strings.Contains(line, text) {
				return line
			}
			if before = append(before, line); !more {
				t.Fatalf("the output ended without %q; got:\n%s", text, strings.Join(before, "\n"))
			}
		case <-timeout:
			t.Fatalf("waited %v for a line with %q; got:\n%s", patience, text, strings.Join(before, "\n"))
		}
	}
}

// P3: the paths are those of the protocol, with whatever stands where a placeholder
// is; and the proxy that was started for a protocol stays with it.
func TestTheProxyRefusesItsProtocolsOwnPathsAndAnotherProtocol(t *testing.T) {
	server, b := byName(t, "redfish", nil)
	b = b.with("JWTSESSION_PROTOCOL=")
	const config = "[default]\nprotocol = 'redfish'\n"
	b = b.config(t, config)
	cmd := b.command(t, "proxy", "--listen", "127.0.0.1:0")
	output, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = other, other
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	other.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		output.Close()
	})
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	_, base, _ := strings.Cut(said(t, lines, "The proxy is at "), "The proxy is at ")
	base, _, _ = strings.Cut(base, ",")
	for path, want := range map[string]int{
		"/me": 200, "/session": 200, "/redfish/v1/SessionService": 200,
		"/redfish/v1/SessionService/Sessions": 403, "/redfish/v1/sessionservice/Sessions/": 403,
		"/redfish/v1/SessionService/Sessions/7": 403, "/redfish/v1/SessionService/%53essions/any": 403,
		"/redfish/v1/SessionService/Sessions/a%2Fb": 403, "/redfish/v1/SessionService/Sessions/7/more": 403,
	} {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
	}
	if got := server.Counts(); got.Creates != 1 || got.Refreshes != 0 || got.Revokes != 0 {
		t.Errorf("got %+v, want one sign-in and nothing of the clients'", got)
	}
	home := b.environment[len(b.environment)-2] // as config has it
	path := filepath.Join(strings.TrimPrefix(home, "XDG_CONFIG_HOME="), "jwtsession", "config.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(config, "redfish", "vcenter")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	said(t, lines, "the protocol is now vcenter (profile default), and another one than it was")
	if res, err := http.Get(base + "/me"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: got %v and %v, want the session that there was", res, err)
	}
}

// What carries the session is added behind the proxy's own rules on cookies and
// headers.
func TestTheProxySignsInHoweverRequestsCarryTheSession(t *testing.T) {
	needCurl(t)
	for name, send := range map[string][]string{
		"a cookie and a header": {"Cookie: SID={token}", "X-CSRF: {csrf}"},
		"the query":             {"?sid={token}"},
		"another header":        {"X-Auth-Token: {token}"},
	} {
		p := tenantsProtocol(t)
		p.Send, p.LogOut = send, "DELETE /login"
		server, b := speaking(t, p, map[string]string{"tenant": "t", "client-secret": "c"})
		b = b.config(t, "[default]\n[default.protocol]\n"+describe(p).String())
		_, base := b.proxying(t)
		for range 2 {
			if got := curl(t, base+"/me?q=1", "-H", "Cookie: SID=mine", "-H", "X-Auth-Token: mine", "-H", "X-CSRF: mine"); got.status != http.StatusOK {
				t.Errorf("%s: got %d %s, want 200", name, got.status, got.text)
			}
		}
		if got := curl(t, base+"/t/login", "-X", "POST"); got.status != http.StatusForbidden {
			t.Errorf("%s: the sign-in: got %d, want 403", name, got.status)
		}
		code, header, stderr := b.run(t, "token", "--output", "header")
		if name == "the query" {
			if code != exitFailure || !strings.Contains(stderr, "in the query, and in no header") {
				t.Errorf("token --output header: got code %d and %q, want that there is no header", code, stderr)
			}
		} else if code != exitOK || get(t, server, header) != http.StatusOK {
			t.Errorf("%s: token --output header: got code %d and %q, want what signs a request in", name, code, stderr)
		}
		if got := server.Counts(); got.Creates != 1 {
			t.Errorf("%s: got %+v, want one sign-in", name, got)
		}
	}
}

// P9: an API may repeat the token where it was sent, or renew it there.
func TestNoHeaderOfTheAPIsBringsTheSessionToAClient(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" && r.Header.Get("X-Auth-Token") != "CANARY-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Auth-Token", "CANARY-1")
		w.Header().Set("X-Renewed-Token", "CANARY-2")
		w.Header().Set("X-Version", "2")
	}))
	t.Cleanup(api.Close)
	p := jwtsession.Protocol{
		SignIn: "POST /login\n\n" + `{"user": "{email}", "password": "{password}"}`, Token: "header:X-Renewed-Token", ExpiresIn: "1h",
		Keep: map[string]string{"first": "header:X-Auth-Token"}, Send: []string{"X-Auth-Token: {first}", "X-Version: 2"},
	}
	_, base := boxAt(t, api.URL).config(t, "[default]\n[default.protocol]\n"+describe(p).String()).proxying(t)
	res, err := http.Get(base + "/me")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := fmt.Sprint(res.Header); res.StatusCode != http.StatusOK || res.Header.Get("X-Version") != "2" || strings.Contains(got, "CANARY") {
		t.Errorf("got %d and %s, want all that is no session's", res.StatusCode, got)
	}
}

// P9: an API may renew the session in a cookie of every answer, and show what it was
// sent; cookies that are kept are the clients' own.
func TestNoCookieOfTheAPIsBringsTheSessionToAClient(t *testing.T) {
	sent := make(chan string, 10)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Add("Set-Cookie", "SID=CANARY-1; Path=/")
		header.Add("Set-Cookie", " SID = CANARY-2")
		header.Add("Set-Cookie", "csrf=CANARY-3; HttpOnly")
		header.Add("Set-Cookie", "SIDE=dish")
		header.Add("Set-Cookie", "lang=en; Path=/")
		header.Set("Set-Cookie2", "SID=CANARY-4; Version=1")
		header["Set_Cookie"] = []string{"SID=CANARY-5"}
		header.Set("Cookie", r.Header.Get("Cookie"))
		header.Set("Trailer", "Set-Cookie")
		if r.URL.Path != "/login" {
			sent <- r.Header.Get("Cookie")
		}
		w.WriteHeader(http.StatusOK)
		header.Set("Set-Cookie", "SID=CANARY-6")
	}))
	t.Cleanup(api.Close)
	p := jwtsession.Protocol{
		SignIn: "POST /login\n\n" + `{"user": "{email}", "password": "{password}"}`, Token: "cookie:SID", ExpiresIn: "1h",
		Keep: map[string]string{"csrf": "cookie:csrf"}, Send: []string{"Cookie: SID={token}", "Cookie: lang=de"},
	}
	b := boxAt(t, api.URL).config(t, "[default]\n[default.protocol]\n"+describe(p).String())
	for want, args := range map[string][]string{"": nil, "SIDE=dish\nlang=en; Path=/": {"--keep-cookies"}} {
		_, base := b.proxying(t, args...)
		req, _ := http.NewRequest("GET", base+"/me", nil)
		req.Header.Set("Cookie", "SID=mine; theirs=1")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if got := strings.Join(res.Header["Set-Cookie"], "\n"); res.StatusCode != http.StatusOK || got != want || strings.Contains(fmt.Sprint(res.Header, res.Trailer), "CANARY") {
			t.Errorf("%q: got %d with cookies %q and all in all %s, %s; want the cookies %q, and nothing of the session", args, res.StatusCode, got, res.Header, res.Trailer, want)
		}
		if got := <-sent; strings.Contains(got, "mine") || strings.Count(got, "SID=CANARY") != 1 || strings.Contains(got, "theirs=1") != (args != nil) {
			t.Errorf("%q: the API got the cookies %q, want the session's, and of the client's what is kept", args, got)
		}
	}
}
