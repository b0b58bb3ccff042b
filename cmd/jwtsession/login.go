package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
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
"jwtsession logout --forget" removes one.

With --profile and a name that is new, it makes a profile of that name, with the
e-mail address and, if one was given, the base URL.`,
		Example: `  jwtsession login
  jwtsession login --profile work --base-url https://api.example.com/v1
  pass show api | jwtsession login --email clerk@example.com --password-stdin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.takeNewProfile(); err != nil {
				return &usageError{err}
			}
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			if err := account.login(cmd, flags.passwordStdin); err != nil || flags.newProfile == "" {
				return err
			}
			return account.saveProfile(cmd, flags.newProfile)
		},
	}
	flags.registerAPI(cmd)
	return cmd
}

// takeNewProfile has --profile name the profile to make, if there is none of the
// name.
func (f *accountFlags) takeNewProfile() error {
	profiles, _, err := loadProfiles()
	if _, found := profiles[f.profile]; !found && err == nil {
		f.profile, f.newProfile = "", f.profile
	}
	return err
}

// saveProfile makes a profile of the login.
func (a *account) saveProfile(cmd *cobra.Command, name string) error {
	p := profile{emailSetting: a.email.value}
	if a.baseURL.from != "default" {
		p[baseURLSetting] = a.baseURL.value
	}
	path, err := addProfile(name, p)
	if err != nil {
		return &localError{fmt.Errorf("the password is in the keyring, but the profile could not be written: %w", err)}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The profile %s is in %s\n", printable(name), path)
	return err
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
	password, err := readHidden(terminal)
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

// readHidden reads a line that the terminal does not show. Whatever ends the
// program meanwhile, the terminal shows again what is typed.
func readHidden(terminal *os.File) ([]byte, error) {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return nil, err
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, endingSignals...)
	defer signal.Stop(ending)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(int(terminal.Fd()))
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ending:
		return nil, errors.Join(errors.New("stopped"), term.Restore(int(terminal.Fd()), state))
	}
}
