package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// figure returns that of a line of the totals.
func figure(t *testing.T, output, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` +(\d+)$`).FindStringSubmatch(output)
	if m == nil {
		t.Fatalf("the totals have no %q; got:\n%s", name, output)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// startFleet starts the demo of some processes, with temporary files in a directory
// of its own.
func startFleet(t *testing.T, args ...string) (p *process, temporary string) {
	t.Helper()
	environment, temporary := fleetEnvironment(t, args)
	return start(t, environment, append([]string{"demo"}, args...)...), temporary
}

func fleetEnvironment(t *testing.T, args []string) (environment []string, temporary string) {
	t.Helper()
	if slices.Contains(args, "redis") {
		redistest.Require(t)
	}
	temporary, err := os.MkdirTemp("", "fleet") // not t.TempDir: a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temporary) })
	return []string{"TMPDIR=" + temporary, "TMP=" + temporary, redisPasswordVariable + "="}, temporary
}

// The whole run, through each of the stores: half a minute.
func TestTheDemoShowsProcessesThatShareOneSession(t *testing.T) {
	longtest.Run(t)
	for _, cache := range []string{"file", "redis"} {
		t.Run(cache, func(t *testing.T) {
			t.Parallel()
			expectOneSession(t, cache)
		})
	}
}

func expectOneSession(t *testing.T, cache string) {
	p, temporary := startFleet(t, "--processes", "5", "--cache", cache)
	begin := time.Now()
	code, output := p.exit(t)
	if took := time.Since(begin); code != exitOK || took >= 30*time.Second {
		t.Errorf("got code %d after %v, want %d in less than 30s; stderr: %s; stdout:\n%s", code, took, exitOK, p.stderr, output)
	}
	for _, c := range []struct {
		name     string
		from, to int
	}{
		{"processes", 5, 5},
		{"requests sent", 1500, 3000}, // 100 a second, for 20 to 27 s
		{"requests that failed", 0, 0},
		{"sign-ins (the password is sent)", 2, 2},
		{"log-outs", 1, 1},
		{"refreshes (the token is renewed)", 3, 4},
		{"refreshes that were due", 3, 3},
		{"tokens taken from another process", 16, 26}, // each of five sessions by four processes, and one by the replacement
		{"saved after a 401, by a new token", 5, 100},
	} {
		if got := figure(t, output, c.name); got < c.from || got > c.to {
			t.Errorf("%s: got %d, want %d to %d; stdout:\n%s", c.name, got, c.from, c.to, output)
		}
	}
	for _, what := range []string{
		`signed in: the token lives`, `adopted: `, `the API +away: `, `refresh failed: 503`, `the API +back: `, `refreshed: `,
		`process \d +killed: a SIGKILL`, `process 1 +logged out: `, `token rejected: `, `401 recovered: `,
	} {
		if !regexp.MustCompile(`(?m)^ *\d+\.\d s  .*` + what).MatchString(output) {
			t.Errorf("no line says: %s", what)
		}
	}
	if strings.Contains(output, "\x1b") {
		t.Error("the output is no terminal, and has an escape sequence in it")
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("got the files %v, %v, want none left", left, err)
	}
}

func TestWhatTheDemosProcessesLackIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	nowhere := t.TempDir()
	for _, c := range []struct {
		args, want  string
		environment []string
		code        int
	}{
		{"--processes 2 --cache redis", "there is no redis-server to start: install Redis, or give the URL of one with --redis", []string{"PATH=" + nowhere}, exitFailure},
		{"--processes 2 --cache redis --redis redis://127.0.0.1:1", "connection refused; start it, or check the URL", nil, exitFailure},
		{"--processes 2 --cache redis --redis redis://:secret@127.0.0.1:1", "put it into " + redisPasswordVariable, nil, exitUsage},
		{"--processes 2 --cache redis --redis 127.0.0.1:1", "--redis: give a URL, such as redis://", nil, exitUsage},
		{"--processes 2 --redis redis://127.0.0.1:1", "--redis is for --cache redis", nil, exitUsage},
		{"--processes 2 --cache none", "choose file or redis", nil, exitUsage},
		{"--processes 51", "--processes is 51: give 1 to 50", nil, exitUsage},
		{"--processes 0", "--processes is 0: give 1 to 50", nil, exitUsage},
		{"--cache file", "give --processes as well", nil, exitUsage},
		{"worker", `required flag(s) "base-url" not set`, nil, exitUsage},
	} {
		p := start(t, c.environment, append([]string{"demo"}, strings.Fields(c.args)...)...)
		code, output := p.exit(t)
		stderr := p.stderr.String()
		if code != c.code || output != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "secret") {
			t.Errorf("demo %s: got code %d, stdout %q and stderr %q, want code %d and one line with %q", c.args, code, output, stderr, c.code, c.want)
		}
	}
}

func TestTheDemoDrawsALineForEachProcess(t *testing.T) {
	t.Parallel()
	output := onTerminal(t, 100, 40, nil, "--processes 3")
	const moves = "\x1b[9A" // an empty line, the axis, three processes, the API with its figures, and what the signs mean
	for _, want := range []string{moves, "process 3", "━", "adopted", "\x1b[?25h", "1 sign-ins, 0 refreshes"} {
		if !strings.Contains(output, want) {
			t.Errorf("got no %q in:\n%q", want, output)
		}
	}
	if output := onTerminal(t, 100, 9, nil, "--processes 3"); strings.Contains(output, "\x1b") {
		t.Errorf("got a picture of ten lines on nine, want none:\n%q", output[:min(len(output), 500)])
	}
}
