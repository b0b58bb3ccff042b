package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// hermetic is an environment in which a command finds nothing of the person who
// runs the tests, and no keyring.
func hermetic(t *testing.T) []string {
	home := t.TempDir()
	return []string{
		"HOME=" + home,
		"USERPROFILE=" + home,
		"AppData=" + filepath.Join(home, ".config"),
		"LocalAppData=" + filepath.Join(home, ".cache"),
		"XDG_CACHE_HOME=" + filepath.Join(home, ".cache"),
		"XDG_CONFIG_HOME=" + filepath.Join(home, ".config"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(home, "no-bus"),
		"JWTSESSION_BASE_URL=", "JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD=", "JWTSESSION_PROFILE=", "JWTSESSION_PROTOCOL=", "JWTSESSION_CODE=",
	}
}

// withoutEmpty is the environment without the variables of the command that its
// last word on them leaves empty. The command takes an empty one for a mistake, but
// where it is a protocol's own.
func withoutEmpty(environment []string) []string {
	last := map[string]string{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		last[name] = value
	}
	return slices.DeleteFunc(environment, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "JWTSESSION_") && !strings.HasPrefix(name, extraVariable) && last[name] == ""
	})
}

// setHermetic is hermetic for this process.
func setHermetic(t *testing.T) {
	for _, variable := range hermetic(t) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value) // which also puts it back
		if value == "" {
			os.Unsetenv(name)
		}
	}
}

// box is serve as a process of its own, and the environment of commands that use
// it.
type box struct {
	*process
	base        string
	environment []string
}

func newBox(t *testing.T, args ...string) *box {
	t.Helper()
	p, base, _ := serving(t, args...)
	b := boxAt(t, base)
	b.process = p
	return b
}

// boxAt is a box whose server is somewhere else.
func boxAt(t *testing.T, base string) *box {
	return &box{nil, base, append(hermetic(t),
		"JWTSESSION_BASE_URL="+base,
		"JWTSESSION_EMAIL="+sessiontest.Email,
		"JWTSESSION_PASSWORD="+sessiontest.Password,
	)}
}

// command is the built program as a command of this box.
func (b *box) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = withoutEmpty(append(os.Environ(), b.environment...))
	return cmd
}

// run runs the built program to its end.
func (b *box) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return finish(t, b.command(t, args...))
}

// with is the same box, and commands with more in their environment.
func (b *box) with(environment ...string) *box {
	return &box{b.process, b.base, append(append([]string(nil), b.environment...), environment...)}
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// token runs token, which has to print one and nothing else.
func (b *box) token(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := b.run(t, append([]string{"token"}, args...)...)
	if code != exitOK || strings.Count(stdout, ".") != 2 || strings.Count(stdout, "\n") != 1 || stderr != "" {
		t.Fatalf("token %q: got code %d, %d bytes on stdout and stderr %q, want a token and nothing else", args, code, len(stdout), stderr)
	}
	return strings.TrimSpace(stdout)
}

// calls stops the server and counts the calls that it has had, by what they were
// for.
func (b *box) calls(t *testing.T) map[sessiontest.Op]int {
	t.Helper()
	b.Process.Signal(os.Interrupt)
	_, output := b.exit(t)
	counts := map[sessiontest.Op]int{}
	for line := range strings.Lines(output) {
		for _, op := range []sessiontest.Op{sessiontest.OpCreate, sessiontest.OpRefresh, sessiontest.OpRevoke, sessiontest.OpResource} {
			if strings.Contains(line, " ms  "+string(op)) {
				counts[op]++
			}
		}
	}
	return counts
}

// wantCalls fails the test unless the server has had these calls and no others.
func (b *box) wantCalls(t *testing.T, want map[sessiontest.Op]int) {
	t.Helper()
	got, _ := json.Marshal(b.calls(t))
	if want, _ := json.Marshal(want); string(got) != string(want) {
		t.Errorf("got the calls %s, want %s", got, want)
	}
}
