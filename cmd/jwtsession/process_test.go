package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/proctest"
)

// patience is how long a test waits for what must happen, on a loaded machine.
const patience = 30 * time.Second

// buildDirectory holds the binary, and goes away with the tests.
var buildDirectory string

func TestMain(m *testing.M) {
	directory, err := os.MkdirTemp("", "jwtsession-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDirectory = directory
	proctest.Beside(8)
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}

// build builds the program as its users do, once.
var build = sync.OnceValues(func() (string, error) {
	name := filepath.Join(buildDirectory, "jwtsession")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if output, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return name, nil
})

// process is the built program, running.
type process struct {
	*exec.Cmd
	lines  <-chan string // of stdout; closed at its end
	stderr *bytes.Buffer // to be read after exit
}

// start starts the built program, which is killed when the test ends.
func start(t *testing.T, environment []string, args ...string) *process {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(binary, args...), stderr: new(bytes.Buffer)}
	p.Env = withoutEmpty(append(os.Environ(), environment...))
	p.Stderr = p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10_000)
	p.lines = lines
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Wait()
		}
	})
	return p
}

// line returns the next line of stdout with this text in it, and the lines
// before it.
func (p *process) line(t *testing.T, text string) (line string, before []string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				t.Fatalf("the output ended without %q; got:\n%s", text, strings.Join(before, "\n"))
			}
			if strings.Contains(line, text) {
				return line, before
			}
			before = append(before, line)
		case <-timeout:
			t.Fatalf("waited %v for a line with %q; got:\n%s", patience, text, strings.Join(before, "\n"))
		}
	}
}

// exit returns the exit code and what was still to come of stdout.
func (p *process) exit(t *testing.T) (code int, rest string) {
	t.Helper()
	timeout := time.AfterFunc(patience, func() { p.Process.Kill() })
	defer timeout.Stop()
	var b strings.Builder
	for line := range p.lines {
		b.WriteString(line + "\n")
	}
	var failed *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode(), b.String()
}
