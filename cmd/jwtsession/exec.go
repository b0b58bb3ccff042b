package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
)

// The exit codes of a command that could not be run are those of env and sh.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
)

// variableName is a name that a shell, too, can read a variable by.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func newExecCommand() *cobra.Command {
	var flags accountFlags
	var want demand
	var variable string
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT]...",
		Short: "Run a command with a live token in its environment",
		Long: `Run a command with a live token in an environment variable.

The token is that of "jwtsession token", and it stays as it is: a command that
outlives it needs "jwtsession proxy", or has to ask for a token itself. The
command's signals and its exit code are its own; if it cannot be run the exit
code is 126, and if there is no such command, 127.

JWTSESSION_BASE_URL, JWTSESSION_PROTOCOL, JWTSESSION_EMAIL and
JWTSESSION_PROFILE are in its environment as well, as they were found;
JWTSESSION_PASSWORD, JWTSESSION_CODE, JWTSESSION_EXTRA_... and
JWTSESSION_REDIS_PASSWORD are taken out of it.`,
		Example: `  jwtsession exec -- ./report.py
  jwtsession exec --env API_TOKEN -- make publish`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("the command is missing: give it after --, as in jwtsession exec -- ./report.py")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !variableName.MatchString(variable) {
				return &usageError{fmt.Errorf("--env is %q: give the name of a variable: letters, digits and _, and no digit first", variable)}
			}
			if err := want.validate(); err != nil {
				return err
			}
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			program, err := findProgram(args[0])
			if err != nil {
				return err
			}
			token, err := account.liveToken(cmd.Context(), want, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			environment := account.environmentOf(os.Environ(), variable, token.AccessToken)
			if err := runInPlace(program, args, environment); err != nil {
				return notRunnable(args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the command is the command's
	flags.register(cmd)
	want.register(cmd)
	cmd.Flags().StringVar(&variable, "env", "JWTSESSION_TOKEN", "the `name` of the variable that has the token")
	return cmd
}

// environmentOf is the command's: with the token, whose it is, and where it is
// for. A jwtsession in it is for the same account.
func (a *account) environmentOf(own []string, variable, token string) []string {
	anew := map[string]string{variable: token, baseURLSetting.variable(): a.baseURL.value}
	if a.email.value != "" {
		anew[emailSetting.variable()] = a.email.value
	}
	if a.protocol.name.from != "default" && a.protocol.isNamed {
		anew[protocolSetting.variable()] = a.protocol.name.value
	}
	if a.profile.value != "" {
		anew[profileVariable] = a.profile.value
	}
	own = withoutSecrets(own, append(slices.Collect(maps.Keys(anew)), protocolSetting.variable())...)
	for _, name := range slices.Sorted(maps.Keys(anew)) {
		own = append(own, name+"="+anew[name])
	}
	return own
}

// findProgram finds the program before anything is done for it.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", notRunnable(name, err)
	}
	return path, nil
}

func notRunnable(name string, err error) error {
	code := exitNotRunnable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNotFound
	}
	var failed *exec.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return &advisedError{fmt.Errorf("run %s: %w", name, err), "check the command after exec --", code}
}
