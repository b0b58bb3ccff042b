package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
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
	did    string // what it last did
	ending bool   // as it is meant to
}

// startProcess starts a worker. Each report of its goes to heard, and ended is
// told if it ends by itself.
func startProcess(name string, cmd *exec.Cmd, heard func(*process, report), ended func(error)) (*process, error) {
	ownGroup(cmd)
	p := &process{name: name, cmd: cmd, done: make(chan struct{}), did: "started"}
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
			p.note(r)
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

func (p *process) note(r report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Event != nil {
		p.did, _, _ = strings.Cut(r.Event.Text, ":")
	}
	r.Event = nil
	p.latest = r
}

// heard is what the process last told of itself.
func (p *process) heard() (latest report, did string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest, p.did
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
