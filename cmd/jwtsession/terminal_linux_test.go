package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// terminal is a person's side of a terminal that a command runs on.
type terminal struct {
	*exec.Cmd
	t      *testing.T
	side   *os.File
	output chan string // closed when the command has ended
	seen   string
}

// onOwnTerminal starts a command on a terminal of its own.
func onOwnTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	side, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { side.Close() })
	number, err := unix.IoctlGetInt(int(side.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(side.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = other, other, other
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	p := &terminal{Cmd: cmd, t: t, side: side, output: make(chan string, 1000)}
	go func() {
		defer close(p.output)
		for {
			block := make([]byte, 4096)
			n, err := side.Read(block)
			if err != nil {
				return // the command has closed its side
			}
			p.output <- string(block[:n])
		}
	}()
	return p
}

// expect waits for a text.
func (p *terminal) expect(text string) {
	p.t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(p.seen, text) {
		select {
		case block, more := <-p.output:
			if !more {
				p.t.Fatalf("the command ended without %q; got:\n%s", text, p.seen)
			}
			p.seen += block
		case <-timeout:
			p.t.Fatalf("waited %v for %q; got:\n%s", patience, text, p.seen)
		}
	}
}

// awaitEcho waits until the terminal echoes what is typed, or does not.
func (p *terminal) awaitEcho(isEchoed bool) {
	p.t.Helper()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		mode, err := unix.IoctlGetTermios(int(p.side.Fd()), unix.TCGETS)
		if err != nil {
			p.t.Fatal(err)
		}
		if (mode.Lflag&unix.ECHO != 0) == isEchoed {
			return
		}
		if time.Since(begin) > patience {
			p.t.Fatalf("waited %v for the terminal to echo: %v", patience, isEchoed)
		}
	}
}

// enter types a line, once the terminal echoes what is typed, or does not.
func (p *terminal) enter(line string, isEchoed bool) {
	p.t.Helper()
	p.awaitEcho(isEchoed)
	if _, err := p.side.WriteString(line + "\n"); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end.
func (p *terminal) exit() (code int, output string) {
	p.t.Helper()
	for block := range p.output {
		p.seen += block
	}
	p.Wait()
	return p.ProcessState.ExitCode(), p.seen
}

func TestLogoutAsksOnATerminal(t *testing.T) {
	b := newBox(t)
	first := b.token(t)
	for _, answer := range []string{"", "n", "YESSS"} {
		p := onOwnTerminal(t, b.command(t, "logout"))
		p.expect("Go on? [y/N] ")
		p.enter(answer, true)
		code, output := p.exit()
		if code != exitFailure || !strings.Contains(output, "nothing was done") || !strings.Contains(output, "clerk@example.com") || !strings.Contains(output, "everywhere") {
			t.Errorf("%q: got code %d and %q, want %d and that nothing was done", answer, code, output, exitFailure)
		}
	}
	if b.token(t) != first {
		t.Error("got another token, want that nothing was done")
	}
	p := onOwnTerminal(t, b.command(t, "logout"))
	p.expect("Go on? [y/N] ")
	p.enter("y", true)
	if code, output := p.exit(); code != exitOK || !strings.Contains(output, "has ended") {
		t.Errorf("y: got code %d and %q, want that the sessions have ended", code, output)
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1, sessiontest.OpRevoke: 1})
}

func TestAPasswordFromStandardInputIsNotTypedInTheOpen(t *testing.T) {
	b := newBox(t)
	p := onOwnTerminal(t, b.command(t, "token", "--password-stdin"))
	if code, output := p.exit(); code != exitUsage || !strings.Contains(output, "use jwtsession login") {
		t.Errorf("got code %d and %q, want %d and to use login", code, output, exitUsage)
	}
}

// On a terminal the command may ask, and is in the group of whoever waits for it.
func TestAPasswordCommandOnATerminalEndsWithAllThatItStarted(t *testing.T) {
	b := newBox(t).with("JWTSESSION_PASSWORD=")
	pids := t.TempDir() + "/pids"
	command := "read -r line </dev/tty; sh -c 'sleep 300 & echo $! >" + pids + "; sleep 300'"
	// The session is a shell's, whose end would end all that is on its terminal.
	shell := b.command(t)
	shell.Path, shell.Args = "/bin/sh", []string{"sh", "-c", `"$0" token --timeout 1s --password-command "$1"; echo "the code is $?"; read line`, shell.Path, command}
	p := onOwnTerminal(t, shell)
	p.enter("what it asked for", true)
	p.expect("took too long")
	p.expect(fmt.Sprintf("the code is %d", exitUsage))
	awaitEnd(t, pids)
	p.enter("", true)
	p.exit()
}

// resize makes the terminal that large, before or while a command runs on it.
func (p *terminal) resize(columns, rows uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.side.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		p.t.Fatal(err)
	}
}

// A person stops the demo, makes the window smaller, and goes on.
func TestTheDemoLeavesTheTerminalInOrderWhenItIsStoppedAndDrawsAnewThen(t *testing.T) {
	t.Parallel()
	b := &box{environment: []string{"TERM=xterm-256color", "NO_COLOR=1"}}
	// A shell with jobs stands between, as a person's does.
	shell := b.command(t)
	shell.Path, shell.Args = "/bin/sh", []string{"sh", "-c", `set -m; stty cols 80 rows 24; "$0" demo --duration 5s; read line; fg; exit $?`, shell.Path}
	p := onOwnTerminal(t, shell)
	p.expect("on this machine; nothing leaves")
	p.expect("signed in")
	p.expect("open") // 80 columns have it
	p.mark()
	demo := childOf(t, shell.Process.Pid)
	if _, err := p.side.WriteString("\x1a"); err != nil { // Ctrl-Z
		t.Fatal(err)
	}
	p.expect("\x1b[?25h")
	awaitState(t, demo, "T")
	p.resize(60, 15)
	p.mark()
	if _, err := p.side.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	p.expect("\x1b[?25l\x1b[H")
	p.expect("revoked\x1b[K\r\n\x1b[J")
	if strings.Contains(p.seen, " open") {
		t.Errorf("got the picture for 80 columns, want the one for 60:\n%q", p.seen)
	}
	p.resize(70, 20)
	p.mark()
	p.expect("\x1b[H")
	if code, output := p.exit(); code != 0 || !strings.Contains(output, "requests that failed") {
		t.Errorf("got code %d and %q, want the summary", code, output)
	}
}

// mark forgets what has been seen.
func (p *terminal) mark() { p.seen = "" }

// childOf is the process that a process has started.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscan(string(content), &child); err != nil {
		t.Fatalf("process %d has no child: %v", pid, err)
	}
	return child
}

// awaitState waits until a process is in that state.
func awaitState(t *testing.T, pid int, state string) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stat), ") "+state+" ") {
			return
		}
		if time.Since(begin) > patience {
			t.Fatalf("waited %v for process %d to be in the state %s: %s", patience, pid, state, stat)
		}
	}
}
