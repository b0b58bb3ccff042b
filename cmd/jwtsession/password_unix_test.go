//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// A script waits for the end of what has its standard error: what a password
// command has left running must not hold it, nor go on.
func TestAPasswordCommandThatTakesTooLongEndsWithAllThatItStarted(t *testing.T) {
	b := newBox(t).with("JWTSESSION_PASSWORD=")
	pids := t.TempDir() + "/pids"
	cmd := b.command(t, "token", "--timeout", "300ms", "--password-command", "sleep 300 & echo $! >"+pids+"; echo asking >&2; sleep 300")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as cron and CI have it: no terminal
	stderr, side, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = side
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	side.Close()
	text, err := io.ReadAll(stderr) // until nobody has it
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if took := time.Since(begin); took > patience {
		t.Errorf("it took %v until nobody held standard error", took)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(text), "asking\n") ||
		!strings.Contains(string(text), "the command for the password (--password-command) took too long") || strings.Contains(string(text), "network") {
		t.Errorf("got code %d and %q, want %d, and an error of the command", code, text, exitUsage)
	}
	awaitEnd(t, pids)
	b.wantCalls(t, map[sessiontest.Op]int{})
}

// What is there besides a password may be as odd.
func TestWhatNobodyTypedIntoANameIsPointedOutWhenTheAPIRefusesIt(t *testing.T) {
	b := newBox(t)
	for email, want := range map[string]string{
		sessiontest.Email + "\n":     "the e-mail address is that of JWTSESSION_EMAIL, which ends with a line break, and the password",
		"\ufeff" + sessiontest.Email: "the e-mail address is that of JWTSESSION_EMAIL, which begins with a byte order mark, and the password",
	} {
		if code, _, stderr := b.with("JWTSESSION_EMAIL="+email).run(t, "token"); code != exitRejected || !strings.Contains(stderr, want) {
			t.Errorf("%q: got code %d and %q, want %d and %q", email, code, stderr, exitRejected, want)
		}
	}
	line, _ := start(t, nil, "serve", "--addr", "127.0.0.1:0", "--protocol", "keystone").line(t, "The API in a box is at ")
	b = boxAt(t, strings.TrimPrefix(line, "The API in a box is at ")).with("JWTSESSION_PROTOCOL=keystone", "JWTSESSION_PASSWORD=wrong",
		"JWTSESSION_EXTRA_USER_DOMAIN=d", "JWTSESSION_EXTRA_PROJECT_DOMAIN=d", "JWTSESSION_EXTRA_PROJECT=lab\n")
	if _, _, stderr := b.run(t, "token"); !strings.Contains(stderr, "{project} that of JWTSESSION_EXTRA_PROJECT, which ends with a line break") {
		t.Errorf("{project}: got %q, want what is odd in it", stderr)
	}
}

// awaitEnd waits until the process has ended whose number is in the file.
func awaitEnd(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) || isZombie(pid) {
			break
		}
		if time.Since(begin) > patience {
			t.Fatalf("process %d, which the command has started, goes on", pid)
		}
	}
}

// isZombie reports whether the process has ended, and nobody has asked how.
func isZombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// A mistaken command may have no end, and a pipe no beginning.
func TestAPasswordThatNeverEndsOrBeginsIsAnError(t *testing.T) {
	b := newBox(t).with("JWTSESSION_PASSWORD=")
	pipe := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := t.TempDir() + "/binary"
	if err := os.WriteFile(binary, []byte("\xff\xfec\x00"), 0o600); err != nil { // what an editor calls Unicode
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--password-command", "yes"}, "(--password-command) is longer than 65536 bytes"},
		{[]string{"--password-file", pipe, "--timeout", "300ms"}, "took too long to read"},
		{[]string{"--password-file", binary}, "the password of --password-file " + binary + " is not UTF-8"},
	} {
		cmd := b.command(t, append([]string{"token"}, c.args...)...)
		end := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		code, _, stderr := finish(t, cmd)
		end.Stop()
		if code != exitUsage || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: got code %d and %q, want %d and %q", c.args, code, stderr, exitUsage, c.want)
		}
	}
	b.wantCalls(t, map[sessiontest.Op]int{})
}

func TestWhatNobodyTypedIntoAPasswordIsPointedOutWhenTheAPIRefusesIt(t *testing.T) {
	file := t.TempDir() + "/password"
	for name, c := range map[string]struct {
		content, environment, want string
	}{
		"a byte order mark":                  {content: "\ufeff" + sessiontest.Password + "\n", want: "which begins with a byte order mark"},
		"two line ends in a file":            {content: sessiontest.Password + "\n\n", want: "which ends with a line break"},
		"a line end in the environment":      {environment: sessiontest.Password + "\n", want: "which ends with a line break"},
		"a carriage return of another's":     {environment: sessiontest.Password + "\r", want: "which ends with a line break"},
		"a space at the end":                 {environment: sessiontest.Password + " ", want: "which begins or ends with a space"},
		"nothing but what is another's word": {environment: "wrong", want: "the password that of JWTSESSION_PASSWORD\n"},
	} {
		b := newBox(t).with("JWTSESSION_PASSWORD=" + c.environment)
		args := []string{"token"}
		if c.content != "" {
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--password-file", file)
		}
		code, _, stderr := b.run(t, args...)
		if code != exitRejected || !strings.Contains(stderr, c.want) || strings.Contains(stderr, sessiontest.Password) {
			t.Errorf("%s: got code %d and %q, want %d and %q", name, code, stderr, exitRejected, c.want)
		}
	}
}

// As cron, systemd and env -i have it.
func TestAPasswordCommandNeedsNoPath(t *testing.T) {
	b := newBox(t)
	cmd := b.command(t, "token", "--password-command", "echo '"+sessiontest.Password+"'", "--cache", "none")
	cmd.Env = []string{"JWTSESSION_BASE_URL=" + b.base, "JWTSESSION_EMAIL=" + sessiontest.Email}
	if code, stdout, stderr := finish(t, cmd); code != exitOK || stdout == "" || stderr != "" {
		t.Errorf("got code %d, %d bytes on stdout and %q, want a token", code, len(stdout), stderr)
	}
}
