package main

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestLogoutEndsTheSessionEverywhereAndSaysSo(t *testing.T) {
	b := newBox(t)
	first := b.token(t)
	code, stdout, stderr := b.run(t, "logout")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "add --yes") || !strings.Contains(stderr, "everywhere") {
		t.Errorf("without a terminal: got code %d, %q and %q, want %d and to add --yes", code, stdout, stderr, exitUsage)
	}
	if b.token(t) != first {
		t.Error("a refused logout: got another token, want the same")
	}
	code, stdout, stderr = b.run(t, "logout", "--yes")
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "every session of the account has ended, everywhere") {
		t.Errorf("--yes: got code %d, %q and %q, want that all sessions have ended", code, stdout, stderr)
	}
	code, stdout, stderr = b.run(t, "logout", "--yes")
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "There is no session of clerk@example.com") || !strings.Contains(stdout, "the API was not called") {
		t.Errorf("once more: got code %d, %q and %q, want that there is no session", code, stdout, stderr)
	}
	if b.token(t) == first {
		t.Error("after the logout: got the same token, want that of a sign-in")
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 2, sessiontest.OpRevoke: 1})
}

func TestALogoutThatFailsKeepsTheSession(t *testing.T) {
	b := newBox(t, "--fault", "revoke:503:all")
	first := b.token(t)
	code, stdout, stderr := b.run(t, "logout", "--yes", "--timeout", "500ms")
	if code != exitUnreachable || stdout != "" || !strings.Contains(stderr, "log out at ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("got code %d, %q and %q, want %d and one line", code, stdout, stderr, exitUnreachable)
	}
	if b.token(t) != first {
		t.Error("got another token afterwards, want the same")
	}
}

func TestALogoutWithoutCredentialsIsAnError(t *testing.T) {
	b := newBox(t).with("JWTSESSION_PASSWORD=")
	code, stdout, stderr := b.run(t, "logout", "--yes")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "there is no password for clerk@example.com") {
		t.Errorf("got code %d, %q and %q, want %d and that there is no password", code, stdout, stderr, exitUsage)
	}
}

func TestALogoutFailsIfTheCacheCannotBeUsed(t *testing.T) {
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := away.Addr().String()
	away.Close() // so that nobody is there
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link") // where nothing is, and nothing can be made
	if err := os.Symlink(filepath.Join(t.TempDir(), "none", "none"), link); err != nil {
		if runtime.GOOS != "windows" { // where it takes a right that few have
			t.Fatal(err)
		}
		t.Skip(err)
	}
	b := newBox(t)
	for want, args := range map[string][]string{
		"; it is " + filepath.Join(link, "sessions") + " (--cache-dir)\n": {"--cache-dir", filepath.Join(link, "sessions")},
		"; it is " + filepath.Join(file, "sessions") + " (--cache-dir)\n": {"--cache-dir", filepath.Join(file, "sessions")},
		"; it is redis://" + address + " (--cache)\n":                     {"--cache", "redis://" + address},
	} {
		for _, how := range []string{"--yes", "--local"} {
			code, stdout, stderr := b.run(t, append([]string{"logout", how}, args...)...)
			if code != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, want) {
				t.Errorf("%s %q: got code %d, %q and %q, want %d and one line with %q", how, args, code, stdout, stderr, exitFailure, want)
			}
		}
	}
	b.wantCalls(t, map[sessiontest.Op]int{})
}

func TestALocalLogoutForgetsTheSessionAndCallsNobody(t *testing.T) {
	b := newBox(t)
	b.token(t)
	if code, stdout, _ := b.run(t, "logout", "--local"); code != exitOK || !strings.Contains(stdout, "Removed the session of clerk@example.com") || !strings.Contains(stdout, "the API was not called") {
		t.Errorf("got code %d and %q, want that the session was removed", code, stdout)
	}
	if code, stdout, _ := b.run(t, "logout", "--local"); code != exitOK || !strings.Contains(stdout, "There is nothing of clerk@example.com") {
		t.Errorf("once more: got code %d and %q, want that there is nothing", code, stdout)
	}
	b.token(t)
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 2})
}

func TestACacheIsClearedOfAllAccountsAndTheirRefusals(t *testing.T) {
	b := newBox(t)
	b.with("JWTSESSION_EMAIL=another@example.com").run(t, "token")
	b.token(t)
	if code, stdout, stderr := b.run(t, "cache", "clear"); code != exitOK || !strings.HasPrefix(stdout, "Removed 2 entries from ") {
		t.Errorf("got code %d, %q and %q, want that two entries were removed", code, stdout, stderr)
	}
	if code, stdout, _ := b.run(t, "cache", "clear"); code != exitOK || !strings.HasPrefix(stdout, "Removed 0 entries from ") {
		t.Errorf("once more: got code %d and %q, want none", code, stdout)
	}
	b.token(t)
	if code, _, stderr := b.run(t, "cache", "clear", "--cache", "redis://localhost"); code != exitUsage || !strings.Contains(stderr, "logout --local") {
		t.Errorf("of Redis: got code %d and %q, want %d and what to use", code, stderr, exitUsage)
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 3})
}
