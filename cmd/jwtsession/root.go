package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
)

// The command's exit codes. The root's help documents them.
const (
	exitOK = iota
	exitFailure
	exitUsage
	exitRejected    // the server refused the credentials
	exitUnreachable // the API did not answer, or only that it cannot now
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "jwtsession",
		Short: "Sign in, and stay signed in, to APIs with a session token",
		Long: `jwtsession signs in to APIs that trade credentials for a token, and that renew
it with the token itself, as PacerPro's does, or with a refresh token. It keeps
the session in a cache, so that all commands share it until it ends. "jwtsession
protocols" lists the APIs that it knows, and others are described in a profile.

` + precedence + `

` + profilesHelp + `

Errors are one line on stderr, below the body of an answer that "api" could not
take for a success. The exit code is
  0  if all went well
  1  if something else failed
  2  if the command line, the environment or a profile is wrong, or without
     credentials, or if they cannot be read
  3  if the API refused the e-mail address and the password, or the token
  4  if the API could not be reached, or could not answer for now`,
		Example: `  export JWTSESSION_EMAIL=clerk@example.com   # and JWTSESSION_PASSWORD, or
  jwtsession login                            # into the keyring, once
  jwtsession api GET /matters`,
		Version:       jwtsession.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noCommand,
		RunE:          showHelp,
	}
	root.SetUsageTemplate(strings.NewReplacer(
		"FlagUsages", "FlagUsagesWrapped 80",
		" for more information about a command", " for more about it", // fits into 80 columns
	).Replace(root.UsageTemplate()))
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(
		newAPICommand(),
		newCacheCommand(),
		newDemoCommand(),
		newExecCommand(),
		newLoginCommand(),
		newLogoutCommand(),
		newProfilesCommand(),
		newProtocolCommand(),
		newProtocolsCommand(),
		newProxyCommand(),
		newServeCommand(),
		newStatusCommand(),
		newTokenCommand(),
	)
	return root
}

// addCompletion adds cobra's command, which writes to what is the output by then,
// but that a shell which there is not is a mistake.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args, cmd.RunE = noCommand, showHelp
		}
	}
}

// noCommand is for a command that does nothing but to have others below it.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(cmd, args[0])
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// newGroup is a command that does nothing but to have others below it.
func newGroup(name, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  noCommand,
		RunE:  showHelp,
	}
	cmd.AddCommand(commands...)
	return cmd
}

// run is the whole program but for its exit: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &output{Writer: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	addCompletion(root)

	// What fails before a command has begun is the fault of the command line.
	begun := false
	watchBeginning(root, &begun)
	err := out.judged(root.ExecuteContext(ctx))
	if err == nil {
		return exitOK
	}
	var local *localError
	if !begun && !errors.As(err, &local) {
		err = &usageError{err}
	}
	var quiet *quietError
	if !errors.As(err, &quiet) {
		fmt.Fprintln(stderr, "jwtsession:", oneLine(err))
	}
	return exitCode(err)
}

// watchBeginning makes all commands note that they have begun.
func watchBeginning(cmd *cobra.Command, begun *bool) {
	if begin := cmd.RunE; begin != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := emptyFlag(cmd); err != nil {
				return err
			}
			*begun = true
			return begin(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		watchBeginning(sub, begun)
	}
}

// usageError marks an error as one of the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// localError marks an error as one of this machine's, whatever it wraps: a
// keyring is called over a network of its own, and a command has its time-out.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// codedError is an error that says what it means to a script.
type codedError struct {
	err  error
	code int
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// quietError ends the program with a code and without a word: there has been one.
type quietError struct{ code int }

func (e *quietError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode is what an error means to a script.
func exitCode(err error) int {
	var (
		quiet   *quietError
		usage   *usageError
		api     *jwtsession.APIError
		op      *net.OpError
		trust   *tls.CertificateVerificationError
		advised *advisedError
		local   *localError
		coded   *codedError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &quiet):
		return quiet.code
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &advised) && advised.code != 0:
		return advised.code
	case errors.As(err, &local):
		return exitFailure
	case errors.Is(err, jwtsession.ErrInvalidCredentials), errors.Is(err, jwtsession.ErrUnauthorized):
		return exitRejected
	case errors.As(err, &api):
		if api.Temporary() {
			return exitUnreachable
		}
		return exitFailure
	case errors.As(err, &op) && op.Op == "listen":
		return exitFailure
	case isOfNetwork(err), errors.As(err, &trust), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return exitUnreachable
	}
	return exitFailure
}

// isOfNetwork reports whether an error is one of a call to somewhere. Every error
// of a system call has the methods of net.Error, that of a full disk as well.
func isOfNetwork(err error) bool {
	var network net.Error
	if !errors.As(err, &network) {
		return false
	}
	return reflect.TypeOf(network).PkgPath() != "syscall"
}

// oneLine is an error's text as a line of its own, without the name that the
// library and the command share, wherever in it the library's begins.
func oneLine(err error) string {
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "jwtsession: "), ": jwtsession: ", ": ")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// untilStopped returns a context that ends with Ctrl-C or SIGTERM, for commands
// that have something to put in order. A second Ctrl-C ends the program at once.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
