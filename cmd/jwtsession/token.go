package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
)

// freshness is how long a token has to live on to be of use.
type freshness struct {
	minLife time.Duration
	isAsked bool // by a flag
}

func (f *freshness) register(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.minLife, "min-life", time.Minute, "how long the token should live on: with less left, wait for its refresh")
}

// longestRefreshWait bounds the wait for a refresh: the token is live meanwhile.
const longestRefreshWait = 5 * time.Second

func newTokenCommand() *cobra.Command {
	var flags accountFlags
	var fresh freshness
	output := choice{value: "text", of: []string{"text", "json", "header"}}
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a live token",
		Long: `Print a live token, and nothing else, on stdout.

The token comes from the cache, without a call to the API. If there is none it
signs in. If the refresh of the token is due, which is from 70 to 80 % of its
life on, it is refreshed first; should that fail or take longer than 5 s, the
present one is printed while it lives.

--output json has the token and when it expires (RFC 3339; left out if that is
unknown), and --output header a header line, "Authorization: Bearer ...".

Where the API, the e-mail address and the password come from: see
jwtsession --help.`,
		Example: `  curl -H "Authorization: Bearer $(jwtsession token)" https://api.pacerpro.com
  jwtsession token --output header | curl -H @- https://api.pacerpro.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			fresh.isAsked = cmd.Flags().Changed("min-life")
			token, err := account.liveToken(cmd.Context(), fresh, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return printToken(cmd.OutOrStdout(), output.value, token)
		},
	}
	flags.register(cmd)
	fresh.register(cmd)
	output.register(cmd, "the token")
	return cmd
}

func printToken(out io.Writer, format string, token *oauth2.Token) (err error) {
	switch format {
	case "json":
		err = json.NewEncoder(out).Encode(struct {
			Token     string    `json:"token"`
			ExpiresAt time.Time `json:"expiresAt,omitzero"`
		}{token.AccessToken, token.Expiry})
	case "header":
		_, err = fmt.Fprintln(out, "Authorization: Bearer", token.AccessToken)
	default:
		_, err = fmt.Fprintln(out, token.AccessToken)
	}
	return err
}

// liveToken returns a token that lives on as long as is asked for, if such a one
// can be had, and else one that is live. What is no reason to fail goes to stderr.
func (a *account) liveToken(ctx context.Context, fresh freshness, stderr io.Writer, changes ...func(*jwtsession.Config)) (*oauth2.Token, error) {
	events := make(chan jwtsession.Event, 64)
	var warning error // known once the source is closed
	ts, closeAll, err := a.open(ctx, append(changes, func(c *jwtsession.Config) {
		c.OnEvent = func(e jwtsession.Event) {
			if e.Kind == jwtsession.EventCacheFailed && warning == nil {
				warning = e.Err // the first one says it
			}
			select {
			case events <- e:
			default: // it matters which of them come, not how many
			}
		}
	})...)
	if err != nil {
		return nil, err
	}
	token, err := ts.TokenContext(ctx)
	if err == nil && fresh.wantsRefresh(ts.Status()) {
		awaitRefresh(ctx, events, token.Expiry)
		token, err = ts.TokenContext(ctx)
	}
	closeAll()
	if warning != nil {
		fmt.Fprintln(stderr, "jwtsession: warning:", oneLine(warning))
	}
	if err != nil {
		return nil, a.explain(err)
	}
	if left := time.Until(token.Expiry); fresh.isAsked && !token.Expiry.IsZero() && left < fresh.minLife {
		fmt.Fprintf(stderr, "jwtsession: warning: the token has %v left, and there is none that lives longer\n", left.Truncate(time.Second))
	}
	return token, nil
}

// wantsRefresh reports whether the token should be refreshed before anybody gets
// it, and is about to be: the source itself decides when.
func (f freshness) wantsRefresh(s jwtsession.Status) bool {
	if s.ExpiresAt.IsZero() || s.RefreshAt.IsZero() {
		return false
	}
	wait := time.Until(s.RefreshAt)
	return wait <= 0 || time.Until(s.ExpiresAt) < f.minLife && wait < longestRefreshWait
}

// awaitRefresh returns when there is a session that expires later, when the
// attempt at one has failed, or after a while.
func awaitRefresh(ctx context.Context, events <-chan jwtsession.Event, expiry time.Time) {
	timer := time.NewTimer(longestRefreshWait)
	defer timer.Stop()
	for {
		select {
		case e := <-events:
			switch e.Kind {
			case jwtsession.EventRefreshFailed, jwtsession.EventSignInFailed:
				if e.RetryIn > 0 {
					return
				}
			case jwtsession.EventRefreshed, jwtsession.EventAdopted, jwtsession.EventSignedIn:
				if e.ExpiresAt.After(expiry) {
					return
				}
			}
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// choice is the value of a flag that is one of several words.
type choice struct {
	value string
	of    []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "string" }

// Set takes one of the words.
func (c *choice) Set(text string) error {
	for _, word := range c.of {
		if text == word {
			c.value = text
			return nil
		}
	}
	return fmt.Errorf("choose one of %s", inWords(c.of))
}

func (c *choice) register(cmd *cobra.Command, what string) {
	cmd.Flags().VarP(c, "output", "o", fmt.Sprintf("the `format` of %s: %s", what, inWords(c.of)))
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(c.of, cobra.ShellCompDirectiveNoFileComp))
}

func inWords(words []string) string {
	text := words[0]
	for i, word := range words[1:] {
		if i == len(words)-2 {
			text += " or " + word
		} else {
			text += ", " + word
		}
	}
	return text
}
