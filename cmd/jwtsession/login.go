package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

func newLoginCommand() *cobra.Command {
	var flags accountFlags
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Store an e-mail address and a password in the keyring",
		Long: `Ask for the e-mail address and the password, and for whatever else the protocol
wants, try them by signing in, and store them in the operating system's keyring:
the macOS Keychain, the Windows Credential Manager, or a Secret Service such as
gnome-keyring or KWallet. All other commands find them there.

The keyring holds one password for each e-mail address of each API. Of an API
with several, --email or JWTSESSION_EMAIL chooses; else the last login counts.
"jwtsession logout --forget" removes one.

With --profile and a name that is new, it makes a profile of that name, with the
e-mail address and, if they were given, the base URL and the protocol.`,
		Example: `  jwtsession login
  jwtsession login --profile work --base-url https://api.example.com/v1
  pass show api | jwtsession login --email clerk@example.com --password-stdin`,
		Args: noArguments,
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
	p := profile{values: map[settingName]string{}}
	for name, s := range map[settingName]setting{emailSetting: a.email, baseURLSetting: a.baseURL, protocolSetting: a.protocol.name} {
		if s.value != "" && s.from != "default" {
			p.values[name] = s.value
		}
	}
	path, err := addProfile(name, p)
	if err != nil {
		return &localError{fmt.Errorf("the password is in the keyring, but the profile could not be written: %w", err)}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The profile %s is in %s\n", printable(name), path)
	return err
}

func (a *account) login(cmd *cobra.Command, fromInput bool) error {
	if !fromInput && a.person.terminal == nil {
		return &usageError{errors.New("there is no terminal to ask at: give --email and --password-stdin")}
	}
	// Whoever has no keyring should learn it before the password is asked for.
	if _, err := loadLogin(cmd.Context(), a.baseURL.value, a.email.value); err != nil && !errors.Is(err, errNoLogin) {
		return fmt.Errorf("%w; without a login, set JWTSESSION_EMAIL and JWTSESSION_PASSWORD, or use --password-file or --password-command", err)
	}

	c, typed, err := a.enter(cmd.Context(), fromInput)
	if err != nil {
		return err
	}
	a.email, a.password = setting{c.Email, entered}, &secretSource{entered, func(context.Context) (string, error) { return c.Password, nil }}
	credentials := &given{Credentials: c}
	var asked counter
	ts, closeAll, err := a.open(cmd.Context(), asked.countIn, func(config *jwtsession.Config) { config.Credentials = credentials }, a.warnOfCache(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	_, err = a.tokenOf(cmd.Context(), ts, credentials)
	closeAll()
	if err != nil {
		return a.explainRemembered(err, &asked, "a login after jwtsession cache clear does")
	}
	c.Extra = typed
	if err := storeLogin(cmd.Context(), a.baseURL.value, c); err != nil {
		return fmt.Errorf("signed in at %s, but %w", a.host(), err)
	}
	what := "The password is"
	if !a.protocol.wants(exchange.Password) || len(typed) > 0 {
		what = "The credentials are"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Signed in at %s%s. %s in the keyring now.\n", a.host(), as(c.Email), what)
	return err
}

const entered = "what was entered"

// as names an account, if it has a name.
func as(email string) string {
	if email == "" {
		return ""
	}
	return " as " + printable(email)
}

// enter returns the credentials, and what was typed of what the protocol wants by
// names of its own.
func (a *account) enter(ctx context.Context, fromInput bool) (c jwtsession.Credentials, typed map[string]string, err error) {
	if fromInput {
		c, err = a.Retrieve(ctx)
		return c, nil, err
	}
	if c, err = a.ask(); err != nil {
		return c, nil, err
	}
	typed = map[string]string{}
	for _, name := range a.protocol.extra() {
		if a.extra[name] != nil {
			continue
		}
		if typed[name], err = a.person.askHidden("{" + name + "} of the protocol " + a.protocol.name.value); err != nil {
			return c, nil, err
		}
		a.extra[name] = &secretSource{entered, func(context.Context) (string, error) { return typed[name], nil }}
	}
	c.Extra, err = a.retrieveExtra(ctx, c.Email)
	return c, typed, err
}

// ask asks for the e-mail address and the password, as far as the protocol wants
// them.
func (a *account) ask() (c jwtsession.Credentials, err error) {
	c.Email = a.email.value
	wantsEmail, wantsPassword := a.protocol.wants(exchange.Email), a.protocol.wants(exchange.Password)
	if c.Email == "" && wantsEmail {
		if c.Email, err = a.person.ask("E-mail address at " + a.host()); err != nil {
			return c, err
		}
	}
	if wantsPassword {
		if c.Password, err = a.person.askHidden("Password" + of(c.Email)); err != nil {
			return c, err
		}
	}
	if c.Email == "" && wantsEmail || c.Password == "" && wantsPassword {
		return c, &usageError{errors.New("a login needs an e-mail address and a password")}
	}
	return c, nil
}

// of names an account, if it has a name.
func of(email string) string {
	if email == "" {
		return ""
	}
	return " of " + printable(email)
}

// readHidden reads a line that the terminal does not show. Whatever ends the
// program meanwhile, or stops it, the terminal shows again what is typed. When it
// goes on after Ctrl-Z it hides that again, and prompts anew.
func readHidden(terminal *os.File, prompt func()) ([]byte, error) {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return nil, err
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, endingSignals...)
	defer signal.Stop(ending)
	defer suspendWithCtrlZ(func(stop func()) {
		hiding, err := term.GetState(int(terminal.Fd()))
		if err != nil || term.Restore(int(terminal.Fd()), state) != nil {
			return
		}
		stop()
		if term.Restore(int(terminal.Fd()), hiding) == nil {
			prompt()
		}
	})()
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
