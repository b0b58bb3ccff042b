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
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

const thePassword = "the password"

// secretSource is where a password, or something like it, comes from.
type secretSource struct {
	from string // in words
	read func(context.Context) (string, error)
}

// Retrieve implements [jwtsession.CredentialsProvider]. It has no one-time code:
// that is asked for only once it is known that there is a sign-in.
func (a *account) Retrieve(ctx context.Context) (jwtsession.Credentials, error) {
	c, err := a.retrievePassword(ctx)
	if err == nil {
		c.Extra, err = a.retrieveExtra(ctx, c.Email)
	}
	if err != nil {
		return jwtsession.Credentials{}, &usageError{err}
	}
	return c, nil
}

// retrievePassword reads the account's name and its password, as far as the
// protocol wants them.
func (a *account) retrievePassword(ctx context.Context) (jwtsession.Credentials, error) {
	c := jwtsession.Credentials{Email: a.email.value}
	wantsEmail := a.protocol.wants(exchange.Email)
	if !a.protocol.wants(exchange.Password) {
		if wantsEmail && c.Email == "" {
			return c, errors.New("there is no e-mail address: set JWTSESSION_EMAIL")
		}
		return c, nil
	}
	if a.password == nil {
		return a.retrieveFromKeyring(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	var err error
	c.Password, err = a.password.read(ctx)
	switch {
	case err != nil:
	case c.Password == "":
		err = fmt.Errorf("the password of %s is empty", a.password.from)
	case !utf8.ValidString(c.Password):
		err = fmt.Errorf("the password of %s is not UTF-8: write it in that encoding", a.password.from)
	case c.Email == "" && wantsEmail:
		err = fmt.Errorf("there is a password (%s) but no e-mail address: set JWTSESSION_EMAIL", a.password.from)
	default:
		a.noteOddity(exchange.Password, c.Password)
		a.noteOddity(exchange.Email, c.Email)
	}
	return c, err
}

func (a *account) retrieveFromKeyring(ctx context.Context) (jwtsession.Credentials, error) {
	credentials, err := loadLogin(ctx, a.baseURL.value, a.email.value)
	if err == nil {
		a.noteOddity(exchange.Password, credentials.Password)
		return credentials, nil
	}
	const password = "JWTSESSION_PASSWORD or JWTSESSION_PASSWORD_FILE"
	what, variables := "there are no credentials", "JWTSESSION_EMAIL and "+password
	switch {
	case a.email.value != "":
		what, variables = fmt.Sprintf("there is no password for %s (%s)", a.email.value, a.email.from), password
	case !a.protocol.wants(exchange.Email):
		what, variables = "there is no password", password
	}
	ways := fmt.Sprintf("%s: set %s, or write a profile (see jwtsession --help)", what, variables)
	switch {
	case errors.Is(err, errNoLogin):
		err = fmt.Errorf("%s, or store them with: jwtsession login", ways)
	case errors.Is(err, errNoBus) && !hasDesktop():
		err = errors.New(ways)
	default:
		err = fmt.Errorf("%w; without it %s", err, ways)
	}
	return credentials, err
}

// noteOddity keeps what may be wrong with what is sent by this name.
func (a *account) noteOddity(name, value string) { a.oddities.Store(name, oddityOf(value)) }

// oddityOf says what may be wrong with a value that the server has refused: what
// nobody has typed, and an editor or a shell has left. It is empty of others.
func oddityOf(value string) string {
	switch {
	case strings.HasPrefix(value, "\ufeff"):
		return ", which begins with a byte order mark"
	case strings.HasSuffix(value, "\n"), strings.HasSuffix(value, "\r"):
		return ", which ends with a line break"
	case strings.TrimSpace(value) != value:
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

// secretIn is the content of a file or an output, without the end of its line.
func secretIn(what string, r io.Reader, from string) (string, error) {
	content, err := io.ReadAll(io.LimitReader(r, longestPassword+1))
	if err != nil {
		return "", fmt.Errorf("read %s (%s): %w", what, from, err)
	}
	if len(content) > longestPassword {
		return "", fmt.Errorf("what is there for %s (%s) is longer than %d bytes", what, from, longestPassword)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

// passwordFromInput reads the password once: there is no second time.
func passwordFromInput(stdin io.Reader) *secretSource {
	const from = "standard input"
	read := sync.OnceValues(func() (string, error) { return secretIn(thePassword, stdin, from) })
	return &secretSource{from, func(context.Context) (string, error) { return read() }}
}

func secretFromFile(what, path, from string) *secretSource {
	return &secretSource{from, func(ctx context.Context) (string, error) {
		content, err := readFileUntil(ctx, path)
		if err != nil {
			return "", fmt.Errorf("read %s (%s): %w", what, from, err)
		}
		return secretIn(what, bytes.NewReader(content), from)
	}}
}

// secretFromCommand runs the command in the shell of the system. What it has to
// say to a person goes to stderr: to a terminal as it is, and else by way of this
// process, so that nothing it leaves behind holds the caller's.
func secretFromCommand(what, command, from string, stderr io.Writer) *secretSource {
	if !isTerminal(stderr) {
		stderr = struct{ io.Writer }{stderr}
	}
	return &secretSource{from, func(ctx context.Context) (string, error) {
		shell := exec.CommandContext(ctx, "/bin/sh", "-c", command) // which needs no PATH
		if runtime.GOOS == "windows" {
			shell = exec.CommandContext(ctx, "cmd", "/C", command)
		}
		endWhole(shell)
		shell.Stderr = stderr
		shell.Env = withoutSecrets(os.Environ())
		shell.WaitDelay = time.Second
		var output boundedBuffer
		shell.Stdout = &output
		err := shell.Run()
		switch {
		case output.isOver: // whatever came of it then: secretIn says that it is too long
		case ctx.Err() != nil:
			return "", fmt.Errorf("the command for %s (%s) took too long, and was ended (%w): see --timeout", what, from, ctx.Err())
		case err != nil && !errors.Is(err, exec.ErrWaitDelay): // what it has left running may go on
			return "", fmt.Errorf("the command for %s (%s) failed: %w", what, from, err)
		}
		return secretIn(what, bytes.NewReader(output.content), from)
	}}
}

// boundedBuffer takes as much as secretIn reads: a command may write for ever.
type boundedBuffer struct {
	content []byte
	isOver  bool
}

// Write fails when there is too much.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	room := longestPassword + 1 - len(b.content) // one more than may be, so that it is told
	if len(p) < room {
		b.content = append(b.content, p...)
		return len(p), nil
	}
	b.content, b.isOver = append(b.content, p[:room]...), true
	return room, io.ErrShortWrite
}

// withoutSecrets is an environment for another program: without the passwords,
// and without the variables that it is to have anew. On Windows a secret is found by
// its name in any case.
func withoutSecrets(environment []string, anew ...string) []string {
	secrets := []string{passwordVariable, codeVariable, redisPasswordVariable, clientSecretVariable}
	return slices.DeleteFunc(environment, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		upper := strings.ToUpper(name)
		return slices.Contains(anew, name) || slices.Contains(secrets, upper) || strings.HasPrefix(upper, extraVariable)
	})
}

// isTerminal reports whether a person is at the other end.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
