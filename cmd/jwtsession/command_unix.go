//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endWhole has the end of a command's time end what it has started as well: they
// are a group of their own. On a person's terminal they stay in ours, since
// another group may not ask there; then those end that /proc knows to be below it.
func endWhole(cmd *exec.Cmd) {
	if terminal, err := os.Open("/dev/tty"); err == nil {
		terminal.Close()
		cmd.Cancel = func() error {
			endBelow(cmd.Process.Pid)
			return cmd.Process.Kill()
		}
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// endBelow ends what a process has started, and what that has.
func endBelow(pid int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		content, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(content)) {
			if child, err := strconv.Atoi(field); err == nil {
				endBelow(child)
				syscall.Kill(child, syscall.SIGKILL)
			}
		}
	}
}

// suspendWithCtrlZ has Ctrl-Z call suspend until the end, which puts the terminal
// in order before it calls stop, and takes it back when that returns with fg.
func suspendWithCtrlZ(suspend func(stop func())) (end func()) {
	asked, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(asked, syscall.SIGTSTP)
	go func() {
		for {
			select {
			case <-asked:
				suspend(stopThisProcess)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(asked)
		close(done)
	}
}

// stopThisProcess returns when the process goes on. It stops by SIGSTOP, since Go
// does not give back a SIGTSTP that it has once taken; so, as the system does with
// that, it stops nothing that no shell of its session could continue.
func stopThisProcess() {
	own, err := unix.Getsid(0)
	shell, shellErr := unix.Getsid(os.Getppid())
	if err != nil || shellErr != nil || own != shell {
		return
	}
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if syscall.Kill(os.Getpid(), syscall.SIGSTOP) == nil {
		<-continued
	}
}

// endingSignals are what a terminal's keys send, and who ends programs.
var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP}
