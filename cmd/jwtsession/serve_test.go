package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// curlAnswer is what curl printed.
type curlAnswer struct {
	status int
	kind   string // Content-Type
	body   map[string]any
	text   string
}

// curl runs the real curl.
func curl(t *testing.T, args ...string) curlAnswer {
	t.Helper()
	const format = "\n%{http_code} %{content_type}"
	cmd := exec.Command("curl", append([]string{"-sS", "--max-time", "20", "-w", format}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %s: %v: %s", strings.Join(args[:1], " "), err, stderr.String())
	}
	return parseCurl(t, string(output))
}

func parseCurl(t *testing.T, output string) curlAnswer {
	t.Helper()
	cut := strings.LastIndexByte(output, '\n')
	text := output[:cut]
	status, kind, _ := strings.Cut(output[cut+1:], " ")
	a := curlAnswer{kind: kind, text: text}
	if err := json.Unmarshal([]byte(status), &a.status); err != nil {
		t.Fatalf("curl printed %q for its status", status)
	}
	json.Unmarshal([]byte(text), &a.body)
	return a
}

// needCurl lets the test go on if there is a curl. Its absence is an error in
// CI.
func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("curl is not installed: the API in a box was not tried with it")
	}
	t.Skip("curl is not installed: the API in a box was not tried with it")
}

// serving starts serve on a free port and returns it with its base URL and its
// curl lines.
func serving(t *testing.T, args ...string) (p *process, base string, curls []string) {
	t.Helper()
	p = start(t, nil, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	_, greeting := p.line(t, "Calls:")
	for _, line := range greeting {
		if _, url, found := strings.Cut(line, "The API in a box is at "); found {
			base = url
		}
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			curls = append(curls, line)
		}
	}
	if base == "" || len(curls) != 3 {
		t.Fatalf("got base %q and curl lines %q, want a base and three", base, curls)
	}
	return p, base, curls
}

