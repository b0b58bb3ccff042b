package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/jwtsession/jwtsession"
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
	if code, stdout, stderr := b.run(t, "token", "--write", none); code != exitUsage || stdout != "" || !strings.Contains(stderr, "make the directory "+filepath.Dir(none)+"\n") {
		t.Errorf("no directory: got code %d, %q and %q, want %d, and which to make", code, stdout, stderr, exitUsage)
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
	var config struct {
		Users []struct {
			User struct {
				Exec struct {
					APIVersion      string `yaml:"apiVersion"`
					InteractiveMode string `yaml:"interactiveMode"`
					Args            []string
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(kubeconfig), &config); err != nil || len(config.Users) != 1 {
		t.Fatalf("the kubeconfig: got %+v and error %v, want one user", config, err)
	}
	plugin := config.Users[0].User.Exec
	if plugin.APIVersion != "client.authentication.k8s.io/v1" || plugin.InteractiveMode != "Never" {
		t.Errorf("the kubeconfig: got %+v, want the version v1, which needs an interactiveMode", plugin)
	}
	const beta = "client.authentication.k8s.io/v1beta1"
	for info, want := range map[string]string{
		"": "client.authentication.k8s.io/v1",
		`{"apiVersion":"` + beta + `","kind":"ExecCredential","spec":{"interactive":false}}`: beta,
		`{"apiVersion":"example.com/v7"}`: "client.authentication.k8s.io/v1",
	} {
		code, stdout, stderr := b.with("KUBERNETES_EXEC_INFO="+info).run(t, plugin.Args...)
		var got execCredential
		err := json.Unmarshal([]byte(stdout), &got)
		expiry, timeErr := time.Parse(time.RFC3339, got.Status.ExpirationTimestamp)
		if code != exitOK || err != nil || timeErr != nil || got.APIVersion != want || got.Kind != "ExecCredential" || got.Status.Token != token || time.Until(expiry) < 14*time.Minute {
			t.Errorf("%q: got code %d, %q and the version %s, until %v, want %s", info, code, stderr, got.APIVersion, expiry, want)
		}
	}
}

// Somebody reads what a service says: the same once a second is not read.
func TestATokenFileWithoutALiveTokenIsComplainedOfOnce(t *testing.T) {
	t.Parallel()
	b := newBox(t, "--token-life", "2s")
	directory := t.TempDir()
	password := filepath.Join(directory, "password")
	if err := os.WriteFile(password, []byte(sessiontest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, b.with("JWTSESSION_PASSWORD=", "JWTSESSION_PASSWORD_FILE="+password).environment, "token", "--write", filepath.Join(directory, "token"))
	p.line(t, "The token is in ")
	if err := os.WriteFile(password, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := b.run(t, "api", "DELETE", "/session"); code != exitOK { // so that its refreshes are refused
		t.Fatalf("got code %d and %q", code, stderr)
	}
	for begin := time.Now(); time.Since(begin) < 7*time.Second; {
		time.Sleep(100 * time.Millisecond)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.exit(t)
	if lines := strings.Count(p.stderr.String(), "\n"); lines != 1 || !strings.Contains(p.stderr.String(), "there is no live token: sign in at ") {
		t.Errorf("got %d lines, want one:\n%s", lines, p.stderr)
	}
}

func TestAComplaintIsRepeatedWhenItIsAnotherAndOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		c := complaint{out: &out}
		refused := &jwtsession.APIError{Op: "create", StatusCode: 401}
		for second := range 150 {
			cause := error(refused)
			if second >= 30 && second < 40 {
				cause = io.ErrUnexpectedEOF
			}
			err := fmt.Errorf("%w (said %ds ago)", cause, second)
			c.of(err, err)
			time.Sleep(time.Second)
		}
		if lines := strings.Count(out.String(), "\n"); lines != 4 { // the refusal, its change, its return, and a minute later
			t.Errorf("got %d lines, want 4:\n%s", lines, out.String())
		}
	})
}
