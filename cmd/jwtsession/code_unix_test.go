//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// withCode is a protocol whose sign-in needs a one-time code.
const withCode = `
[default]
[default.protocol]
sign_in = 'POST /login?u={email}&p={password}&c={code}'
token = "token"
`

var withCodeProtocol = jwtsession.Protocol{SignIn: "POST /login?u={email}&p={password}&c={code}", Token: "token"}

// The commands are those of a POSIX shell.
func TestAOneTimeCodeIsReadOnlyWhereThereIsASignIn(t *testing.T) {
	t.Parallel()
	server, b := speaking(t, withCodeProtocol, nil)
	b = b.config(t, withCode)
	file := filepath.Join(t.TempDir(), "code")
	asked := filepath.Join(t.TempDir(), "asked")
	code := func() string { return server.NewOneTimeCode(sessiontest.Email) }
	if err := os.WriteFile(file, []byte(code()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    *box
		args []string
	}{
		"a variable":          {b.with("JWTSESSION_CODE=" + code()), nil},
		"a file":              {b.with("JWTSESSION_CODE_FILE=" + file), nil},
		"a command":           {b, []string{"--code-command", "echo asked >>" + asked + "; echo " + code()}},
		"a file of the flags": {b.with("JWTSESSION_CODE=wrong"), []string{"--code-file", file + "2"}},
	} {
		if err := os.WriteFile(file+"2", []byte(code()), 0o600); err != nil {
			t.Fatal(err)
		}
		before := server.Counts().Creates
		for _, args := range [][]string{{"status"}, {"token"}, {"token"}, {"api"}, {"status"}, {"logout"}} {
			args := append(append([]string{}, args...), c.args...)
			switch args[0] {
			case "api":
				args = append(args, "GET", "/me")
			case "logout":
				args = append(args, "--local")
			}
			if status, stdout, stderr := c.b.run(t, args...); status != exitOK || stderr != "" {
				t.Errorf("%s: %s: got code %d, %d bytes and %q, want %d", name, args[0], status, len(stdout), stderr, exitOK)
			}
		}
		if got := server.Counts().Creates - before; got != 1 {
			t.Errorf("%s: got %d sign-ins, want one", name, got)
		}
	}
	if content, err := os.ReadFile(asked); err != nil || string(content) != "asked\n" {
		t.Errorf("the command was run %d times (error %v), want once: for the sign-in", strings.Count(string(content), "\n"), err)
	}
	status, stdout, stderr := b.run(t, "token")
	if want := "needs a one-time code: set JWTSESSION_CODE, or code_command in a profile"; status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
		t.Errorf("without a code: got code %d and %q, want %d and %q", status, stderr, exitUsage, want)
	}
	if status, _, stderr := b.run(t, "proxy", "--listen", "127.0.0.1:0"); status != exitUsage || !strings.Contains(stderr, "needs a one-time code") {
		t.Errorf("proxy without a code: got code %d and %q, want %d before it begins", status, stderr, exitUsage)
	}
	status, _, stderr = b.with("JWTSESSION_CODE=123456").run(t, "token")
	if want := "the e-mail address is that of JWTSESSION_EMAIL, the password that of JWTSESSION_PASSWORD, and the one-time code that of JWTSESSION_CODE"; status != exitRejected || !strings.Contains(stderr, want) {
		t.Errorf("a wrong code: got code %d and %q, want %d and %q", status, stderr, exitRejected, want)
	}
}
