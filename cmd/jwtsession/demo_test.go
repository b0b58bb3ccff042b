package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jwtsession/jwtsession/internal/demo"
	"github.com/jwtsession/jwtsession/internal/longtest"
)

// row returns the figures of a line of the summary, the library's first.
func row(t *testing.T, output, name string) (ours, peer int) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` +(\d+)(?: ms)? +(\d+)(?: ms)?$`).FindStringSubmatch(output)
	if m == nil {
		t.Fatalf("the summary has no %q; got:\n%s", name, output)
	}
	ours, _ = strconv.Atoi(m[1])
	peer, _ = strconv.Atoi(m[2])
	return ours, peer
}

// The whole run, as a newcomer sees it in a log: half a minute.
func TestTheDemoShowsThatNoRequestFailsOrWaits(t *testing.T) {
	longtest.Run(t)
	t.Parallel()
	p := start(t, nil, "demo") // which may have to build it
	begin := time.Now()
	code, output := p.exit(t)
	if took := time.Since(begin); code != exitOK || took >= 30*time.Second {
		t.Errorf("got code %d after %v, want %d in less than 30s; stderr: %s; stdout:\n%s", code, took, exitOK, p.stderr, output)
	}
	for _, c := range []struct {
		name     string
		ours     [2]int // from, to
		peer     [2]int
		peerHint string
	}{
		{"requests sent", [2]int{5000, 5000}, [2]int{5000, 5000}, "the same load"},
		{"requests that failed", [2]int{0, 0}, [2]int{200, 5000}, "those between the revocation and the expiry"},
		{"sign-ins (the password is sent)", [2]int{2, 2}, [2]int{3, 5}, "one for each token"},
		{"refreshes (the token is renewed)", [2]int{2, 4}, [2]int{0, 0}, "none"},
		{"saved after a 401, by a new token", [2]int{1, 200}, [2]int{0, 0}, "none"},
		{"longest wait for a token", [2]int{250, 2000}, [2]int{250, 5000}, "a sign-in's"},
		{"  apart from necessary sign-ins", [2]int{0, 2000}, [2]int{250, 5000}, "a sign-in's"}, // what counts of it decides the exit code
	} {
		ours, peer := row(t, output, c.name)
		if ours < c.ours[0] || ours > c.ours[1] {
			t.Errorf("%s: got %d, want %d to %d", c.name, ours, c.ours[0], c.ours[1])
		}
		if peer < c.peer[0] || peer > c.peer[1] {
			t.Errorf("%s of the plain client: got %d, want %d to %d: %s", c.name, peer, c.peer[0], c.peer[1], c.peerHint)
		}
	}
	for _, who := range []string{"jwtsession  ", "oauth2 alone"} {
		for _, what := range []string{"signed in", "takes the session endpoints away for 2 s", "session endpoints are back", "answers one call with 429, Retry-After: 1", "revokes every token"} {
			if !regexp.MustCompile(`(?m)^ *\d+\.\d s  ` + who + `.*` + what).MatchString(output) {
				t.Errorf("no line says that of %s: %q", who, what)
			}
		}
	}
	for _, what := range []string{"jwtsession    refresh failed: 503", "jwtsession    refresh failed: 429", "jwtsession    refreshed", "oauth2 alone  a request failed: 401"} {
		if !strings.Contains(output, what) {
			t.Errorf("no line says: %q", what)
		}
	}
	if strings.Contains(output, "\x1b") {
		t.Error("the output is no terminal, and has an escape sequence in it")
	}
	if t.Failed() {
		t.Log(output)
	}
}

func TestCtrlCEndsTheDemoWithTheSummarySoFar(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo")
	p.line(t, "signed in")
	time.Sleep(time.Second) // for a second's requests
	p.Process.Signal(os.Interrupt)
	begin := time.Now()
	code, output := p.exit(t)
	if took := time.Since(begin); code != exitOK || p.stderr.Len() != 0 || took > 10*time.Second {
		t.Errorf("got code %d and stderr %q after %v, want %d and none at once", code, p.stderr, took, exitOK)
	}
	if !strings.Contains(output, "Stopped after 1.") && !strings.Contains(output, "Stopped after 2.") {
		t.Errorf("got no word of the stop:\n%s", output)
	}
	if ours, peer := row(t, output, "requests sent"); ours < 100 || ours > 1000 || peer < 100 || peer > 1000 {
		t.Errorf("got %d and %d requests, want those of about a second", ours, peer)
	}
	if ours, peer := row(t, output, "requests that failed"); ours != 0 || peer != 0 {
		t.Errorf("got %d and %d failed, want none", ours, peer)
	}
}

