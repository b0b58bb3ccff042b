package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
)

func newLogoutCommand() *cobra.Command {
	var flags accountFlags
	var o logoutOptions
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "End all sessions of the account, everywhere",
		Long: `End the session in the cache (DELETE /session).

The API ends every session of the account with it, in every process and on every
machine, and not only this one. So it asks first, on a terminal; elsewhere it
needs --yes. Without a session in the cache there is nothing to end it with, and
the API is not called.

With --local, the cache forgets the session, and the API is not called: the
token lives on at the server until it expires. The next command signs in.

With --forget, what "jwtsession login" has put into the keyring goes as well.`,
		Example: `  jwtsession logout
  jwtsession logout --yes --forget`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			return account.logout(cmd, o)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&o.isSure, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&o.forget, "forget", false, "remove the e-mail address and the password from the keyring as well")
	cmd.Flags().BoolVar(&o.local, "local", false, "remove the session from the cache, and call nobody")
	return cmd
}

// logoutOptions are the flags of logout that are not the account's.
type logoutOptions struct{ isSure, forget, local bool }

func (a *account) logout(cmd *cobra.Command, o logoutOptions) error {
	o.isSure = o.isSure || o.local // it can be undone by signing in
	if !o.isSure && !isTerminal(cmd.InOrStdin()) {
		return &usageError{errors.New("logout signs the account out everywhere, and there is no terminal to ask at: add --yes if that is meant")}
	}
	credentials, err := a.Retrieve(cmd.Context())
	if err != nil {
		return fmt.Errorf("get the credentials for %s: %w", a.host(), err)
	}
	if !o.isSure {
		fmt.Fprintf(cmd.ErrOrStderr(), "This signs out %s at %s everywhere: in every process and on every machine.\nGo on? [y/N] ", printable(credentials.Email), a.host())
		answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return errors.New("nothing was done")
		}
	}

	end := a.endEverywhere
	if o.local {
		end = a.endHere
	}
	if err := end(cmd, credentials); err != nil || !o.forget {
		return err
	}
	if err := forgetLogin(cmd.Context(), a.baseURL.value, credentials.Email); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "The keyring has its password no more.")
	return err
}

// endHere forgets the session, which lives on at the server.
func (a *account) endHere(cmd *cobra.Command, credentials jwtsession.Credentials) error {
	found, err := a.forget(cmd.Context(), credentials)
	if err != nil {
		return err
	}
	text := "There is nothing of %s at %s in the cache (%s).\n"
	if found {
		text = "Removed the session of %s at %s from the cache (%s): the API was not called.\n"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), text, printable(credentials.Email), a.host(), a.store.name)
	return err
}

// endEverywhere revokes the session in the cache.
func (a *account) endEverywhere(cmd *cobra.Command, credentials jwtsession.Credentials) error {
	hasEnded := false // set before the source is closed
	var cacheProblem error
	ts, closeAll, err := a.open(cmd.Context(), func(c *jwtsession.Config) {
		c.Credentials = credentials
		c.OnEvent = func(e jwtsession.Event) {
			switch e.Kind {
			case jwtsession.EventRevoked:
				hasEnded = true
			case jwtsession.EventCacheFailed:
				cacheProblem = e.Err
			}
		}
	})
	if err != nil {
		return err
	}
	err = ts.Revoke(cmd.Context())
	closeAll()
	switch {
	case err != nil:
		return a.explain(err)
	case hasEnded:
		fmt.Fprintf(cmd.OutOrStdout(), "Signed out %s at %s: every session of the account has ended, everywhere.\n", printable(credentials.Email), a.host())
	case cacheProblem != nil:
		return cacheProblem
	default:
		fmt.Fprintf(cmd.OutOrStdout(), "There is no session of %s at %s in the cache (%s): the API was not called.\n", printable(credentials.Email), a.host(), a.store.name)
	}
	return nil
}
