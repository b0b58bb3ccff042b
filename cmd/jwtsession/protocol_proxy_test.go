//go:build !windows

package main

import (
	"bufio"
	"fmt"
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
