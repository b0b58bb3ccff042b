package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestExecGivesACommandTheTokenAndNoPassword(t *testing.T) {
	b := newBox(t).with("JWTSESSION_TOKEN=stale", "API_TOKEN=stale", "JWTSESSION_REDIS_PASSWORD=secret")
	token := b.token(t)
	const script = `echo "$JWTSESSION_TOKEN/$API_TOKEN/$JWTSESSION_PASSWORD$JWTSESSION_REDIS_PASSWORD/$JWTSESSION_EMAIL/$1"`
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"the variable of the command's own name": {[]string{"exec", "--", "sh", "-c", script, "sh", "--help"}, token + "/stale//clerk@example.com/--help\n"},
		"a variable of one's choice":             {[]string{"exec", "--env", "API_TOKEN", "--", "sh", "-c", script}, "stale/" + token + "//clerk@example.com/\n"},
		"no dashes":                              {[]string{"exec", "--env=API_TOKEN", "sh", "-c", script, "sh", "-h"}, "stale/" + token + "//clerk@example.com/-h\n"},
	} {
		code, stdout, stderr := b.run(t, c.args...)
		if code != exitOK || stdout != c.want || stderr != "" {
			t.Errorf("%s: got code %d, stdout %q and stderr %q, want %q", name, code, stdout, stderr, c.want)
		}
	}
	// The command has everything of its own: streams, exit code and signals.
	cat := b.command(t, "exec", "--", "sh", "-c", "cat; echo wrong >&2; exit 7")
	cat.Stdin = strings.NewReader("what goes in\n")
	if code, stdout, stderr := finish(t, cat); code != 7 || stdout != "what goes in\n" || stderr != "wrong\n" {
		t.Errorf("got code %d, stdout %q and stderr %q, want those of the command", code, stdout, stderr)
	}
	p := start(t, b.environment, "exec", "--", "sh", "-c", `trap 'echo ended; exit 9' TERM; echo ready; while :; do sleep 0.05; done`)
	p.line(t, "ready")
	p.Process.Signal(syscall.SIGTERM)
	if code, rest := p.exit(t); code != 9 || rest != "ended\n" {
		t.Errorf("after SIGTERM: got code %d and %q, want what the command makes of it", code, rest)
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1})
}

// A jwtsession in the command is for the same account, as a profile has it too.
// Windows finds a variable in any case.
func TestNoSecretIsLeftInAnEnvironmentHoweverItsNameIsSpelled(t *testing.T) {
	own := []string{"Jwtsession_Password=a", "jwtsession_extra_key=b", "JWTSESSION_CLIENT_SECRET=c", "Path=d", "token=e", "TOKEN=f", "JWTSESSION_EMAIL=g"}
	if got := strings.Join(withoutSecrets(own, "TOKEN"), " "); got != "Path=d token=e JWTSESSION_EMAIL=g" {
		t.Errorf("got %s, want all but the secrets, and what is set anew", got)
	}
}

func TestExecHandsOnTheAPIAndTheAccount(t *testing.T) {
	b := newBox(t)
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "jwtsession"), 0o700); err != nil {
		t.Fatal(err)
	}
	profiles := "[work]\nemail = '" + sessiontest.Email + "'\nbase_url = '" + b.base + "'\npassword_command = 'echo " + sessiontest.Password + "'\n"
	if err := os.WriteFile(filepath.Join(home, "jwtsession", "config.toml"), []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	b = b.with("XDG_CONFIG_HOME="+home, "JWTSESSION_BASE_URL=https://other.example.com", "JWTSESSION_EMAIL=other@example.com", "JWTSESSION_PASSWORD=other")
	binary, _ := build()
	code, stdout, stderr := b.run(t, "exec", "--profile", "work", "--", "sh", "-c", `echo "$JWTSESSION_BASE_URL $JWTSESSION_EMAIL $JWTSESSION_PROFILE"; test "$("$0" token)" = "$JWTSESSION_TOKEN"`, binary)
	if want := b.base + " " + sessiontest.Email + " work\n"; code != exitOK || stdout != want {
		t.Errorf("got code %d, %q and %q, want %q, and the same token within", code, stdout, stderr, want)
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1})
}

func TestACommandThatCannotBeRunIsOneLineAndCausesNoSignIn(t *testing.T) {
	b := newBox(t)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/no/such/shell\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"exec", "--", "no-such-command"}, exitNotFound, "run no-such-command: executable file not found"},
		{[]string{"exec", "--", "/no/such/command"}, exitNotFound, "run /no/such/command: stat /no/such/command: no such file"},
		{[]string{"exec", "--", plain}, exitNotRunnable, "permission denied"},
		{[]string{"exec"}, exitUsage, "the command is missing"},
		{[]string{"exec", "--env", "A=B", "--", "true"}, exitUsage, "give the name of a variable"},
		{[]string{"exec", "--env", "1A", "--", "true"}, exitUsage, `--env is "1A": give the name of a variable: letters, digits and _, and no digit first`},
		{[]string{"exec", "--env", "A-B", "--", "true"}, exitUsage, "give the name of a variable"},
		{[]string{"exec", "--env", " A", "--", "true"}, exitUsage, "give the name of a variable"},
		{[]string{"exec", "--env", "Ä", "--", "true"}, exitUsage, "give the name of a variable"},
		{[]string{"exec", "--env", "A\n", "--", "true"}, exitUsage, "give the name of a variable"},
	} {
		code, stdout, stderr := b.run(t, c.args...)
		if code != c.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: got code %d, stdout %q and stderr %q, want %d and one line with %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
	b.wantCalls(t, map[sessiontest.Op]int{})
}
