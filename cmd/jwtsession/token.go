package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
)

// demand is what a caller asks of a token.
type demand struct {
	minLife time.Duration // how long it has to live on; zero: as long as the source thinks right
	retry   bool          // what is remembered of a failure does not count
	renew   bool          // the server has to have said that it is good
}

func (d *demand) register(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&d.minLife, "min-life", 0, "how long the token has to live on: one with less left is refreshed, and if that cannot be, the exit code is 4")
	cmd.Flags().BoolVar(&d.renew, "renew", false, "have the API renew the session first: for who was told 401")
	cmd.Flags().BoolVar(&d.retry, "retry", false, "ask the API now, also if it is remembered to have refused")
}

func (d demand) validate() error {
	if d.minLife < 0 {
		return &usageError{fmt.Errorf("--min-life is %v: give zero or more", d.minLife)}
	}
	return nil
}

// longestRefreshWait bounds the wait for a refresh: the token is live meanwhile.
const longestRefreshWait = 5 * time.Second

func newTokenCommand() *cobra.Command {
	var flags accountFlags
	var want demand
	var file string
	output := choice{value: "text", of: []string{"text", "json", "header", "exec-credential"}}
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a live token",
		Long: `Print a live token, and nothing else, on stdout.

The token comes from the cache, without a call to the API. If there is none it
signs in. If the refresh of the token is due, which is from 70 to 80 % of its
life on, it is refreshed first; should that fail or take longer than 5 s, the
present one is printed while it lives. --min-life asks for more.

Somebody else may have logged out: that the API has ended the session, the cache
does not know. Who was told 401 asks with --renew, which has the API renew the
session before the token is printed, and signs in if it refuses; if it cannot be
asked, the exit code is 4.

A refusal is remembered, for a minute at first and for up to fifteen, and for
all commands that share the cache: meanwhile the API is not asked again with the
same password. --retry asks it now.

--output json has the token and when it expires (RFC 3339; left out if that is
unknown), --output header the header lines by which a request is signed in,
"Authorization: Bearer ..." unless the protocol says something else, and
--output exec-credential is for kubectl, with this in a kubeconfig:

` + kubeconfig + `
kubectl does not tell that it was answered 401: where sessions are ended from
elsewhere, add --renew to the args.

--write keeps a file fresh, for programs that read their token from one: the
file has the token and nothing else, is for its owner alone, and is replaced in
one step. It runs until it is stopped, and leaves the file as it is.

Where the API, the e-mail address and the password come from: see
jwtsession --help.`,
		Example: `  jwtsession token -o header | curl -sS --fail -H @- "$JWTSESSION_BASE_URL/..."
  TOKEN=$(jwtsession token --min-life 5m) || exit
  jwtsession token --write /run/app/token`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := want.validate(); err != nil {
				return err
			}
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			if file != "" {
				return account.keepFresh(cmd, file)
			}
			// It ends in a moment, and the 19 MiB that a key takes which is derived from a
			// password are no reason to collect garbage beside that.
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			token, err := account.liveToken(cmd.Context(), want, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return printToken(cmd.OutOrStdout(), output.value, token)
		},
	}
	flags.register(cmd)
	want.register(cmd)
	output.register(cmd, "the token")
	cmd.Flags().StringVar(&file, "write", "", "write the token into this `file`, and keep it fresh there until stopped")
	for _, other := range []string{"output", "min-life", "renew", "retry"} {
		cmd.MarkFlagsMutuallyExclusive("write", other)
	}
	return cmd
}

func printToken(out io.Writer, format string, token *signedToken) (err error) {
	switch format {
	case "json":
		err = json.NewEncoder(out).Encode(struct {
			Token     string    `json:"token"`
			ExpiresAt time.Time `json:"expiresAt,omitzero"`
		}{token.AccessToken, token.Expiry})
	case "header":
		if len(token.headers) == 0 {
			return &localError{errors.New("requests carry the session in the query, and in no header: take the token itself (--output text), or jwtsession proxy")}
		}
		for _, header := range token.headers {
			if _, err = fmt.Fprintln(out, header); err != nil {
				break
			}
		}
	case "exec-credential":
		err = json.NewEncoder(out).Encode(execCredentialOf(token.Token))
	default:
		_, err = fmt.Fprintln(out, token.AccessToken)
	}
	return err
}

