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
		Short: "End the session, everywhere",
		Long: `End the session in the cache.

PacerPro's API ends every session of the account with it (DELETE /session), in
every process and on every machine, and not only this one; an API with another
protocol may do so, or end this one, for all that share the cache. So it asks
first, on a terminal; elsewhere it needs --yes. Without a session in the cache
there is nothing to end it with, and the API is not called. Where the protocol
has no log-out, it is as with --local.

With --local, the cache forgets the session, and the API is not called: the
token lives on at the server until it expires. The next command signs in.

With --forget, what "jwtsession login" has put into the keyring goes as well.`,
		Example: `  jwtsession logout
  jwtsession logout --yes --forget`,
		Args: noArguments,
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
	o.local = o.local || a.protocol.LogOut == nil
	o.isSure = o.isSure || o.local // it can be undone by signing in
	if !o.isSure && a.person.terminal == nil {
		return &usageError{errors.New("logout signs the account out everywhere, and there is no terminal to ask at: add --yes if that is meant")}
	}
	credentials, err := a.Retrieve(cmd.Context())
	if err != nil {
		return fmt.Errorf("get the credentials for %s: %w", a.host(), err)
	}
	if !o.isSure {
		reach := "everywhere: in every process and on every machine"
		if !a.protocol.isPacerPros() {
			reach = "in every process that shares the session"
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "This signs out %s at %s %s.\nGo on? [y/N] ", who(credentials), a.host(), reach)
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
	if err := forgetLogin(cmd.Context(), a.baseURL.value, credentials); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "The keyring has its password no more.")
	return err
}

// who is the account in a sentence.
func who(c jwtsession.Credentials) string {
	if c.Email == "" {
		return "the account"
	}
	return printable(c.Email)
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
		if a.protocol.LogOut == nil {
			text = "Removed the session of %s at %s from the cache (%s). Its protocol has no log-out: the API was not called, and the token lives until it expires.\n"
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), text, who(credentials), a.host(), a.store.name)
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
		what := "every session of the account has ended, everywhere"
		if !a.protocol.isPacerPros() {
			what = "the session has ended, for all that share it"
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Signed out %s at %s: %s.\n", who(credentials), a.host(), what)
	case cacheProblem != nil:
		return a.ofCache(cacheProblem)
	default:
		if err := a.tryCache(cmd.Context(), credentials); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "There is no session of %s at %s in the cache (%s): the API was not called.\n", who(credentials), a.host(), a.store.name)
	}
	return nil
}
