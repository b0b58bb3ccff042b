package demo

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps the console's Ctrl-C from a process, which ends when its
// standard input does.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
