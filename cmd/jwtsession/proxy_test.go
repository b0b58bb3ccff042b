//go:build !windows

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// clients are programs in other languages that send requests through the proxy,
// as they would to any API, for as many seconds as they are told: a GET and a
// POST in turn. They print how many were answered, and end with an error at the
// first one that was not.
var clients = map[string][]string{
	"curl": {"sh", "-c", `
		end=$(($(date +%s) + $2)) n=0
		while [ "$(date +%s)" -lt "$end" ]; do
			curl -sS --fail --max-time 20 -o /dev/null "$1/me?q=%20" || exit 1
			curl -sS --fail --max-time 20 -o /dev/null -d a=b "$1/runs" || exit 1
			n=$((n + 2))
		done
		echo $n`, "sh"},
	"python3": {"python3", "-c", `
import http.client, json, sys, time, urllib.parse
api = http.client.HTTPConnection(urllib.parse.urlsplit(sys.argv[1]).netloc, timeout=20)
end, n = time.time() + float(sys.argv[2]), 0
while time.time() < end:
    for method, path, body in ("GET", "/me", None), ("POST", "/runs", json.dumps({"a": "b"})):
        api.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = api.getresponse()
        text = answer.read()
        if answer.status != 200 or json.loads(text)["path"] != path:
            sys.exit("%s %s: %d %r" % (method, path, answer.status, text))
        n += 1
print(n)`},
	"ruby": {"ruby", "-e", `
require "net/http"
uri, finish, n = URI(ARGV[0]), Time.now + ARGV[1].to_f, 0
Net::HTTP.start(uri.host, uri.port) do |api|
  while Time.now < finish
    [api.get("/me"), api.post("/runs", '{"a":"b"}', "Content-Type" => "application/json")].each do |answer|
      abort "#{answer.code} #{answer.body}" unless answer.code == "200"
      n += 1
    end
  end
end
puts n`},
	"node": {"node", "-e", `
const [api, seconds] = process.argv.slice(1);
(async () => {
  let n = 0;
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; n += 2) {
    for (const answer of [await fetch(api + "/me"), await fetch(api + "/runs", {method: "POST", body: '{"a":"b"}'})]) {
      const text = await answer.text();
      if (answer.status !== 200) { console.error(answer.status, text); process.exit(1); }
    }
  }
  console.log(n);
})()`},
}

// needed are the clients that CI has to have.
var needed = map[string]bool{"curl": true, "python3": true, "ruby": true, "node": true, "wrk": true}

// isThere reports whether a client can run. In CI it is an error if one that is
// needed cannot.
func isThere(t *testing.T, client string) bool {
	t.Helper()
	if _, err := exec.LookPath(client); err == nil {
		return true
	}
	if needed[client] && os.Getenv("CI") != "" {
		t.Errorf("%s is not installed: the proxy was not tried with it", client)
	} else {
		fmt.Printf("%s is not installed: the proxy was not tried with it\n", client)
	}
	return false
}

// proxying starts the proxy of a box as a process of its own, and returns it with
// its URL.
func (b *box) proxying(t *testing.T, args ...string) (p *process, url string) {
	t.Helper()
	p = start(t, b.environment, append([]string{"proxy", "--listen", "127.0.0.1:0"}, args...)...)
	line, _ := p.line(t, "The proxy is at ")
	url, _, found := strings.Cut(strings.TrimPrefix(line, "The proxy is at "), ", for the API at "+b.base)
	if !found {
		t.Fatalf("got %q, want where the proxy is, and for which API", line)
	}
	return p, url
}

// endWith stops a process, which has to end well.
func (p *process) endWith(t *testing.T, signal os.Signal) {
	t.Helper()
	p.Process.Signal(signal)
	if code, _ := p.exit(t); code != exitOK {
		t.Errorf("after %v: got code %d and %q, want %d", signal, code, p.stderr, exitOK)
	}
}

