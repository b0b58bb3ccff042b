package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jwtsession/jwtsession"
)

func newLoginCommand() *cobra.Command {
	var flags accountFlags
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Store an e-mail address and a password in the keyring",
		Long: `Ask for the e-mail address and the password, try them by signing in, and store
them in the operating system's keyring: the macOS Keychain, the Windows
Credential Manager, or a Secret Service such as gnome-keyring or KWallet. All
other commands find them there.

The keyring holds one password for each e-mail address of each API. Of an API
with several, --email or JWTSESSION_EMAIL chooses; else the last login counts.
"jwtsession logout --forget" removes one.`,
		Example: `  jwtsession login
  pass show api | jwtsession login --email clerk@example.com --password-stdin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			return account.login(cmd, flags.passwordStdin)
		},
	}
	flags.registerAPI(cmd)
	return cmd
}

func (a *account) login(cmd *cobra.Command, fromInput bool) error {
	stdin, isFile := cmd.InOrStdin().(*os.File)
	if !fromInput && !isTerminal(cmd.InOrStdin()) {
		return &usageError{errors.New("there is no terminal to ask at: give --email and --password-stdin")}
	}
	// Whoever has no keyring should learn it before the password is asked for.
	if _, err := loadLogin(cmd.Context(), a.baseURL.value, a.email.value); err != nil && !errors.Is(err, errNoLogin) {
		return fmt.Errorf("%w; set JWTSESSION_EMAIL and JWTSESSION_PASSWORD, or use --password-file or --password-command instead of a login", err)
	}

	var c jwtsession.Credentials
	var err error
	if fromInput {
		c, err = a.Retrieve(cmd.Context())
	} else if isFile {
		c, err = a.ask(stdin, cmd.ErrOrStderr())
	}
	if err != nil {
		return err
	}
	a.email, a.password = setting{c.Email, "what was entered"}, &passwordSource{"what was entered", func(context.Context) (string, error) { return c.Password, nil }}
	ts, closeAll, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	_, err = ts.TokenContext(cmd.Context())
	closeAll()
	if err != nil {
		return a.explain(err)
	}
	if err := storeLogin(cmd.Context(), a.baseURL.value, c); err != nil {
		return fmt.Errorf("signed in at %s, but %w", a.host(), err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Signed in at %s as %s. The password is in the keyring now.\n", a.host(), printable(c.Email))
	return err
}

// ask asks at the terminal, and shows the e-mail address only.
func (a *account) ask(terminal *os.File, prompt io.Writer) (jwtsession.Credentials, error) {
	c := jwtsession.Credentials{Email: a.email.value}
	if c.Email == "" {
		fmt.Fprintf(prompt, "E-mail address at %s: ", a.host())
		line, err := bufio.NewReader(terminal).ReadString('\n')
		if err != nil && line == "" {
			return c, fmt.Errorf("read the e-mail address: %w", err)
		}
		c.Email = strings.TrimSpace(line)
	}
	fmt.Fprintf(prompt, "Password of %s: ", printable(c.Email))
	password, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(prompt)
	if err != nil {
		return c, fmt.Errorf("read the password: %w", err)
	}
	c.Password = string(password)
	if c.Email == "" || c.Password == "" {
		return c, &usageError{errors.New("a login needs an e-mail address and a password")}
	}
	return c, nil
}
