//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	roleVariable = "JWTSESSION_SOAK_ROLE"
	workerRole   = "worker"

	// cleanEnd is how long a worker may take to end.
	cleanEnd = 10 * time.Second
	wrong    = "Tr0ub4dor&3"
)

// showsSecret returns which secret a text shows; "": none.
func showsSecret(text string) string {
	for what, secret := range map[string]string{"the password": sessiontest.Password, "the wrong password": wrong, "the cache's key": cacheKey, "a token": "eyJ"} {
		if strings.Contains(text, secret) {
			return what
		}
	}
	return ""
}

// member is a worker of a fleet, from outside.
type member struct {
	job
	judge  *judge
	breaks func(format string, args ...any)

	suffering sync.Mutex // held while its process is killed, stopped or ended

	mu     sync.Mutex // guards the rest
	run    *running
	latest report
	count  int            // of requests
	failed int            // of them
	events map[string]int // by their kinds
	lines  []string       // the last ones that it wrote
}

// running is a process that does a member's job.
type running struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	ended  chan struct{}
	meant  bool // to end
	result error
}

// start starts the member's process.
func (m *member) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(m.job)
	if err != nil {
		return err
	}
	p := &running{cmd: exec.Command(self, string(text)), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+workerRole)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	m.mu.Lock()
	m.run = p
	m.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { m.read(stdout, m.heard) })
	both.Go(func() { m.read(stderr, m.wrote) })
	go func() {
		both.Wait()
		p.result = p.cmd.Wait()
		m.mu.Lock()
		meant := p.meant
		m.mu.Unlock()
		if !meant {
			m.breaks("the worker at %s ended by itself: %v\n%s", m.Address, p.result, m.tail())
		}
		close(p.ended)
	}()
	return nil
}

// read passes on the lines of an output, which no secret may be in (X1).
func (m *member) read(from io.Reader, each func(string)) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if what := showsSecret(lines.Text()); what != "" {
			m.breaks("X1: the worker at %s wrote %s", m.Address, what)
		}
		each(lines.Text())
	}
}

func (m *member) wrote(line string) {
	if strings.HasPrefix(line, "status ") || strings.HasPrefix(line, "time=") {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if kind, _, is := strings.Cut(strings.TrimPrefix(line, "event "), " account="); is {
		m.events[kind]++
		if kind == "cache failed" && (strings.Contains(line, "deadline exceeded") || strings.Contains(line, "timeout")) {
			go m.judge.wasSlow()
		}
	}
	m.lines = append(m.lines, time.Now().Format("05.000 ")+line)
	if len(m.lines) > 40 {
		m.lines = m.lines[20:]
	}
}

func (m *member) tail() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.lines, "\n")
}

// heard takes in a report.
func (m *member) heard(line string) {
	var r report
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		m.breaks("the worker at %s wrote %q: %v", m.Address, line, err)
		return
	}
	m.mu.Lock()
	m.latest = r
	m.count += r.Count
	m.failed += len(r.Failed)
	m.mu.Unlock()
	m.judge.stalled(r.Stalls)
	for _, f := range r.Failed {
		m.judge.failed(m.Address, f)
	}
	if r.Broken != "" {
		m.breaks("the worker at %s: %s", m.Address, r.Broken)
	}
}

// good is when its latest request began that succeeded.
func (m *member) good() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest.Good
}

func (m *member) signal(s syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run.cmd.Process.Signal(s)
}

func (m *member) tell(command string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintln(m.run.stdin, command)
}

func (m *member) ends() *running {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run.meant = true
	return m.run
}

// kill ends the process without its knowledge.
func (m *member) kill() {
	p := m.ends()
	p.cmd.Process.Kill()
	<-p.ended
}

// end asks the process to end, which it is to do in time, and well.
func (m *member) end() {
	p := m.ends()
	p.stdin.Close()
	select {
	case <-p.ended:
		if p.result != nil {
			m.breaks("T14: the worker at %s ended with %v\n%s", m.Address, p.result, m.tail())
		}
	case <-time.After(cleanEnd):
		m.breaks("T14: the worker at %s has not ended %v after it was told to", m.Address, cleanEnd)
		m.kill()
	}
}