// Requests of the plain client queue up then, each to sign in by itself.
func TestCtrlCInTheMiddleOfTheOutageEndsTheDemoAtOnce(t *testing.T) {
	longtest.Run(t)
	t.Parallel()
	p := start(t, nil, "demo")
	p.line(t, "oauth2 alone  sign-in failed: 503")
	p.Process.Signal(os.Interrupt)
	begin := time.Now()
	code, output := p.exit(t)
	if took := time.Since(begin); code != exitOK || took > 4*time.Second {
		t.Errorf("got code %d after %v, want %d at once; stderr: %s", code, took, exitOK, p.stderr)
	}
	if ours, _ := row(t, output, "requests that failed"); ours != 0 {
		t.Errorf("got %d failed, want none", ours)
	}
}

// onTerminal runs the demo for a second on a terminal of that width.
func onTerminal(t *testing.T, width, height int, environment []string, args string) string {
	t.Helper()
	if _, err := exec.LookPath("script"); err != nil || runtime.GOOS != "linux" {
		if os.Getenv("CI") != "" && runtime.GOOS == "linux" {
			t.Fatal("script (util-linux) is not installed: the demo was not tried on a terminal")
		}
		t.Skip("there is no script (util-linux): the demo was not tried on a terminal")
	}
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("stty cols %d rows %d; exec '%s' demo --duration 3s %s", width, height, binary, args)
	cmd := exec.Command("script", "-qec", command, "/dev/null")
	cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "NO_COLOR="), environment...)
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v; got:\n%s", err, output)
	}
	return string(output)
}

func TestTheDemoDrawsOnTerminalsAlone(t *testing.T) {
	const moves, colours, strip = "\x1b[11A", "\x1b[32m", "━━"
	for _, c := range []struct {
		name        string
		width       int
		environment []string
		args        string
		want        string // all that there is of the three
	}{
		{"a terminal", 100, nil, "", moves + colours + strip},
		{"NO_COLOR", 100, []string{"NO_COLOR=1"}, "", moves + strip},
		{"--plain", 100, nil, "--plain", ""},
		{"a narrow terminal", 59, nil, "", ""},
		{"a dumb terminal", 100, []string{"TERM=dumb"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			output := onTerminal(t, c.width, 40, c.environment, c.args)
			got := ""
			for _, part := range []string{moves, colours, strip} {
				if strings.Contains(output, part) {
					got += part
				}
			}
			if got != c.want || c.want == "" && strings.Contains(output, "\x1b") {
				t.Errorf("got %q of it, want %q, in:\n%q", got, c.want, output)
			}
			if strings.Contains(output, "\x1b[?25l") != strings.Contains(output, "\x1b[?25h") {
				t.Error("the cursor was hidden and not shown again")
			}
			if !strings.Contains(output, "signed in: the token lives") || !strings.Contains(output, "saved after a 401") {
				t.Errorf("an event, or the summary, is missing:\n%s", output)
			}
		})
	}
}

// What is not drawn anew is broken by a narrow terminal in the middle of a word.
func TestWhatTheDemoSaysBesideItsPictureFitsIntoTheNarrowestTerminal(t *testing.T) {
	clients := []demo.Result{{Name: "jwtsession"}, {Name: "oauth2 alone"}}
	for _, text := range []string{
		demoIntroduction, demoConclusion, demo.Summary{Clients: clients}.Table(),
		fmt.Sprintf(fleetIntroduction, 50, "a file"), fleetConclusion, demo.Totals{}.Table(),
	} {
		for line := range strings.Lines(text) {
			if columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); columns > demo.LeastWidth {
				t.Errorf("got %d columns, want %d at most: %s", columns, demo.LeastWidth, line)
			}
		}
	}
}
