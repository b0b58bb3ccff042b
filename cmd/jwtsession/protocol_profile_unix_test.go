//go:build unix

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// The profile's commands are those of a POSIX shell.
func TestAProfileDescribesAProtocolOfItsOwn(t *testing.T) {
	extra := map[string]string{"tenant": "a tenant/7", "client-secret": "of the client"}
	server, _ := speaking(t, tenantsProtocol(t), extra, sessiontest.WithReuseDetection())
	b := boxAt(t, server.URL).config(t, `
[lab]
base_url = "`+server.URL+`"
email = "`+sessiontest.Email+`"
password_command = "printf %s \"`+sessiontest.Password+`\""
[lab.protocol]`+tenants+`
[lab.extra]
tenant_file = "tenant"
client-secret_command = "echo of the client"
`, "tenant", "a tenant/7\n")
	b = b.with("JWTSESSION_BASE_URL=", "JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD=", "JWTSESSION_PROFILE=lab")
	code, header, stderr := b.run(t, "token", "--output", "header")
	if code != exitOK || get(t, server, header) != http.StatusOK {
		t.Fatalf("got code %d and %q, want header lines that sign a request in", code, stderr)
	}
	// What a program inside gets is the same account, and the same session.
	inside := b.with("JWTSESSION_PROTOCOL=pocketbase").command(t, "exec", "--profile", "lab", "--", "sh", "-c", `"$0" status`)
	inside.Args = append(inside.Args, inside.Path)
	if code, status, _ := finish(t, inside); code != exitOK || !strings.Contains(status, "[lab.protocol] (profile lab)") || !strings.Contains(status, "live") {
		t.Errorf("status inside exec: got code %d and\n%s\nwant the protocol and the session of the profile", code, status)
	}
	if code, _, stderr := b.run(t, "token", "--protocol", "pocketbase"); code == exitOK {
		t.Errorf("another protocol of the flags: got code %d and %q, want that the server does not understand it", code, stderr)
	}
	code, _, stderr = b.run(t, "logout", "--yes", "--verbose")
	if want := "jwtsession: DELETE /v1/login/{id}: 204 No Content, "; code != exitOK || !strings.HasPrefix(stderr, want) {
		t.Errorf("logout --verbose: got code %d and %q, want %q, with nothing filled in", code, stderr, want)
	}
	code, text, _ := b.run(t, "profiles", "--output", "json")
	if code != exitOK || strings.Contains(text, "of the client") || !strings.Contains(text, `"protocol": "[lab.protocol]"`) {
		t.Errorf("profiles: got code %d and %s, want the protocol, and nothing of what it is given", code, text)
	}
}