// awaitStatus asks until the answer has a status.
func awaitStatus(t *testing.T, url string, status int) curlAnswer {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		answer := curl(t, url)
		if answer.status == status {
			return answer
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %d for %v, want %d", url, answer.status, patience, status)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// metric reads a metric of the proxy's.
func metric(t *testing.T, url, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(curl(t, url+"/-/metrics").text)
	if found == nil {
		t.Fatalf("there is no metric %s", name)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestClientsInAnyLanguageNoticeNeitherRefreshesNorARevocationNorAnOutage(t *testing.T) {
	longtest.Run(t)
	needCurl(t)
	const seconds = "10"
	b := newBox(t, "--token-life", "4s", "--fault", "refresh:503:2", "--fault", "refresh:garbage")
	go func() {
		for range b.lines { // one for each call: the server must not wait for us
		}
	}()
	p, url := b.proxying(t)
	awaitStatus(t, url+"/-/readyz", 200)

	var running sync.WaitGroup
	for name, command := range clients {
		if !isThere(t, name) {
			continue
		}
		cmd := exec.Command(command[0], append(command[1:], url, seconds)...)
		running.Go(func() {
			output, err := cmd.CombinedOutput()
			n, _ := strconv.Atoi(strings.TrimSpace(string(output)))
			if err != nil || n < 4 {
				t.Errorf("%s: got %v and %.300q, want only requests that are answered", name, err, output)
			}
			t.Logf("%s: %d requests", name, n)
		})
	}
	if isThere(t, "wrk") {
		cmd := exec.Command("wrk", "-t1", "-c8", "-d"+seconds+"s", url+"/me")
		running.Go(func() {
			output, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(output), "Requests/sec") || regexp.MustCompile("Socket errors|Non-2xx").Match(output) {
				t.Errorf("wrk: got %v and\n%s\nwant only requests that are answered", err, output)
			}
		})
	}
	// Somebody else logs the user out, which ends the proxy's session as well.
	time.Sleep(6 * time.Second)
	elsewhere := curl(t, "-d", fmt.Sprintf(`{"email":%q,"password":%q}`, sessiontest.Email, sessiontest.Password), "-H", "Content-Type: application/json", b.base+"/session")
	if got := curl(t, "-X", "DELETE", "-H", fmt.Sprint("Authorization: Bearer ", elsewhere.body["jwtToken"]), b.base+"/session"); got.status != 200 {
		t.Fatalf("log out: got %d, want 200", got.status)
	}
	running.Wait()

	for name, atLeast := range map[string]float64{
		"jwtsession_sign_ins_total": 2, "jwtsession_refreshes_total": 2, "jwtsession_rejections_total": 1, "jwtsession_recovered_total": 1,
		`jwtsession_failures_total{kind="server",operation="refresh"}`: 2, `jwtsession_failures_total{kind="answer",operation="refresh"}`: 1,
	} {
		if got := metric(t, url, name); got < atLeast {
			t.Errorf("got %s %v, want %v at least: it was not tried", name, got, atLeast)
		}
	}
	p.endWith(t, syscall.SIGTERM)
	for _, secret := range []string{sessiontest.Password, sessiontest.Email, "Bearer", "eyJ"} {
		if strings.Contains(p.stderr.String(), secret) {
			t.Errorf("the log has %q in it:\n%s", secret, p.stderr)
		}
	}
}

func TestAHangupHasTheProxyReadTheCredentialsAgain(t *testing.T) {
	needCurl(t)
	b := newBox(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong")
	p, url := b.proxying(t, "--password-file", file)
	answer := awaitStatus(t, url+"/me", 503)
	if answer.body["code"] != "sign_in_refused" || !strings.Contains(fmt.Sprint(answer.body["error"]), "check the e-mail address and the password") {
		t.Errorf("got %s, want what was refused, and what to do", answer.text)
	}
	write(sessiontest.Password)
	p.Process.Signal(syscall.SIGHUP)
	awaitStatus(t, url+"/-/readyz", 200) // without a request, and long before the lockout ends

	write("wrong again")
	p.Process.Signal(syscall.SIGHUP)
	for refused, deadline := `jwtsession_failures_total{kind="credentials",operation="sign_in"}`, time.Now().Add(patience); metric(t, url, refused) < 2; {
		if time.Now().After(deadline) {
			t.Fatal("the credentials were not tried")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if got := curl(t, url+"/me"); got.status != 200 {
		t.Errorf("after credentials that were refused: got %d, want 200 with the session that there was", got.status)
	}
	p.endWith(t, os.Interrupt)
	if !strings.Contains(p.stderr.String(), "the present one stays") {
		t.Errorf("got the log\n%s\nwant a word on the credentials that were refused", p.stderr)
	}
}

func TestSystemdIsToldWhenTheProxyListensAndWhenItStops(t *testing.T) {
	needCurl(t)
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	await := func(want string) {
		t.Helper()
		manager.SetReadDeadline(time.Now().Add(patience))
		var before []string
		for buffer := make([]byte, 1024); ; {
			n, err := manager.Read(buffer)
			if err != nil {
				t.Fatalf("got %q (%v), want %s", before, err, want)
			}
			if string(buffer[:n]) == want {
				return
			}
			before = append(before, string(buffer[:n]))
		}
	}
	p, url := newBox(t).with("NOTIFY_SOCKET=" + path).proxying(t)
	await("READY=1")
	if got := curl(t, url+"/-/healthz"); got.status != 200 {
		t.Errorf("once ready: got %d, want 200", got.status)
	}
	await("STATUS=signed in")
	p.Process.Signal(syscall.SIGTERM)
	await("STOPPING=1")
	if code, _ := p.exit(t); code != exitOK {
		t.Errorf("got code %d, want %d", code, exitOK)
	}
}

// A proxy that was killed leaves its socket behind; the next one takes its place.
func TestAProxyAtAUnixSocketSurvivesAKill(t *testing.T) {
	needCurl(t)
	b := newBox(t)
	path := filepath.Join(t.TempDir(), "s")
	for range 2 {
		p, url := b.proxying(t, "--listen", "unix:"+path)
		if url != "unix:"+path {
			t.Errorf("got %s, want unix:%s", url, path)
		}
		if there, err := os.Lstat(path); err != nil || there.Mode().Perm() != 0o600 {
			t.Errorf("got %v (%v), want a socket with mode 0600", there, err)
		}
		if got := curl(t, "--unix-socket", path, "http://localhost/me"); got.status != 200 {
			t.Errorf("got %d %s, want 200", got.status, got.text)
		}
		code, _, stderr := b.run(t, "proxy", "--listen", "unix:"+path)
		if code != exitFailure || !strings.Contains(stderr, "another proxy listens there") {
			t.Errorf("a second proxy: got code %d and %q, want %d and why", code, stderr, exitFailure)
		}
		p.Process.Kill()
		p.exit(t)
	}
}

func TestTheClientsSecretComesFromAFileOrTheEnvironment(t *testing.T) {
	needCurl(t)
	const secret = "a-secret-of-the-clients"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	for name, start := range map[string]func() (*process, string){
		"file":        func() (*process, string) { return b.proxying(t, "--client-secret-file", file) },
		"environment": func() (*process, string) { return b.with("JWTSESSION_CLIENT_SECRET=" + secret).proxying(t) },
	} {
		_, url := start()
		if with, without := curl(t, "-H", "Authorization: Bearer "+secret, url+"/me"), curl(t, url+"/me"); with.status != 200 || without.status != 403 {
			t.Errorf("%s: got %d with the secret and %d without, want 200 and 403", name, with.status, without.status)
		}
	}
}

func TestAProxyThatWouldNotBeSafeDoesNotStart(t *testing.T) {
	b := newBox(t)
	empty := filepath.Join(t.TempDir(), "empty")
	os.WriteFile(empty, nil, 0o600)
	for args, want := range map[string]string{
		"--listen 0.0.0.0:0":                         "give a loopback address",
		"--listen :0":                                "give a loopback address",
		"--listen 8888":                              "give a host and a port",
		"--listen unix:":                             "without a path",
		"--listen 0.0.0.0:0 --allow-remote":          "give a certificate",
		"--tls-cert a.pem":                           "give both",
		"--client-secret-file /nowhere":              "no such file",
		"--client-secret-file " + empty:              "is empty",
		"--allow-host http://a.example.com":          "give a name",
		"--allow-origin localhost:3000":              "give a scheme",
		"--allow-host api.internal":                  "needs a client secret or TLS",
		"--upstream-timeout 0s":                      "give more than zero",
		"--log-format xml":                           "give text or json",
		"--profile a --profile a":                    "two APIs are called",
		"--profile a/b --profile c":                  "give letters",
		"--profile a --profile b --email x@y.com":    "put it into each profile",
		"--access-log /nowhere/log --log-format xml": "give text or json",
		"--max-connections 0":                        "give 1 or more",
		"--drain 0s":                                 "give more than zero",
		"--listen 0.0.0.0:0 --allow-remote=x":        "invalid argument",
		"--client-secret a-secret-that-all-can-read": "unknown flag",
	} {
		code, stdout, stderr := b.run(t, append([]string{"proxy"}, strings.Fields(args)...)...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("proxy %s: got code %d, stdout %q, stderr %q; want %d and one line with %q", args, code, stdout, stderr, exitUsage, want)
		}
	}
	none := &box{b.process, b.base, hermetic(t)}
	code, _, stderr := none.run(t, "proxy", "--listen", "127.0.0.1:0")
	if code != exitUsage || !strings.Contains(stderr, "JWTSESSION_EMAIL and JWTSESSION_PASSWORD") {
		t.Errorf("without credentials: got code %d and %q, want %d and what to set", code, stderr, exitUsage)
	}
}
