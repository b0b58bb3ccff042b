package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/jwtsession/jwtsession"
)

// passwordSource is where a password comes from.
type passwordSource struct {
	from string // in words
	read func(context.Context) (string, error)
}

// Retrieve implements [jwtsession.CredentialsProvider].
func (a *account) Retrieve(ctx context.Context) (jwtsession.Credentials, error) {
	if a.password == nil {
		return a.retrieveFromKeyring(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	password, err := a.password.read(ctx)
	switch {
	case err != nil:
	case password == "":
		err = fmt.Errorf("the password of %s is empty", a.password.from)
	case a.email.value == "":
		err = fmt.Errorf("there is a password (%s) but no e-mail address: set JWTSESSION_EMAIL", a.password.from)
	default:
		a.oddity.Store(oddityOf(password))
		return jwtsession.Credentials{Email: a.email.value, Password: password}, nil
	}
	return jwtsession.Credentials{}, &usageError{err}
}

func (a *account) retrieveFromKeyring(ctx context.Context) (jwtsession.Credentials, error) {
	credentials, err := loadLogin(ctx, a.baseURL.value, a.email.value)
	if err == nil {
		a.oddity.Store(oddityOf(credentials.Password))
		return credentials, nil
	}
	what, variables := "there are no credentials", "JWTSESSION_EMAIL and JWTSESSION_PASSWORD"
	if a.email.value != "" {
		what, variables = fmt.Sprintf("there is no password for %s (%s)", a.email.value, a.email.from), passwordVariable
	}
	ways := fmt.Sprintf("%s: set %s, or write a profile (see jwtsession --help), or store them with: jwtsession login", what, variables)
	if errors.Is(err, errNoLogin) {
		return jwtsession.Credentials{}, &usageError{errors.New(ways)}
	}
	return jwtsession.Credentials{}, &usageError{fmt.Errorf("%s (%w)", ways, err)}
}

// oddityOf says what may be wrong with a password that the server has refused: what
// nobody has typed, and an editor or a shell has left. It is empty of others.
func oddityOf(password string) string {
	switch {
	case strings.HasPrefix(password, "\ufeff"):
		return ", which begins with a byte order mark"
	case strings.HasSuffix(password, "\n"), strings.HasSuffix(password, "\r"):
		return ", which ends with a line break"
	case strings.TrimSpace(password) != password:
		return ", which begins or ends with a space"
	}
	return ""
}

// passwordFrom says where the password comes from.
func (a *account) passwordFrom() string {
	if a.password == nil {
		return "keyring"
	}
	return a.password.from
}

// emailFrom says where the e-mail address comes from.
func (a *account) emailFrom() string { return a.email.or(setting{"", "keyring"}).from }

// longestPassword bounds what is read: a mistaken file may be of any size.
const longestPassword = 64 << 10

// passwordIn is the content of a file or an output, without the end of its line.
func passwordIn(r io.Reader, from string) (string, error) {
	content, err := io.ReadAll(io.LimitReader(r, longestPassword+1))
	if err != nil {
		return "", fmt.Errorf("read the password (%s): %w", from, err)
	}
	if len(content) > longestPassword {
		return "", fmt.Errorf("what is there for a password (%s) is longer than %d bytes", from, longestPassword)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

// passwordFromInput reads the password once: there is no second time.
func passwordFromInput(stdin io.Reader) *passwordSource {
	const from = "standard input"
	read := sync.OnceValues(func() (string, error) { return passwordIn(stdin, from) })
	return &passwordSource{from, func(context.Context) (string, error) { return read() }}
}

func passwordFromFile(path, from string) *passwordSource {
	return &passwordSource{from, func(context.Context) (string, error) {
		content, err := readFile(path)
		if err != nil {
			return "", fmt.Errorf("read the password (%s): %w", from, err)
		}
		return passwordIn(bytes.NewReader(content), from)
	}}
}

// passwordFromCommand runs the command in the shell of the system. What it has to
// say to a person goes to stderr: to a terminal as it is, and else by way of this
// process, so that nothing it leaves behind holds the caller's.
func passwordFromCommand(command, from string, stderr io.Writer) *passwordSource {
	if !isTerminal(stderr) {
		stderr = struct{ io.Writer }{stderr}
	}
	return &passwordSource{from, func(ctx context.Context) (string, error) {
		shell := exec.CommandContext(ctx, "sh", "-c", command)
		if runtime.GOOS == "windows" {
			shell = exec.CommandContext(ctx, "cmd", "/C", command)
		}
		endWhole(shell)
		shell.Stderr = stderr
		shell.Env = withoutSecrets(os.Environ())
		shell.WaitDelay = time.Second
		output, err := shell.Output()
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("the password command (%s) took too long, and was ended (%w): see --timeout", from, ctx.Err())
		case err != nil && !errors.Is(err, exec.ErrWaitDelay): // what it has left running may go on
			return "", fmt.Errorf("the password command (%s) failed: %w", from, err)
		}
		return passwordIn(bytes.NewReader(output), from)
	}}
}

// withoutSecrets is an environment for another program: without the passwords,
// and without the variables that it is to have anew.
func withoutSecrets(environment []string, anew ...string) []string {
	out := append(anew, passwordVariable, redisPasswordVariable, clientSecretVariable)
	return slices.DeleteFunc(environment, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(out, name)
	})
}

// isTerminal reports whether a person is at the other end.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
