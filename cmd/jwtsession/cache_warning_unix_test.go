//go:build unix

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// withoutHome is a box whose commands belong to a user without a home.
func (b *box) withoutHome() *box {
	return b.with("HOME=", "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=")
}

// An account is locked by a script that sends a wrong password at each run, and
// that nobody has told that refusals are not remembered.
func TestACacheThatCannotBeUsedIsToldOnceARun(t *testing.T) {
	t.Parallel()
	away, err := net.Listen("tcp", "127.0.0.1:0") // which answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	directory := t.TempDir()
	file, open := filepath.Join(directory, "file"), filepath.Join(directory, "open")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	b := newBox(t)
	for _, c := range []struct {
		name         string
		box          *box
		args         []string
		warned, seen string
	}{
		{"no home", b.withoutHome(), nil, "there is no cache, since this user has no cache directory: set HOME, or give --cache-dir", "without a cache each run signs in"},
		{"a directory that cannot be made", b, []string{"--cache-dir", file + "/sessions"}, "not a directory; it is " + file + "/sessions (--cache-dir)", "not a directory"},
		{"a directory of everybody's", b.with("JWTSESSION_CACHE_DIR=" + open), nil, "chmod 700) or use another directory; it is " + open + " (JWTSESSION_CACHE_DIR)", "chmod 700"},
		{"a Redis that is away", b, []string{"--cache", "redis://" + away.Addr().String()}, "; it is redis://" + away.Addr().String() + " (--cache)", "the cache is done without: load the entry: "},
	} {
		for _, command := range [][]string{{"token"}, {"token"}, {"api", "GET", "/me"}, {"exec", "--", "true"}} {
			args := append(command[:1:1], append(c.args, command[1:]...)...)
			code, stdout, stderr := c.box.run(t, args...)
			if code != exitOK || strings.Contains(stdout, "warning") {
				t.Errorf("%s: %q: got code %d and %q, want %d and no warning among the output", c.name, args, code, stdout, exitOK)
			}
			if !strings.HasPrefix(stderr, "jwtsession: warning: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.warned) || !strings.Contains(stderr, "a wrong password goes out at each run") {
				t.Errorf("%s: %q: got %q, want one line with %q, and what it means for a wrong password", c.name, args, stderr, c.warned)
			}
		}
		if _, text, stderr := c.box.run(t, append([]string{"status"}, c.args...)...); !strings.Contains(text, c.seen) || strings.Contains(text, "there is no session in the cache") || stderr != "" {
			t.Errorf("%s: status: got\n%s\nand %q, want %q, and no other reason", c.name, text, stderr, c.seen)
		}
	}
	if _, text, _ := b.run(t, "status", "--cache-dir", directory+"/fresh"); !strings.Contains(text, "cache     file, "+directory+"/fresh (--cache-dir)\n") || !strings.Contains(text, "there is no session in the cache") {
		t.Errorf("a directory that can be made: got\n%s\nwant that --cache-dir says which, and that there is no session", text)
	}
	if code, _, stderr := b.run(t, "token", "--cache", "none"); code != exitOK || stderr != "" {
		t.Errorf("--cache none: got code %d and %q, want no warning of what was asked for", code, stderr)
	}
}

// The cache remembers all the same: what is told of a damaged entry is that it is
// replaced.
func TestADamagedEntryIsToldOfAsSuch(t *testing.T) {
	b := newBox(t)
	directory := t.TempDir() + "/sessions"
	b.token(t, "--cache-dir", directory)
	entries, err := filepath.Glob(directory + "/*.entry")
	if err != nil || len(entries) != 1 {
		t.Fatalf("got the entries %q and error %v, want one", entries, err)
	}
	if err := os.WriteFile(entries[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := b.run(t, "token", "--cache-dir", directory)
	if code != exitOK || !strings.HasPrefix(stderr, "jwtsession: warning: filecache: ") || !strings.HasSuffix(stderr, "it will be replaced by the next one\n") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("got code %d and %q, want a token, and one line that says no more than that the entry is replaced", code, stderr)
	}
	if again := b.token(t, "--cache-dir", directory); again != strings.TrimSpace(stdout) {
		t.Error("got another token, want the one that has replaced it")
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 2})
}

func TestAProxyWithoutACacheDirectorySaysSo(t *testing.T) {
	p, _ := newBox(t).withoutHome().proxying(t)
	p.Process.Signal(os.Interrupt)
	if code, _ := p.exit(t); code != exitOK || !strings.Contains(p.stderr.String(), "set HOME, or give --cache-dir") {
		t.Errorf("got code %d and %q, want %d, and that there is no cache", code, p.stderr, exitOK)
	}
}

// Who holds the lease signs in at that moment.
func TestStatusDoesNotWaitForWhoSignsIn(t *testing.T) {
	b := newBox(t, "--fault", "create:hang")
	directory := filepath.Join(t.TempDir(), "sessions")
	signingIn := b.command(t, "token", "--timeout", "30s", "--cache-dir", directory)
	if err := signingIn.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		signingIn.Process.Kill()
		signingIn.Wait()
	}()
	begin := time.Now()
	for leases := 0; leases == 0; time.Sleep(10 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(directory, "*.lease"))
		if err != nil || time.Since(begin) > patience {
			t.Fatalf("got no lease in %v, and error %v", patience, err)
		}
		leases = len(found)
	}
	begin = time.Now()
	_, text, _ := b.run(t, "status", "--timeout", "20s", "--cache-dir", directory)
	if took := time.Since(begin); took > 10*time.Second || !strings.Contains(text, "there is no session in the cache") {
		t.Errorf("got, after %v,\n%s\nwant at once that there is no session", took, text)
	}
}