// liveToken returns a token as it is wanted, and else one that is live. What is
// no reason to fail goes to stderr.
func (a *account) liveToken(ctx context.Context, want demand, stderr io.Writer, changes ...func(*jwtsession.Config)) (*signedToken, error) {
	// Read once, before the clock of the sign-in runs: a password that cannot be
	// had is no fault of the network's.
	credentials, err := a.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	provider := &given{Credentials: credentials}
	var asked counter
	events := make(chan jwtsession.Event, 64)
	changes = append(changes, asked.countIn, func(c *jwtsession.Config) {
		c.Credentials = provider
		c.OnEvent = func(e jwtsession.Event) {
			select {
			case events <- e:
			default: // it matters which of them come, not how many
			}
		}
	}, a.warnOfCache(stderr))
	token, err := a.acquire(ctx, want, provider, events, &asked, changes)
	if err != nil && want.retry && asked.calls.Load() == 0 {
		if _, err := a.forget(ctx, credentials); err != nil {
			return nil, fmt.Errorf("forget what the cache has of the account: %w", err)
		}
		token, err = a.acquire(ctx, want, provider, events, &asked, changes)
	}
	return token, a.explainRemembered(err, &asked, "--retry does")
}

// askAgainByHand is how to ask at once, where there is no --retry.
const askAgainByHand = "jwtsession token --retry does"

// explainRemembered is explain where an answer may be one that the cache remembers.
func (a *account) explainRemembered(err error, asked *counter, how string) error {
	err = a.explain(err)
	if isAnswer(err) && asked.calls.Load() == 0 {
		err = &advisedError{err, "nobody was asked now: " + how, exitCode(err)}
	}
	return err
}

// acquire returns the token of a source that lives no longer than the call.
func (a *account) acquire(ctx context.Context, want demand, credentials *given, events <-chan jwtsession.Event, asked *counter, changes []func(*jwtsession.Config)) (*signedToken, error) {
	ts, closeAll, err := a.open(ctx, changes...)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	token, err := a.lively(ctx, want, ts, credentials, events, asked)
	if err != nil {
		return nil, err
	}
	headers, err := a.headers(ctx, ts)
	return &signedToken{token, headers}, err
}

// lively is a token that lives as long as is wanted, and that the server has just
// renewed if that is.
func (a *account) lively(ctx context.Context, want demand, ts *jwtsession.TokenSource, credentials *given, events <-chan jwtsession.Event, asked *counter) (*oauth2.Token, error) {
	token, err := a.tokenOf(ctx, ts, credentials)
	if err != nil {
		return nil, err
	}
	if status := ts.Status(); !status.RefreshAt.IsZero() && time.Until(status.RefreshAt) <= 0 {
		awaitRefresh(ctx, events, token.Expiry)
		if token, err = a.tokenOf(ctx, ts, credentials); err != nil {
			return nil, err
		}
	}
	isNew := asked.calls.Load() > 0 && ts.Status().LastError == nil
	if !isNew && (want.renew || !lives(token, want.minLife)) {
		ts.Invalidate(token.AccessToken) // which asks the server for a newer one
		if token, err = a.tokenOf(ctx, ts, credentials); err != nil {
			return nil, err
		}
	}
	left, problem := time.Until(token.Expiry).Truncate(time.Second), ts.Status().LastError
	switch {
	case want.renew && problem != nil:
		err = fmt.Errorf("the session could not be renewed (--renew): %w", problem)
	case lives(token, want.minLife):
		return token, nil
	case problem != nil:
		err = fmt.Errorf("the token has %v left, --min-life is %v, and the session could not be renewed: %w", left, want.minLife, problem)
	default:
		err = fmt.Errorf("the token has %v left, and --min-life is %v: the API gives none that lives longer; lower --min-life", left, want.minLife)
	}
	return nil, &codedError{err, exitUnreachable}
}

// lives reports whether a token has so much life left, as far as is known.
func lives(token *oauth2.Token, least time.Duration) bool {
	return token.Expiry.IsZero() || time.Until(token.Expiry) >= least
}

// signedToken is a token, and the header lines by which requests carry its session.
type signedToken struct {
	*oauth2.Token
	headers []string
}

// headers are what a request to the API gets of the session.
func (a *account) headers(ctx context.Context, ts *jwtsession.TokenSource) (lines []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.baseURL.value, nil)
	if err != nil {
		return nil, err
	}
	var sent http.Header
	transport := jwtsession.Transport{Source: ts, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
		sent = req.Header
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: req}, nil
	})}
	if _, err := transport.RoundTrip(req); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		for _, value := range sent[name] {
			lines = append(lines, name+": "+value)
		}
	}
	return lines, nil
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// isAnswer reports whether a server has said it.
func isAnswer(err error) bool {
	var api *jwtsession.APIError
	return errors.As(err, &api)
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
