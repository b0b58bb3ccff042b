package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// commandLine runs the program in this process.
func commandLine(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestTheHelpOfEveryCommandFitsInto80Columns(t *testing.T) {
	root := newRootCommand()
	root.InitDefaultCompletionCmd()
	forEachCommand(root, func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return // cobra's own text
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		code, help, stderr := commandLine(t, append(path, "--help")...)
		if code != exitOK || stderr != "" || !strings.Contains(help, cmd.CommandPath()) {
			t.Errorf("%s --help: got code %d, stderr %q and %d bytes of help, want its help alone", cmd.CommandPath(), code, stderr, len(help))
		}
		for line := range strings.Lines(help) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s --help: got a line of %d columns, want at most 80: %s", cmd.CommandPath(), n, line)
			}
		}
	})
}

func TestAWrongCommandLineIsOneLineOnStderrAndCode2(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"sevre", `unknown command "sevre": did you mean "serve"?`},
		{"nothing-like-it", `unknown command "nothing-like-it": see jwtsession --help`},
		{"serve --tokenlife 3s", "unknown flag: --tokenlife: did you mean --token-life?"},
		{"token --no-such-thing", "unknown flag: --no-such-thing: see jwtsession token --help"},
		{"serve --token-life soon", `--token-life is "soon": give a number and its unit`},
		{"token --timeout 5", `--timeout is "5": give a number and its unit, such as --timeout 5s`},
		{"help tokne", `unknown command "tokne": did you mean "token"?`},
		{"help cache claer", `unknown command "claer": did you mean "clear"?`},
		{"completion bsh", `unknown command "bsh": did you mean "bash"?`},
		{"demo --processes x", `--processes is "x": give a whole number`},
		{"cache claer", `unknown command "claer": did you mean "clear"?`},
		{"token --min-life -1m", "--min-life is -1m0s: give zero or more"},
		{"api GET", "give METHOD and PATH"},
		{"serve now", `jwtsession serve takes no arguments, and was given "now"`},
		{"serve --addr 192.0.2.1:80", "give a loopback address"},
		{"serve --addr 8787", "give a host and a port"},
		{"serve --token-life 10ms", "at least 1s"},
		{"serve --fault refresh", "it reads OPERATION:FAULT[:CALLS]"},
		{"serve --fault login:503", `"login" is no operation`},
		{"serve --fault create:9000", `"9000" is no fault`},
		{"serve --fault create:503:0", `"0" is no number of calls`},
	} {
		code, stdout, stderr := commandLine(t, strings.Fields(c.args)...)
		if code != exitUsage || stdout != "" {
			t.Errorf("%s: got code %d and stdout %q, want %d and none", c.args, code, stdout, exitUsage)
		}
		if !strings.HasPrefix(stderr, "jwtsession: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: got %q on stderr, want one line with %q", c.args, stderr, c.want)
		}
	}
}

func TestTheExitCodeTellsScriptsWhatFailed(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, exitOK},
		{"an unknown error", errors.New("no"), exitFailure},
		{"the command line", &usageError{errors.New("no")}, exitUsage},
		{"a code without a word", &quietError{7}, 7},
		{"refused credentials", &jwtsession.APIError{Op: "create", StatusCode: 401}, exitRejected},
		{"a refused token", &jwtsession.APIError{Op: "revoke", StatusCode: 401}, exitRejected},
		{"no such page", &jwtsession.APIError{Op: "create", StatusCode: 404}, exitFailure},
		{"an outage", &jwtsession.APIError{Op: "create", StatusCode: 503}, exitUnreachable},
		{"too many calls", &jwtsession.APIError{Op: "create", StatusCode: 429}, exitUnreachable},
		{"a refused connection", &net.OpError{Op: "dial", Err: errors.New("refused")}, exitUnreachable},
		{"an unknown host", &net.DNSError{Err: "no such host"}, exitUnreachable},
		{"a time-out", context.DeadlineExceeded, exitUnreachable},
		{"a dropped connection", io.EOF, exitUnreachable},
		{"a refused connection to the keyring", &localError{&net.OpError{Op: "dial", Err: errors.New("refused")}}, exitFailure},
		{"no credentials", &localError{&usageError{errors.New("no")}}, exitUsage},
		{"an answer that says what to change", &advisedError{&jwtsession.APIError{Op: "create", StatusCode: 400}, "no", exitFailure}, exitFailure},
		{"a refusal with advice", &advisedError{&jwtsession.APIError{Op: "create", StatusCode: 401}, "no", 0}, exitRejected},
		{"a refused connection, as a system says it", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, exitUnreachable},
		{"a connection that was reset", &url.Error{Op: "Get", Err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}, exitUnreachable},
		{"a full disk", &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, exitFailure},
		{"no such file", &fs.PathError{Op: "open", Path: "/nofile", Err: syscall.ENOENT}, exitFailure},
		{"a file that cannot be moved", &os.LinkError{Op: "rename", Err: syscall.EACCES}, exitFailure},
		{"a system call", syscall.EPERM, exitFailure},
		{"a port in use", &net.OpError{Op: "listen", Err: errors.New("in use")}, exitFailure},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		if c.err == nil {
			continue
		}
		if got := exitCode(fmt.Errorf("wrapped: %w", c.err)); got != c.want {
			t.Errorf("%s, wrapped: got %d, want %d", c.name, got, c.want)
		}
	}
}

// fullDisk is an output that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

func TestWhatCannotBeWrittenIsOneLineOnStderrAndCode1(t *testing.T) {
	server := sessiontest.NewServer()
	defer server.Close()
	setHermetic(t)
	t.Setenv("JWTSESSION_BASE_URL", server.URL)
	t.Setenv("JWTSESSION_EMAIL", sessiontest.Email)
	t.Setenv("JWTSESSION_PASSWORD", sessiontest.Password)
	for _, args := range []string{
		"", "--help", "help token", "token --help", "--version", "cache", "completion bash", "protocols", "protocols directus", "profiles",
		"profiles --output json", "status", "status --output json", "token", "api GET /me", "cache clear", "logout --local", "token", "logout --yes",
		"logout --yes", "protocol try",
	} {
		if args == "token" {
			commandLine(t, "token") // so that there is a session to end
		}
		var stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(args), strings.NewReader(""), fullDisk{}, &stderr)
		if got := stderr.String(); code != exitFailure || !strings.HasPrefix(got, "jwtsession: ") || strings.Count(got, "\n") != 1 ||
			!strings.Contains(got, "write /dev/stdout: no space left") {
			t.Errorf("jwtsession %s: got code %d and %q, want %d and one line with what went wrong", args, code, got, exitFailure)
		}
	}
}

func TestAnErrorOfSeveralLinesBecomesOne(t *testing.T) {
	err := errors.Join(errors.New("jwtsession: the first"), errors.New("the second"))
	if got, want := oneLine(err), "the first; the second"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := oneLine(fmt.Errorf("no token: %w", errors.New("jwtsession: why"))), "no token: why"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