// A real curl, as a separate process, against the built program: section 1's
// three operations, and its 401s.
func TestServeAnswersCurlAsTheAPIDoes(t *testing.T) {
	needCurl(t)
	p, base, _ := serving(t)
	session := base + "/session"
	const post = `{"email":"clerk@example.com","password":"correct horse battery staple"}`
	bearer := func(token string) []string { return []string{"-H", "Authorization: Bearer " + token} }

	var tokens []string
	signIn := func() string {
		t.Helper()
		a := curl(t, session, "-H", "Content-Type: application/json", "-H", "Accept: application/json", "-d", post)
		token, _ := a.body["jwtToken"].(string)
		expires, _ := a.body["expiresAt"].(string)
		expiry, err := time.Parse(time.RFC3339, expires)
		life := time.Until(expiry)
		if a.status != 200 || a.kind != "application/json" || len(a.body) != 2 || strings.Count(token, ".") != 2 || err != nil || life < 14*time.Minute || life > 15*time.Minute {
			t.Fatalf("sign in: got %d %s with %d fields, a token of %d bytes and expiresAt %q, want a session of 15 minutes", a.status, a.kind, len(a.body), len(token), expires)
		}
		tokens = append(tokens, token)
		return token
	}
	token := signIn()

	a := curl(t, append(bearer(token), session)...)
	renewed, _ := a.body["jwtToken"].(string)
	if a.status != 200 || strings.Count(renewed, ".") != 2 || a.body["expiresAt"] == nil {
		t.Errorf("refresh: got %d with the fields of %v, want a session", a.status, len(a.body))
	}
	tokens = append(tokens, renewed)
	for _, live := range []string{token, renewed} { // a refresh leaves older tokens valid
		if a := curl(t, append(bearer(live), base+"/matters")...); a.status != 200 || a.body["email"] != sessiontest.Email {
			t.Errorf("the resource: got %d %s, want 200 for %s", a.status, a.text, sessiontest.Email)
		}
	}
	if a := curl(t, append(bearer(token), "-X", "DELETE", session)...); a.status != 200 || a.text != "{}" {
		t.Errorf("log out: got %d %q, want 200 {}", a.status, a.text)
	}

	rejected := map[string][]string{
		"a resource without a token":          {base + "/matters"},
		"a resource with a revoked token":     append(bearer(token), base+"/matters"),
		"a resource with another revoked one": append(bearer(renewed), base+"/matters"),
		"a refresh without a token":           {session},
		"a refresh with a revoked token":      append(bearer(renewed), session),
		"a log-out without a token":           {"-X", "DELETE", session},
		"a log-out with a revoked token":      append(bearer(renewed), "-X", "DELETE", session),
		"a wrong password":                    {"-d", strings.Replace(post, "horse", "house", 1), session},
		"an unknown user":                     {"-d", strings.Replace(post, "clerk", "judge", 1), session},
		"no password":                         {"-d", `{"email":"clerk@example.com"}`, session},
	}
	for name, args := range rejected {
		a := curl(t, args...)
		if a.status != 401 || a.body["status"] != 401.0 || a.body["error"] == nil || a.body["message"] != a.body["error"] || a.body["type"] != "error" || a.body["code"] != "unauthorized" {
			t.Errorf("%s: got %d %s, want 401 and an error as the API has it", name, a.status, a.text)
		}
	}
	if a := curl(t, "-d", "not JSON", session); a.status != 400 {
		t.Errorf("a body that is no JSON: got %d, want 400", a.status)
	}
	signIn() // after a log-out a user can sign in again

	calls := 1 + 1 + 2 + 1 + len(rejected) + 1 + 1
	var lines []string
	for range calls {
		line, more := <-p.lines
		if !more {
			t.Fatalf("got %d lines for %d calls", len(lines), calls)
		}
		lines = append(lines, line)
	}
	output := strings.Join(lines, "\n")
	for _, want := range []string{"POST   /v1/session", "GET    /v1/session", "DELETE /v1/session", "GET    /v1/matters", "401 Unauthorized", "200 OK", "create", "refresh", "revoke", "resource"} {
		if !strings.Contains(output, want) {
			t.Errorf("no line has %q; got:\n%s", want, output)
		}
	}
	p.Process.Signal(os.Interrupt)
	code, rest := p.exit(t)
	if code != exitOK || rest != "stopped\n" || p.stderr.Len() != 0 {
		t.Errorf("after Ctrl-C: got code %d, %q and stderr %q, want %d, \"stopped\" and none", code, rest, p.stderr, exitOK)
	}
	for _, token := range tokens {
		if strings.Contains(output+rest, token) {
			t.Errorf("X1: the output has a token in it (SHA-256 %x)", sha256.Sum256([]byte(token)))
		}
	}
}

