package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// secretService starts a session bus with gnome-keyring on it, for the processes
// that get the environment which it returns.
func secretService(t *testing.T) (environment []string) {
	t.Helper()
	for _, program := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed: login was not tried with a real keyring", program)
		}
		t.Skipf("%s is not installed: login was not tried with a real keyring", program)
	}
	directory, err := os.MkdirTemp("", "keyring") // a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	address := "unix:path=" + filepath.Join(directory, "bus")
	configuration := filepath.Join(directory, "bus.conf")
	content := `<busconfig><type>session</type><listen>` + address + `</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(configuration, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	environment = []string{
		"DBUS_SESSION_BUS_ADDRESS=" + address, "HOME=" + directory, "XDG_RUNTIME_DIR=" + directory,
		"XDG_DATA_HOME=" + filepath.Join(directory, "data"),
		"XDG_CACHE_HOME=" + filepath.Join(directory, "cache"), "XDG_CONFIG_HOME=" + filepath.Join(directory, "config"),
	}
	startDaemon(t, environment, "", "unix:", "dbus-daemon", "--nofork", "--print-address", "--config-file="+configuration)
	startDaemon(t, environment, "a password", "GNOME_KEYRING_CONTROL=", "gnome-keyring-daemon", "--foreground", "--components=secrets", "--control-directory="+directory, "--unlock")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	connection, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var isThere bool
		err := connection.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&isThere)
		if err == nil && isThere {
			return environment
		}
		if err != nil || time.Since(begin) > patience {
			t.Fatalf("gnome-keyring on the bus: got %v and error %v", isThere, err)
		}
	}
}

// startDaemon starts a daemon and waits for the line with which it says that it
// is up. It ends with the test, also if that is killed.
func startDaemon(t *testing.T, environment []string, stdin, line, program string, args ...string) {
	t.Helper()
	daemon := exec.Command(program, args...)
	daemon.Env = append(os.Environ(), environment...)
	daemon.Stdin = strings.NewReader(stdin)
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill()
		daemon.Wait()
	})
	limit := time.AfterFunc(patience, func() { daemon.Process.Kill() })
	defer limit.Stop()
	if got, err := bufio.NewReader(output).ReadString('\n'); err != nil || !strings.HasPrefix(got, line) {
		t.Fatalf("%s: got the line %q and error %v, want %s…", program, got, err, line)
	}
}

// A person logs in at a terminal; a real Secret Service keeps the password.
func TestALoginServesAllCommandsUntilItIsForgotten(t *testing.T) {
	b := newBox(t).with(secretService(t)...).with("JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD=")
	logIn := func(password string) (code int, output string) {
		p := onOwnTerminal(t, b.command(t, "login"))
		p.expect("E-mail address at ")
		p.enter(sessiontest.Email, true)
		p.expect("Password of clerk@example.com: ")
		p.enter(password, false)
		return p.exit()
	}
	code, output := logIn("wrong password")
	if code != exitRejected || !strings.Contains(output, "401 Unauthorized") || strings.Contains(output, "wrong password") {
		t.Errorf("a wrong password: got code %d and %q, want %d, and not the password", code, output, exitRejected)
	}
	if code, output := logIn("wrong password"); code != exitRejected || !strings.Contains(output, "nobody was asked now: a login after jwtsession cache clear does") {
		t.Errorf("the same again: got code %d and %q, want %d and how to ask at once", code, output, exitRejected)
	}
	if code, _, stderr := b.run(t, "token"); code != exitUsage || !strings.Contains(stderr, "store them with: jwtsession login") {
		t.Errorf("after a failed login: got code %d and %q, want that there are no credentials", code, stderr)
	}
	code, output = logIn(sessiontest.Password)
	if code != exitOK || !strings.Contains(output, "Signed in at ") || strings.Contains(output, sessiontest.Password) {
		t.Errorf("got code %d and %q, want that it is signed in, and not the password", code, output)
	}
	first := b.token(t)
	for _, more := range [][]string{nil, {"--email", sessiontest.Email}} {
		if b.token(t, more...) != first {
			t.Errorf("token %q: got another token, want that of the login", more)
		}
	}
	if _, text, _ := b.run(t, "status"); !strings.Contains(text, "account   clerk@example.com (keyring)\n") || !strings.Contains(text, "password  from keyring\n") {
		t.Errorf("status: got\n%s\nwant that all is from the keyring", text)
	}
	if kept, again := b.token(t, "--cache", "keyring"), b.token(t, "--cache", "keyring"); kept != again {
		t.Error("--cache keyring: got two tokens, want a session that is shared")
	}
	code, stdout, stderr := b.run(t, "logout", "--yes", "--forget")
	if code != exitOK || !strings.Contains(stdout, "The keyring has its password no more.") {
		t.Errorf("logout --forget: got code %d, %q and %q", code, stdout, stderr)
	}
	if _, text, _ := b.run(t, "status"); !strings.Contains(text, "no credentials") {
		t.Errorf("status after it: got\n%s\nwant that there are no credentials", text)
	}

	// A login makes a profile of a name that is new.
	made := b.command(t, "login", "--profile", "work", "--email", sessiontest.Email, "--password-stdin")
	made.Stdin = strings.NewReader(sessiontest.Password + "\n")
	if code, stdout, stderr := finish(t, made); code != exitOK || !strings.Contains(stdout, "The profile work is in ") {
		t.Errorf("login --profile: got code %d, %q and %q, want a profile", code, stdout, stderr)
	}
	b.with("JWTSESSION_BASE_URL=https://other.example.com").token(t, "--profile", "work")
	code, stdout, stderr = b.with("JWTSESSION_PROFILE=work").run(t, "profiles")
	if want := "* work  " + sessiontest.Email + "  " + b.base + "  keyring or environment\n"; code != exitOK || stdout != want {
		t.Errorf("profiles: got code %d, %q and %q, want %q", code, stdout, stderr, want)
	}

	again := b.command(t, "login", "--email", sessiontest.Email, "--password-stdin")
	again.Stdin = strings.NewReader(sessiontest.Password + "\n")
	if code, _, stderr := finish(t, again); code != exitOK {
		t.Errorf("login --password-stdin: got code %d and %q, want %d", code, stderr, exitOK)
	}
	b.token(t)
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 4, sessiontest.OpRevoke: 1})
}

// Ctrl-C and Ctrl-\ come while the terminal hides what is typed.
func TestALoginThatIsStoppedLeavesATerminalThatShowsWhatIsTyped(t *testing.T) {
	environment := secretService(t)
	for name, key := range map[string]string{"Ctrl-C": "\x03", "Ctrl-\\": "\x1c"} {
		b := boxAt(t, "https://api.example.com").with(environment...).with("JWTSESSION_PASSWORD=")
		p := onOwnTerminal(t, b.command(t, "login"))
		p.expect("Password of clerk@example.com: ")
		p.awaitEcho(false)
		if _, err := p.side.WriteString(key); err != nil {
			t.Fatal(err)
		}
		p.Wait()
		if code := p.ProcessState.ExitCode(); code != exitFailure {
			t.Errorf("%s: got code %d, want %d", name, code, exitFailure)
		}
		p.awaitEcho(true)
	}
}

// What is typed after Ctrl-Z is the shell's, and what is typed after fg a secret.
func TestALoginHidesWhatIsTypedAlsoAfterItWasStopped(t *testing.T) {
	b := newBox(t).with(secretService(t)...).with("JWTSESSION_PASSWORD=")
	// A shell with jobs stands between, as a person's does.
	shell := b.command(t)
	shell.Path, shell.Args = "/bin/sh", []string{"sh", "-c", `set -m; "$0" login; read line; fg; exit $?`, shell.Path}
	p := onOwnTerminal(t, shell)
	p.expect("Password of clerk@example.com: ")
	p.awaitEcho(false)
	login := childOf(t, shell.Process.Pid)
	if _, err := p.side.WriteString("\x1a"); err != nil { // Ctrl-Z
		t.Fatal(err)
	}
	awaitState(t, login, "T")
	p.awaitEcho(true)
	p.mark()
	p.enter("", true)
	p.expect("Password of clerk@example.com: ")
	p.enter(sessiontest.Password, false)
	if code, output := p.exit(); code != exitOK || !strings.Contains(output, "Signed in at ") || strings.Contains(output, sessiontest.Password) {
		t.Errorf("got code %d and %q, want that it is signed in, and not the password", code, output)
	}
}

func TestALoginWithoutAKeyringSaysSoBeforeItAsks(t *testing.T) {
	b := newBox(t)
	p := onOwnTerminal(t, b.command(t, "login"))
	code, output := p.exit()
	if code != exitFailure || !strings.HasPrefix(output, "jwtsession: there is no session bus at unix:path=") || !strings.Contains(output, "--password-file") || strings.Contains(output, "Password of") {
		t.Errorf("got code %d and %q, want %d and what to use in its place", code, output, exitFailure)
	}
	if code, _, stderr := b.run(t, "login"); code != exitUsage || !strings.Contains(stderr, "no terminal to ask at") {
		t.Errorf("without a terminal: got code %d and %q, want %d", code, stderr, exitUsage)
	}
	if code, _, stderr := b.run(t, "token", "--cache", "keyring"); code != exitFailure || !strings.Contains(stderr, "the keyring cannot be used") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("--cache keyring: got code %d and %q, want %d and that there is none", code, stderr, exitFailure)
	}
}

// What is wrong comes first, and what to do about it.
func TestAKeyringThatCannotBeUsedSaysWhy(t *testing.T) {
	const ways = "there are no credentials: set JWTSESSION_EMAIL and JWTSESSION_PASSWORD or JWTSESSION_PASSWORD_FILE, or write a profile (see jwtsession --help)\n"
	environment := secretService(t)
	address := strings.TrimPrefix(environment[0], "DBUS_SESSION_BUS_ADDRESS=")
	lockKeyring(t, address)
	empty := "unix:path=" + filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		environment []string
		want, login string
	}{
		"a locked keyring":   {environment, "the keyring is locked: unlock it; without it " + ways, "the keyring is locked: unlock it; without a login, set JWTSESSION_EMAIL"},
		"a bus that is away": {[]string{"DBUS_SESSION_BUS_ADDRESS=" + empty}, "there is no session bus at " + empty + " (DBUS_SESSION_BUS_ADDRESS): connect: no such file or directory; without it " + ways, "there is no session bus at " + empty},
		"a desktop, no bus":  {[]string{"DISPLAY=:7"}, errNoBus.Error() + "; without it " + ways, errNoBus.Error()},
		"no desktop":         {nil, ways, errNoBus.Error()},
	} {
		b := boxAt(t, "https://api.example.com")
		bare := append([]string{"HOME=" + t.TempDir(), "JWTSESSION_BASE_URL=" + b.base, "PATH=" + t.TempDir()}, c.environment...)
		token, login := b.command(t, "token"), b.command(t, "login")
		token.Env, login.Env = bare, bare
		if code, _, stderr := finish(t, token); code != exitUsage || stderr != "jwtsession: "+c.want {
			t.Errorf("%s: got code %d and %q, want %d and %q", name, code, stderr, exitUsage, c.want)
		}
		code, output := onOwnTerminal(t, login).exit()
		if code != exitFailure || !strings.HasPrefix(output, "jwtsession: "+c.login) || !strings.Contains(output, "--password-file") {
			t.Errorf("%s: login: got code %d and %q, want %d and %q", name, code, output, exitFailure, c.login)
		}
	}
}

// lockKeyring locks the keyring on a bus, as its owner's leaving does.
func lockKeyring(t *testing.T, address string) {
	t.Helper()
	connection, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	const login = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	var locked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	service := connection.Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	if err := service.Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{login}).Store(&locked, &prompt); err != nil || len(locked) != 1 {
		t.Fatalf("lock the keyring: got %v and error %v", locked, err)
	}
}
