package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// Programs that read a token file see a live token at any moment, and never half
// of one.
func TestATokenInAFileIsKeptFreshAndReplacedInOneStep(t *testing.T) {
	t.Parallel()
	b := newBox(t, "--token-life", "4s")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := start(t, b.environment, "token", "--write", file)
	p.line(t, "The token is in "+file)
	seen := map[string]bool{}
	for begin := time.Now(); len(seen) < 3; time.Sleep(time.Millisecond) {
		content, err := os.ReadFile(file)
		claims := claimsOf(string(content))
		exp, _ := claims["exp"].(json.Number)
		seconds, _ := exp.Int64()
		if err != nil || time.Now().After(time.Unix(seconds, 0)) {
			t.Fatalf("got %d bytes that are no live token, and error %v", len(content), err)
		}
		seen[string(content)] = true
		if time.Since(begin) > patience {
			t.Fatalf("got %d tokens in %v, want three", len(seen), patience)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got the mode %v and error %v, want 0600", info.Mode(), err)
	}
	p.Process.Signal(syscall.SIGTERM)
	if code, _ := p.exit(t); code != exitOK || p.stderr.Len() > 0 {
		t.Errorf("got code %d and %q, want its end without a word", code, p.stderr)
	}
	if names, _ := os.ReadDir(filepath.Dir(file)); len(names) != 1 {
		t.Errorf("got the files %v, want the token's alone", names)
	}
	calls := b.calls(t)
	if calls[sessiontest.OpCreate] != 1 || calls[sessiontest.OpRefresh] < 2 {
		t.Errorf("got the calls %v, want one sign-in, and refreshes", calls)
	}
}

func TestATokenThatCannotBeWrittenOrHadIsAnError(t *testing.T) {
	b := newBox(t)
	none := filepath.Join(t.TempDir(), "none", "token")
	if code, stdout, stderr := b.run(t, "token", "--write", none); code != exitFailure || stdout != "" || !strings.Contains(stderr, "write the token (--write)") {
		t.Errorf("no directory: got code %d, %q and %q, want %d", code, stdout, stderr, exitFailure)
	}
	file := filepath.Join(t.TempDir(), "token")
	if code, _, stderr := b.with("JWTSESSION_PASSWORD=wrong").run(t, "token", "--write", file); code != exitRejected || !strings.Contains(stderr, "401") {
		t.Errorf("a wrong password: got code %d and %q, want %d", code, stderr, exitRejected)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a file, want none")
	}
	if code, _, stderr := b.run(t, "token", "--write", file, "--output", "json"); code != exitUsage || !strings.Contains(stderr, "none of the others can be") {
		t.Errorf("with --output: got code %d and %q, want %d", code, stderr, exitUsage)
	}
}

func TestKubectlGetsTheCredentialThatItAsksFor(t *testing.T) {
	b := newBox(t)
	token := b.token(t)
	const beta = "client.authentication.k8s.io/v1beta1"
	for info, want := range map[string]string{
		"": "client.authentication.k8s.io/v1",
		`{"apiVersion":"` + beta + `","kind":"ExecCredential","spec":{"interactive":false}}`: beta,
		`{"apiVersion":"example.com/v7"}`: "client.authentication.k8s.io/v1",
	} {
		code, stdout, stderr := b.with("KUBERNETES_EXEC_INFO="+info).run(t, "token", "--output", "exec-credential")
		var got execCredential
		err := json.Unmarshal([]byte(stdout), &got)
		expiry, timeErr := time.Parse(time.RFC3339, got.Status.ExpirationTimestamp)
		if code != exitOK || err != nil || timeErr != nil || got.APIVersion != want || got.Kind != "ExecCredential" || got.Status.Token != token || time.Until(expiry) < 14*time.Minute {
			t.Errorf("%q: got code %d, %q and the version %s, until %v, want %s", info, code, stderr, got.APIVersion, expiry, want)
		}
	}
}
