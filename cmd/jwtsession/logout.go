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
	var isSure, forget bool
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "End all sessions of the account, everywhere",
		Long: `End the session in the cache (DELETE /session).

The API ends every session of the account with it, in every process and on every
machine, and not only this one. So it asks first, on a terminal; elsewhere it
needs --yes. Without a session in the cache there is nothing to end it with, and
the API is not called.

With --forget, what "jwtsession login" has put into the keyring goes as well.`,
		Example: `  jwtsession logout
  jwtsession logout --yes --forget`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			return account.logout(cmd, isSure, forget)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&isSure, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&forget, "forget", false, "remove the e-mail address and the password from the keyring as well")
	return cmd
}

func (a *account) logout(cmd *cobra.Command, isSure, forget bool) error {
	if !isSure && !isTerminal(cmd.InOrStdin()) {
		return &usageError{errors.New("logout signs the account out everywhere, and there is no terminal to ask at: add --yes if that is meant")}
	}
	credentials, err := a.Retrieve(cmd.Context())
	if err != nil {
		return fmt.Errorf("get the credentials for %s: %w", a.host(), err)
	}
	if !isSure {
		fmt.Fprintf(cmd.ErrOrStderr(), "This signs out %s at %s everywhere: in every process and on every machine.\nGo on? [y/N] ", printable(credentials.Email), a.host())
		answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return errors.New("nothing was done")
		}
	}

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
	if !forget {
		return nil
	}
	if err := forgetLogin(cmd.Context(), a.baseURL.value, credentials.Email); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "The keyring has its password no more.")
	return err
}
