package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/internal/redistest"
)

// processesOf returns the processes that have this text in their command lines, as
// those of a demo have the directory of its temporary files.
func processesOf(t *testing.T, text string) map[int]string {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, name := range names {
		line, _ := os.ReadFile(name) // it may have ended
		if strings.Contains(string(line), text) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

// demoProcesses are how many a demo of three has, besides itself: with Redis,
// that and what keeps it.
var demoProcesses = map[string]int{"file": 3, "redis": 5}

// On a terminal, all processes of the foreground group get a Ctrl-C: the demo's
// own, which end when it says so, must not be in it.
func TestCtrlCEndsAllProcessesOfTheDemo(t *testing.T) {
	for cache, processes := range demoProcesses {
		t.Run(cache, func(t *testing.T) {
			t.Parallel()
			args := []string{"demo", "--processes", "3", "--cache", cache}
			environment, temporary := fleetEnvironment(t, args)
			p := onOwnTerminal(t, (&box{environment: environment}).command(t, args...))
			p.expect("adopted: ")
			if running := processesOf(t, temporary); len(running) != processes {
				t.Fatalf("got the processes %v, want %d: the test would show nothing", running, processes)
			}
			for pid, line := range processesOf(t, temporary) {
				if group, err := syscall.Getpgid(pid); err != nil || group == p.Process.Pid {
					t.Errorf("got the group %d, %v, of %s, want another one than the demo's", group, err, line)
				}
			}
			const ctrlC = "\x03"
			if _, err := p.side.WriteString(ctrlC); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			code, output := p.exit()
			output = strings.ReplaceAll(output, "\r\n", "\n")
			if took := time.Since(begin); code != exitOK || took > 4*time.Second {
				t.Errorf("got code %d after %v, want %d at once", code, took, exitOK)
			}
			for _, trouble := range []string{"ended by itself", "failed:"} {
				if strings.Contains(output, trouble) {
					t.Errorf("got %q, want that nobody noticed anything", trouble)
				}
			}
			if !strings.Contains(output, "Stopped after ") || figure(t, output, "sign-ins (the password is sent)") != 1 || figure(t, output, "requests that failed") != 0 {
				t.Error("want the totals so far: one sign-in, and no failed request")
			}
			if left := processesOf(t, temporary); len(left) > 0 {
				t.Errorf("got the processes %v, want none left", left)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("got the files %v, %v, want none left", left, err)
			}
			if t.Failed() {
				t.Log(output)
			}
		})
	}
}

func TestNoProcessOutlivesADemoThatIsKilled(t *testing.T) {
	for cache, processes := range demoProcesses {
		t.Run(cache, func(t *testing.T) {
			t.Parallel()
			p, temporary := startFleet(t, "--processes", "3", "--cache", cache)
			p.line(t, "adopted: ")
			if running := processesOf(t, temporary); len(running) != processes {
				t.Fatalf("got the processes %v, want %d: the test would show nothing", running, processes)
			}
			p.Process.Kill()
			p.exit(t)
			redistest.WaitFor(t, "the processes to end", func() bool { return len(processesOf(t, temporary)) == 0 })
		})
	}
}

// A process that nobody expected to end, as when the system kills it.
func TestADemoThatLosesAProcessByItselfFails(t *testing.T) {
	t.Parallel()
	p, temporary := startFleet(t, "--processes", "2")
	p.line(t, "adopted: ")
	workers := processesOf(t, temporary)
	if len(workers) != 2 {
		t.Fatalf("got the processes %v, want 2", workers)
	}
	for pid := range workers {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	begin := time.Now()
	code, output := p.exit(t)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the demo went on for %v, want an end at once", took)
	}
	const want = "ended by itself: signal: killed"
	if code != exitFailure || !strings.Contains(output, want) || !strings.Contains(p.stderr.String(), want) {
		t.Errorf("got code %d, stderr %q and stdout:\n%s\nwant code %d and that a process %s", code, p.stderr, output, exitFailure, want)
	}
}

func TestTheDemosProcessesUseARedisOfOnesOwn(t *testing.T) {
	t.Parallel()
	redistest.Require(t)
	const password = "for the demo"
	port := strconv.Itoa(redistest.FreePort(t))
	server := redistest.StartAt(t, redis.Options{Addr: "127.0.0.1:" + port, Password: password}, "bind 127.0.0.1", "port "+port, "requirepass \""+password+"\"")
	p := start(t, []string{redisPasswordVariable + "=" + password}, "demo", "--processes", "2", "--cache", "redis", "--redis", "redis://127.0.0.1:"+port, "--duration", "2s")
	code, output := p.exit(t)
	if code != exitOK || figure(t, output, "tokens taken from another process") != 1 {
		t.Errorf("got code %d, want %d and one adopted; stderr: %s; stdout:\n%s", code, exitOK, p.stderr, output)
	}
	if entries := server.Client(t).DBSize(t.Context()).Val(); entries == 0 {
		t.Error("the Redis has no entry: another one was used")
	}
}
