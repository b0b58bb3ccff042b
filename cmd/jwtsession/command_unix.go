//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// endWhole has the end of a command's time end what it has started as well: they
// are a group of their own. On a person's terminal they stay in ours, since
// another group may not ask there; then only the command itself ends.
func endWhole(cmd *exec.Cmd) {
	if terminal, err := os.Open("/dev/tty"); err == nil {
		terminal.Close()
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// endingSignals are what a terminal's keys send, and who ends programs.
var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP}
