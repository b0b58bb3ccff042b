package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// process is a worker of a Fleet, seen from outside.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended

	mu     sync.Mutex // guards the rest
	latest report
	cells  []byte // what its requests were like, see tally
	ending bool   // as it is meant to
}

// startProcess starts a worker. Each report of its goes to heard, and ended is
// told if it ends by itself.
func startProcess(name string, cmd *exec.Cmd, heard func(*process, report), ended func(error)) (*process, error) {
	ownGroup(cmd)
	p := &process{name: name, cmd: cmd, done: make(chan struct{}), cells: make([]byte, cells)}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		for reports := json.NewDecoder(stdout); ; {
			var r report
			if reports.Decode(&r) != nil {
				break
			}
			heard(p, r)
		}
		err := cmd.Wait()
		p.mu.Lock()
		meant := p.ending
		p.mu.Unlock()
		if !meant {
			ended(fmt.Errorf("ended by itself: %v", strings.TrimSpace(fmt.Sprintln(err, complaint.String()))))
		}
	}()
	return p, nil
}

// note notes a report, that came now since the start of the run.
func (p *process) note(r report, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := cellAt(now)
	switch {
	case r.Failed > p.latest.Failed:
		p.cells[at] = max(p.cells[at], cellFailed)
	case r.Requests > p.latest.Requests:
		p.cells[at] = max(p.cells[at], cellFine)
	}
	r.Event = nil
	p.latest = r
}

// heard is what the process last told of itself.
func (p *process) heard() report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest
}

// seen is heard, and what its requests were like.
func (p *process) seen() (latest report, cells []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest, slices.Clone(p.cells)
}

// takeOver has the process go on in the picture where another one was killed.
func (p *process) takeOver(old *process, now time.Duration) {
	_, cells := old.seen()
	cells[cellAt(now)] = cellKilled
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cells = cells
}

func (p *process) logOut() { io.WriteString(p.stdin, logOut+"\n") }

// kill ends the process at once, and without its knowledge.
func (p *process) kill() {
	p.meantToEnd()
	p.cmd.Process.Kill()
	<-p.done
}

// end asks the process to end, and kills it if it has not done so in time. It
// returns whether it had to.
func (p *process) end() (killed bool) {
	p.meantToEnd()
	p.stdin.Close()
	select {
	case <-p.done:
		return false
	case <-time.After(grace):
		p.kill()
		return true
	}
}

func (p *process) meantToEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
}
