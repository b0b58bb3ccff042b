//go:build !windows

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// awaitFile reads a file until it has a text in it.
func awaitFile(t *testing.T, name, text string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(name)
		if strings.Contains(string(content), text) {
			return string(content)
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %q (%v) in %s, want %q", content, err, name, text)
		}
	}
}

func TestTheAccessLogIsOpenedAgainAtAHangup(t *testing.T) {
	needCurl(t)
	name := filepath.Join(t.TempDir(), "access")
	p, url := newBox(t).proxying(t, "--access-log", name, "--log-format", "json")
	awaitStatus(t, url+"/-/readyz", 200)
	curl(t, url+"/me?q=canary")
	if got := awaitFile(t, name, `"path":"/me"`); strings.Contains(got, "canary") {
		t.Errorf("got %s, want no query", got)
	}
	if there, err := os.Stat(name); err != nil || there.Mode().Perm() != 0o600 {
		t.Errorf("got %v (%v), want mode 0600", there, err)
	}
	os.Rename(name, name+".1")
	p.Process.Signal(syscall.SIGHUP)
	awaitFile(t, name, "")
	for deadline := time.Now().Add(patience); ; {
		curl(t, url+"/again")
		if content, _ := os.ReadFile(name); strings.Contains(string(content), `"path":"/again"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the log was not opened again")
		}
	}
	p.endWith(t, syscall.SIGTERM)
	for line := range strings.Lines(p.stderr.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == nil || entry["level"] == nil {
			t.Errorf("got the line %q (%v) with --log-format json, want JSON", line, err)
		}
	}
}

// What reads a log line by line takes all that is there for it.
func TestNothingStandsBetweenTheLinesOfALog(t *testing.T) {
	needCurl(t)
	for name, listens := range map[string]string{"text -": "The proxy is at ", "json -": `{"time":`, "text /dev/stdout": "The proxy is at "} {
		format, file, _ := strings.Cut(name, " ")
		var stdout bytes.Buffer
		cmd := newBox(t).command(t, "proxy", "--listen", "127.0.0.1:0", "--access-log", file, "--log-format", format, "--verbose")
		cmd.Stdout = &stdout
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
		var log []string
		at := regexp.MustCompile(`The proxy is at (http://127[0-9.:]+), for the API at `)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			log = append(log, scanner.Text())
			if found := at.FindStringSubmatch(scanner.Text()); found != nil {
				if !strings.HasPrefix(scanner.Text(), listens) {
					t.Errorf("%s: got the line %q, want it to begin with %q", name, scanner.Text(), listens)
				}
				awaitStatus(t, found[1]+"/-/readyz", 200)
				curl(t, found[1]+"/me")
				cmd.Process.Signal(syscall.SIGTERM)
			}
		}
		if err := cmd.Wait(); err != nil || !strings.Contains(strings.Join(log, "\n"), "POST /v1/session: 200 OK") {
			t.Errorf("%s: got error %v and the log %q, want the sign-in in it", name, err, log)
		}
		lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		if !strings.Contains(lines[len(lines)-1], `"path":"/me"`) {
			t.Errorf("%s: got %q, want the request of /me last", name, lines)
		}
		if format == "json" {
			lines = append(lines, log...)
		}
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: got the line %q, want JSON", name, line)
			}
		}
	}
}

func TestAnAccessLogThatCannotBeOpenedIsAnError(t *testing.T) {
	code, _, stderr := newBox(t).run(t, "proxy", "--listen", "127.0.0.1:0", "--access-log", "/nowhere/log")
	if code != exitFailure || !strings.Contains(stderr, "--access-log") {
		t.Errorf("got code %d and %q, want %d and which flag", code, stderr, exitFailure)
	}
}

func TestSeveralProfilesAreEachBelowTheirNames(t *testing.T) {
	needCurl(t)
	work, lab := newBox(t), newBox(t)
	var home string
	for _, variable := range work.environment {
		if value, found := strings.CutPrefix(variable, "XDG_CONFIG_HOME="); found {
			home = value
		}
	}
	directory := filepath.Join(home, "jwtsession")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(directory, "password"), []byte(sessiontest.Password), 0o600)
	configuration := ""
	for name, b := range map[string]*box{"work": work, "lab": lab} {
		configuration += "[" + name + "]\nemail = \"" + sessiontest.Email + "\"\nbase_url = \"" + b.base + "\"\npassword_file = \"password\"\n"
	}
	os.WriteFile(filepath.Join(directory, "config.toml"), []byte(configuration), 0o600)
	bare := work.with("JWTSESSION_BASE_URL=", "JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD=")
	p := start(t, bare.environment, "proxy", "--listen", "127.0.0.1:0", "--profile", "work", "--profile", "lab")
	line, _ := p.line(t, "/work/, for the API at "+work.base)
	url, _, _ := strings.Cut(strings.TrimPrefix(line, "The proxy is at "), "/work/")
	p.line(t, url+"/lab/, for the API at "+lab.base)
	awaitStatus(t, url+"/-/readyz", 200)
	for _, name := range []string{"work", "lab"} {
		if got := curl(t, url+"/"+name+"/me"); got.status != 200 || got.body["path"] != "/me" {
			t.Errorf("%s: got %d %s, want 200 of /me", name, got.status, got.text)
		}
	}
	if got := curl(t, url+"/me"); got.status != 404 || got.body["code"] != "unknown_api" {
		t.Errorf("without a name: got %d %s, want 404", got.status, got.text)
	}
	p.Process.Signal(syscall.SIGHUP)
	for deadline := time.Now().Add(patience); metric(t, url, `jwtsession_sign_ins_total{profile="lab"}`) < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("after SIGHUP there was no sign-in")
		}
	}
	p.endWith(t, syscall.SIGTERM)
}

// What was put right at the server is seen at once, although the cache remembers
// that it was refused.
func TestAHangupTriesARefusedPasswordOnceMoreForReal(t *testing.T) {
	needCurl(t)
	b := newBox(t, "--fault", "create:401:1")
	p, url := b.proxying(t)
	if got := awaitStatus(t, url+"/me", 503); got.body["code"] != "sign_in_refused" {
		t.Fatalf("got %s, want a sign-in that is refused", got.text)
	}
	p.Process.Signal(syscall.SIGHUP)
	awaitStatus(t, url+"/-/readyz", 200)
	if got := curl(t, url+"/me"); got.status != 200 {
		t.Errorf("got %d %s, want 200", got.status, got.text)
	}
	p.endWith(t, syscall.SIGTERM)
	if got := b.calls(t)[sessiontest.OpCreate]; got != 2 {
		t.Errorf("the API got %d sign-ins, want 2: the one refused, and one at the signal", got)
	}
}

// The source knows when it asks again: a client that comes before is told the same.
func TestAProxyInAnOutageCountsDownToItsNextAttempt(t *testing.T) {
	t.Parallel()
	_, url := newBox(t, "--fault", "create:503,retry-after=40:all").proxying(t)
	var told []int
	for begin := time.Now(); len(told) < 3; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get(url + "/me")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil || answer.StatusCode != 503 || seconds > 40 || time.Since(begin) > patience {
			t.Fatalf("got %d, Retry-After %d and error %v after %v and %v; want 503, and three times less than 40", answer.StatusCode, seconds, err, told, time.Since(begin))
		}
		if len(told) == 0 || seconds < told[len(told)-1] {
			told = append(told, seconds)
		}
	}
}
