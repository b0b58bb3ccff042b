package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestAPersonIsAskedForAOneTimeCodeWhereThereIsASignIn(t *testing.T) {
	server, b := speaking(t, withCodeProtocol, nil)
	b = b.config(t, withCode)
	code := server.NewOneTimeCode(sessiontest.Email)
	p := onOwnTerminal(t, b.command(t, "token"))
	p.expect("One-time code for ")
	p.enter(code, false)
	status, output := p.exit()
	if status != exitOK || strings.Contains(output, code) {
		t.Fatalf("got code %d and %q, want a token, and the code unseen", status, output)
	}
	for _, args := range [][]string{{"token"}, {"status"}, {"api", "GET", "/me"}} {
		p := onOwnTerminal(t, b.command(t, args...))
		if status, output := p.exit(); status != exitOK || strings.Contains(output, "One-time code") {
			t.Errorf("%s with a session in the cache: got code %d and %q, want that nobody is asked", args[0], status, output)
		}
	}
	// A proxy can ask before it begins, and not later.
	b.run(t, "logout", "--local")
	p = onOwnTerminal(t, b.command(t, "proxy", "--listen", "127.0.0.1:0"))
	p.expect("One-time code for ")
	p.enter(server.NewOneTimeCode(sessiontest.Email), false)
	p.expect(", for the API at ")
	_, base, _ := strings.Cut(p.seen, "The proxy is at ")
	base, _, _ = strings.Cut(base, ",")
	if res, err := http.Get(base + "/me"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("through the proxy: got %v and %v, want a request that is signed in", res, err)
	}
	if got := server.Counts(); got.Created != 2 || got.Creates != 2 {
		t.Errorf("got %+v, want two sign-ins", got)
	}
}

// The login asks for what the protocol wants, and all other commands find it.
func TestALoginAsksForWhatTheProtocolWants(t *testing.T) {
	environment := secretService(t)
	extra := map[string]string{"apikey": "an-anon-key"}
	server, _ := byName(t, "supabase", extra)
	hide := []string{"JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD="}
	b := boxAt(t, server.URL).with(append(append(environment, hide...), "JWTSESSION_PROTOCOL=supabase")...)
	p := onOwnTerminal(t, b.command(t, "login"))
	p.expect("E-mail address at ")
	p.enter(sessiontest.Email, true)
	p.expect("Password of " + sessiontest.Email)
	p.enter(sessiontest.Password, false)
	p.expect("{apikey} of the protocol supabase: ")
	p.enter(extra["apikey"], false)
	if code, output := p.exit(); code != exitOK || !strings.Contains(output, "The credentials are in the keyring now.") || strings.Contains(output, extra["apikey"]) {
		t.Fatalf("login: got code %d and %q", code, output)
	}
	if code, status, _ := b.run(t, "status"); code != exitOK || !strings.Contains(status, "{apikey}  from keyring") || !strings.Contains(status, "live") {
		t.Errorf("status: got code %d and\n%s\nwant the session of the login", code, status)
	}
	if code, _, stderr := b.run(t, "logout", "--yes", "--forget"); code != exitOK {
		t.Errorf("logout --forget: got code %d and %q", code, stderr)
	}
	if _, _, stderr := b.with("JWTSESSION_EMAIL="+sessiontest.Email, "JWTSESSION_PASSWORD="+sessiontest.Password).run(t, "token"); !strings.Contains(stderr, "wants {apikey}") {
		t.Errorf("after it: got %q, want that the keyring has nothing", stderr)
	}

	// A protocol without accounts has a password all the same.
	server = sessiontest.NewServer(sessiontest.WithProtocol(protocols.PiHole), sessiontest.Strict(t))
	t.Cleanup(server.Close)
	b = boxAt(t, server.URL).with(append(environment, hide...)...)
	p = onOwnTerminal(t, b.command(t, "login", "--protocol", "pi-hole", "--profile", "hole"))
	p.expect("Password: ")
	p.enter(sessiontest.Password, false)
	if code, output := p.exit(); code != exitOK || !strings.Contains(output, "The password is in the keyring now.") {
		t.Fatalf("login without an account: got code %d and %q", code, output)
	}
	if code, stdout, stderr := b.run(t, "token", "--profile", "hole"); code != exitOK || len(stdout) < 10 {
		t.Errorf("token: got code %d, %d bytes and %q", code, len(stdout), stderr)
	}
	if got := server.Counts(); got.Created != 1 {
		t.Errorf("got %+v, want the sign-in of the login, and its session", got)
	}
}