func TestTheCurlLinesOfServeWorkAsTheyArePrinted(t *testing.T) {
	needCurl(t)
	_, base, curls := serving(t, "--tls", "--email", "o'neil@example.com", "--password", `it's "quoted" $HOME\`)
	if !strings.HasPrefix(base, "https://127.0.0.1:") {
		t.Errorf("got the base URL %s, want one with https", base)
	}
	shell := func(line, token string) curlAnswer {
		t.Helper()
		cmd := exec.Command("sh", "-c", line+` -w '\n%{http_code} %{content_type}'`)
		cmd.Env = append(os.Environ(), "TOKEN="+token)
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return parseCurl(t, string(output))
	}
	a := shell(curls[0], "")
	token, _ := a.body["jwtToken"].(string)
	if a.status != 200 || token == "" {
		t.Fatalf("%s: got %d, want 200 and a token", curls[0], a.status)
	}
	for _, line := range curls[1:] {
		if a := shell(line, token); a.status != 200 {
			t.Errorf("%s: got %d, want 200", line, a.status)
		}
	}
	if a := shell(curls[1], token); a.status != 401 {
		t.Errorf("a refresh after the log-out: got %d, want 401", a.status)
	}
}

func TestServeMakesCallsGoWrongAsTheFaultFlagsSay(t *testing.T) {
	needCurl(t)
	p, base, _ := serving(t, "--fault", "create:429,retry-after=7", "--fault", "refresh:503:2", "--latency", "100ms")
	session := base + "/session"
	a := curl(t, "-D", "-", "-d", "{}", session)
	if a.status != 429 || !strings.Contains(a.text, "Retry-After: 7\r\n") {
		t.Errorf("the first sign-in: got %d\n%s\nwant 429 and Retry-After: 7", a.status, a.text)
	}
	for i, want := range []int{503, 503, 401} {
		if a := curl(t, session); a.status != want {
			t.Errorf("refresh %d: got %d, want %d", i+1, a.status, want)
		}
	}
	line, _ := p.line(t, "503")
	if !strings.HasSuffix(line, "(fault)") {
		t.Errorf("got %q, want it to say that this was a fault", line)
	}
	before, _, _ := strings.Cut(line, " ms ")
	words := strings.Fields(before)
	if took, err := time.ParseDuration(words[len(words)-1] + "ms"); err != nil || took < 100*time.Millisecond {
		t.Errorf("got %q, want it to have taken at least 100 ms", line)
	}
	p.Process.Signal(syscall.SIGTERM)
	if code, rest := p.exit(t); code != exitOK || !strings.HasSuffix(rest, "stopped\n") {
		t.Errorf("after SIGTERM: got code %d and %q, want %d and \"stopped\"", code, rest, exitOK)
	}
}

func TestAFaultOfServeSaysWhatGoesWrong(t *testing.T) {
	for text, want := range map[string]injection{
		"refresh:503:3":                {sessiontest.OpRefresh, 3, sessiontest.Fault{Status: 503}},
		"create:429,retry-after=2":     {sessiontest.OpCreate, 1, sessiontest.Fault{Status: 429, RetryAfter: "2"}},
		"session:hang:all":             {sessiontest.OpSession, -1, sessiontest.Fault{Hang: true}},
		"revoke:drop":                  {sessiontest.OpRevoke, 1, sessiontest.Fault{Drop: true}},
		"resource:truncate":            {sessiontest.OpResource, 1, sessiontest.Fault{Truncate: true}},
		"refresh:same-expiry":          {sessiontest.OpRefresh, 1, sessiontest.Fault{SameExpiry: true}},
		"create:expired,delay=250ms:2": {sessiontest.OpCreate, 2, sessiontest.Fault{Expired: true, Delay: 250 * time.Millisecond}},
	} {
		var got faultList
		if err := got.Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: got %+v, want %+v", text, got[0], want)
		}
	}
	for _, text := range []string{"refresh:hang=1", "refresh:delay=-1s", "refresh:retry-after=soon", "refresh:503:3:4", "refresh:", "refresh:199"} {
		if err := new(faultList).Set(text); err == nil {
			t.Errorf("%s: got no error, want one", text)
		}
	}
}

func TestServeSaysThatItsPortIsTaken(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	address := strings.TrimSuffix(strings.TrimPrefix(box.URL, "http://"), "/v1")
	code, _, stderr := commandLine(t, "serve", "--addr", address)
	if code != exitFailure || !strings.Contains(stderr, "choose another address with --addr") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("got code %d and %q, want %d and what to do", code, stderr, exitFailure)
	}
}

func TestTheBoxSignsItsTokensWithTheKeyInAFile(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("a key that clients know as well"), 0o600); err != nil {
		t.Fatal(err)
	}
	token := newBox(t, "--signing-key-file", key).token(t)
	verify := func(key string) error {
		_, err := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"})).Parse(token, func(*jwt.Token) (any, error) { return []byte(key), nil })
		return err
	}
	if err := verify("a key that clients know as well"); err != nil {
		t.Errorf("got %v, want a token that can be verified", err)
	}
	if err := verify("another key"); err == nil {
		t.Error("another key: got no error, want one")
	}
	for name, content := range map[string]string{"/no/such/file": "no such file", os.DevNull: "is empty"} {
		if code, _, stderr := commandLine(t, "serve", "--signing-key-file", name); code != exitUsage || !strings.Contains(stderr, content) {
			t.Errorf("%s: got code %d and %q, want %d and %q", name, code, stderr, exitUsage, content)
		}
	}
}
