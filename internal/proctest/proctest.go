// Package proctest starts the running test binary again, as processes that play a
// role, for tests of what several processes do to each other. They get arguments,
// and speak with the test in lines.
package proctest

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Patience bounds whatever ought to take a moment, on a machine that is busy with
// something else.
const Patience = time.Minute

// variable makes the test binary play a role instead of running tests.
const variable = "JWTSESSION_TEST_ROLE"

// Role is what a process does: with its arguments, and the lines that it is told.
// What it prints are its answers.
type Role func(args []string, in *bufio.Scanner)

// Play plays a role and ends the process if it was started for one, and else
// returns. TestMain is to call it first.
func Play(roles map[string]Role) {
	name, isSet := os.LookupEnv(variable)
	if !isSet {
		return
	}
	roles[name](os.Args[1:], bufio.NewScanner(os.Stdin))
	os.Exit(0)
}

// Beside lets up to so many of a package's parallel tests run at once, most of
// which wait for a process or a clock. By itself go test allows as many as there
// are processors; its flag -parallel has the last word here as well. TestMain is
// to call it before it runs the tests.
func Beside(tests int) {
	if err := flag.Set("test.parallel", strconv.Itoa(tests)); err != nil {
		panic(err)
	}
}

// Process is a process that plays a role. It ends with the test.
type Process struct {
	*exec.Cmd
	in    io.WriteCloser
	lines chan string // closed when the process has closed its output
}

// Start starts a process that plays a role.
func Start(t testing.TB, role string, args ...string) *Process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{Cmd: exec.Command(executable, args...), lines: make(chan string)}
	p.Env = append(os.Environ(), variable+"="+role)
	p.Stderr = os.Stderr
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
	}()
	t.Cleanup(p.Kill)
	return p
}

// Kill kills the process, and returns when it has ended. It may be called again.
func (p *Process) Kill() {
	_ = p.Process.Kill()
	for range p.lines {
	}
	_ = p.Wait()
}

// Signal sends the process a signal.
func (p *Process) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatalf("signal %v to a process: %v", signal, err)
	}
}

// Tell sends the process a line.
func (p *Process) Tell(t testing.TB, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatalf("tell a process %q: %v", line, err)
	}
}

// Answer returns the next line that the process prints.
func (p *Process) Answer(t testing.TB) string {
	t.Helper()
	select {
	case line, isOpen := <-p.lines:
		if !isOpen {
			t.Fatal("a process has ended and not answered")
		}
		return line
	case <-time.After(Patience):
		t.Fatalf("a process has not answered for %v", Patience)
		return ""
	}
}

// Expect fails the test unless the next line that the process prints is that one.
func (p *Process) Expect(t testing.TB, want string) {
	t.Helper()
	if got := p.Answer(t); got != want {
		t.Fatalf("a process answered %q, want %q", got, want)
	}
}
