//go:build linux

package keyringcache

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// The programs of a session with a Secret Service.
const (
	busProgram     = "dbus-daemon"
	keyringProgram = "gnome-keyring-daemon"
)

func missingPrograms() []string {
	var missing []string
	for _, program := range []string{busProgram, keyringProgram} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	return missing
}

func announceUntried() {
	if missing := missingPrograms(); missing != nil {
		fmt.Fprintf(os.Stderr, "keyringcache: NOT TRIED without %s: a real Secret Service, locked, killed, stopped, and used by many processes\n",
			strings.Join(missing, " and "))
	}
}

// inChild runs case_ in a process of its own, whose keyring is that of a session
// bus which the case starts. The keyring package keeps one connection for the
// life of a process, and the mock could not be undone.
func inChild(t *testing.T, case_ func(t *testing.T)) {
	t.Helper()
	if isReal() {
		case_(t)
		return
	}
	if missing := missingPrograms(); missing != nil && os.Getenv("CI") != "" {
		t.Fatalf("not installed: %s; in CI nothing may be left untried", strings.Join(missing, " and "))
	} else if missing != nil {
		t.Skipf("not tried, because not installed: %s", strings.Join(missing, " and "))
	}
	child := reexecute(t.Context(), "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	var output bytes.Buffer
	child.Stdout, child.Stderr = &output, &output
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := child.StdinPipe(); err != nil { // which ends when the child or this process does
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	err := child.Wait()
	_ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL) // whatever a child that crashed has left
	if err != nil || !strings.Contains(output.String(), "--- PASS: "+t.Name()) {
		t.Errorf("in a process of its own: %v\n%s", err, &output)
	}
}

// reexecute is a command that runs this test binary with the real keyring.
func reexecute(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, os.Args[0], arguments...)
	command.Env = append(os.Environ(), realVariable+"=1")
	command.WaitDelay = 5 * time.Second
	return command
}

// session is a session bus of this test's own, with gnome-keyring on it.
type session struct {
	t         *testing.T
	directory string
	address   string
	bus       *exec.Cmd
	keyring   *exec.Cmd // nil: none
}

// startService starts a session whose Secret Service is unlocked.
func startService(t *testing.T) *session {
	t.Helper()
	s := startSession(t)
	s.startBus()
	s.startKeyring(true)
	return s
}

// startSession starts a bus, and makes it this process's. Nothing is read from or
// written to the home of the person who runs the tests.
func startSession(t *testing.T) *session {
	t.Helper()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = syscall.Kill(0, syscall.SIGKILL) // the test that started this process died; so do the daemons
	}()
	// A socket's path may have 107 bytes, fewer than t.TempDir may take.
	directory, err := os.MkdirTemp("", "keyring")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	for variable, folder := range map[string]string{
		"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_DATA_HOME": "data",
		"XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config",
	} {
		path := filepath.Join(directory, folder)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv(variable, path)
	}
	s := &session{t: t, directory: directory, address: "unix:path=" + filepath.Join(directory, "bus")}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", s.address)
	return s
}

// startBus starts the bus, which knows no service that it could start by itself.
func (s *session) startBus() {
	s.t.Helper()
	configuration := filepath.Join(s.directory, "bus.conf")
	content := `<busconfig><type>session</type><listen>` + s.address + `</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
		</busconfig>`
	if err := os.WriteFile(configuration, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.bus = exec.Command(busProgram, "--nofork", "--print-address", "--config-file="+configuration)
	s.start(s.bus, "unix:")
}

// startKeyring starts gnome-keyring with its login keyring unlocked, or locked.
func (s *session) startKeyring(isUnlocked bool) {
	s.t.Helper()
	arguments := []string{"--foreground", "--components=secrets", "--control-directory=" + filepath.Join(s.directory, "run")}
	if isUnlocked {
		arguments = append(arguments, "--unlock")
	}
	s.keyring = exec.Command(keyringProgram, arguments...)
	if isUnlocked {
		s.keyring.Stdin = strings.NewReader("a password")
	}
	s.start(s.keyring, "GNOME_KEYRING_CONTROL=")
	connection, err := dbus.Connect(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var owned bool
		err := connection.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&owned)
		if err == nil && owned {
			return
		}
		if err != nil || time.Since(began) > patience {
			s.t.Fatalf("%s on the bus: got %v and error %v, want the name org.freedesktop.secrets", keyringProgram, owned, err)
		}
	}
}

// start starts a daemon and waits for the line with which it says that it is up.
func (s *session) start(daemon *exec.Cmd, line string) {
	s.t.Helper()
	var errorOutput bytes.Buffer
	daemon.Stderr = &errorOutput
	output, err := daemon.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { stop(daemon) })
	limit := time.AfterFunc(patience, func() { _ = daemon.Process.Kill() })
	defer limit.Stop()
	if got, err := bufio.NewReader(output).ReadString('\n'); err != nil || !strings.HasPrefix(got, line) {
		stop(daemon)
		s.t.Fatalf("%s: got line %q, error %v and %q on standard error, want a line %s…", daemon.Path, got, err, &errorOutput, line)
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
}

// stop kills a daemon and waits for its end. It may be called again.
func stop(daemon *exec.Cmd) {
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
}

func (s *session) signal(daemon *exec.Cmd, signal syscall.Signal) {
	s.t.Helper()
	if err := daemon.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// wantUnavailable fails the test unless call fails for the keyring's sake, within
// a time that tells a bound from a hang, and says each of parts.
func wantUnavailable(t *testing.T, what string, call func() error, parts ...string) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	select {
	case err := <-ended:
		t.Logf("%s: %v", what, err)
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got error %v, want one that Is ErrUnavailable", what, err)
			return
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got error %q, want %q in it", what, err, part)
			}
		}
	case <-time.After(patience):
		t.Errorf("%s: got no answer within %v, want an error within the store's bound", what, patience)
	}
}
