//go:build unix

package proctest

import (
	"errors"
	"syscall"
	"testing"
)

// Stop stops the process. When it returns, the process does nothing any more, until
// it gets SIGCONT: the signal alone only asks for that.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGSTOP)
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.Process.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("wait for a process to stop: got status %v and error %v, want it stopped", status, err)
		}
		return
	}
}
