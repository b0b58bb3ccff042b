package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestTheEnvironmentHasThePasswordFileTheCacheAndItsKey(t *testing.T) {
	b := newBox(t).with("JWTSESSION_PASSWORD=")
	directory := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := strings.Repeat("\xfek", cacheKeySize/2)
	b = b.with("JWTSESSION_PASSWORD_FILE="+file("password", sessiontest.Password+"\n"), "JWTSESSION_CACHE_DIR="+filepath.Join(directory, "sessions"))
	raw := b.with("JWTSESSION_CACHE_KEY_FILE=" + file("raw", key))
	text := b.with("JWTSESSION_CACHE_KEY_FILE=" + file("text", base64.StdEncoding.EncodeToString([]byte(key))+"\n"))
	raw.token(t)
	text.token(t) // the same key, and so the same session
	raw.token(t)
	b.token(t) // another key: the password's
	if entries, _ := filepath.Glob(filepath.Join(directory, "sessions", "*.entry")); len(entries) != 2 {
		t.Errorf("got the entries %q, want two in the cache's directory", entries)
	}
	b.with("JWTSESSION_CACHE=none").token(t)
	for name, c := range map[string]struct {
		environment, want string
	}{
		"a key that is too short": {"JWTSESSION_CACHE_KEY_FILE=" + file("short", "k"), "it is neither 32 bytes nor their base64"},
		"two passwords":           {"JWTSESSION_PASSWORD=" + sessiontest.Password, "JWTSESSION_PASSWORD and JWTSESSION_PASSWORD_FILE are both set"},
		"no such cache":           {"JWTSESSION_CACHE=disk", "there is no such cache (JWTSESSION_CACHE)"},
	} {
		if code, _, stderr := b.with(c.environment).run(t, "token"); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: got code %d and %q, want %d and %q", name, code, stderr, exitUsage, c.want)
		}
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 3})
}

func TestVerboseTellsOfEachSessionCallAndOfNoSecret(t *testing.T) {
	t.Parallel()
	b := newBox(t, "--fault", "create:503:1")
	code, stdout, stderr := b.run(t, "token", "--verbose")
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if code != exitOK || len(lines) != 2 || !strings.HasPrefix(lines[0], "jwtsession: POST /v1/session: 503 Service Unavailable, ") || !strings.HasPrefix(lines[1], "jwtsession: POST /v1/session: 200 OK, ") {
		t.Errorf("got code %d and %q, want both calls", code, stderr)
	}
	for _, secret := range []string{sessiontest.Password, strings.TrimSpace(stdout)} {
		if strings.Contains(stderr, secret) {
			t.Errorf("got %q, want no secret", stderr)
		}
	}
	if _, _, stderr := b.run(t, "token", "--verbose"); stderr != "" {
		t.Errorf("from the cache: got %q, want that there was no call", stderr)
	}
}
