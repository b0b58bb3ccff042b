package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

func newStatusCommand() *cobra.Command {
	var flags accountFlags
	var check bool
	output := choice{value: "text", of: []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the session, and where the settings come from",
		Long: `Show whose session is in the cache, how long it lives on, and where each of the
settings comes from.

Without --check it only looks: it neither signs in nor refreshes, makes no call
to the API, and shows neither the password nor the token. Of the token's claims,
the jti is shortened to 8 characters. The exit code is 0 also if there is no
session.

--check is for scripts: without a live session the exit code is 1. If a refresh
is due it is made, and if that fails the exit code is 4. Live is what lives by
the clock: that somebody has logged out elsewhere, only the API knows, which
"jwtsession token --renew" asks.`,
		Example: `  jwtsession status
  jwtsession status --check >/dev/null || jwtsession token
  jwtsession status --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			report := account.look(cmd.Context())
			if output.value == "json" {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = report.print(cmd.OutOrStdout())
			}
			if err != nil || !check {
				return err
			}
			return account.check(cmd, report)
		},
	}
	flags.register(cmd)
	output.register(cmd, "the report")
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 if there is no live session, and with 4 if a refresh is due and fails")
	return cmd
}

// check has the exit code tell how the session stands. It renews a session whose
// refresh is due, as the next command would.
func (a *account) check(cmd *cobra.Command, r report) error {
	if !r.Live {
		return &quietError{exitFailure} // the report says why
	}
	if !r.Session.RefreshIsDue {
		return nil
	}
	token, err := a.liveToken(cmd.Context(), demand{}, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	// Each look into the cache counts what is left of a life anew: the expiry of one
	// session is a little later at the second.
	if !token.Expiry.After(r.Session.ExpiresAt.Add(aSecond)) {
		return &codedError{errors.New("the session's refresh is due, and could not be had"), exitUnreachable}
	}
	return nil
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// report is what status shows.
type report struct {
	Account  *found       `json:"account,omitempty"`  // nil: the protocol wants none
	Password *found       `json:"password,omitempty"` // where it comes from, and nothing else; nil likewise
	Extra    []foundExtra `json:"extra,omitempty"`
	Protocol found        `json:"protocol"`
	BaseURL  found        `json:"baseURL"`
	Origin   string       `json:"origin"`
	Profile  *found       `json:"profile,omitempty"`
	Cache    cacheReport  `json:"cache"`
	Live     bool         `json:"live"`
	Session  *liveSession `json:"session,omitempty"`
	Problem  string       `json:"problem,omitempty"`
}

// foundExtra is where something was found that the protocol wants by a name of its
// own.
type foundExtra struct {
	Name string `json:"name"`
	From string `json:"from"`
}

// found is a setting, and where it was found.
type found struct {
	Value string `json:"value,omitempty"`
	From  string `json:"from"`
}

type cacheReport struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	From string `json:"from"`
}

// look finds out how the account stands, without a call to the API.
func (a *account) look(ctx context.Context) report {
	r := report{
		Protocol: found{a.protocol.name.value, a.protocol.name.from},
		BaseURL:  found{a.baseURL.value, a.baseURL.from},
		Origin:   a.origin(),
		Cache:    cacheReport{a.store.kind, a.store.name, a.cacheFrom()},
	}
	if a.protocol.wants(exchange.Email) || a.email.value != "" {
		r.Account = &found{a.email.value, a.emailFrom()}
	}
	if a.protocol.wants(exchange.Password) {
		r.Password = &found{From: a.passwordFrom()}
	}
	for _, name := range a.protocol.extra() {
		r.Extra = append(r.Extra, foundExtra{name, a.extraFrom(name)})
	}
	if a.profile.value != "" {
		r.Profile = &found{a.profile.value, a.profile.from}
	}
	asking, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	credentials, err := a.Retrieve(asking)
	if err != nil {
		r.Problem = "no credentials: " + oneLine(err)
		return r
	}
	if r.Account != nil {
		r.Account.Value = credentials.Email
	}
	if r.Session, err = a.peek(ctx, credentials); err != nil {
		r.Problem = oneLine(err)
	}
	r.Live = r.Session != nil
	return r
}

// errNoSession is the end of a look that found nothing.
var errNoSession = errors.New("there is no session in the cache: the next token will be that of a sign-in")

// errNoCache is that of a look where there is nothing to look into.
var errNoCache = errors.New("without a cache each run signs in, and no refusal is remembered")

// errOnlyRenewable is that of a look that found a session which has expired, and
// can be renewed all the same.
var errOnlyRenewable = errors.New("the token in the cache has expired: the next use renews the session, without a sign-in")

// peek returns the session in the cache, by the source that would use it: one
// that cannot call the API, and that cannot write to the cache.
func (a *account) peek(ctx context.Context, credentials jwtsession.Credentials) (*liveSession, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	cacheProblem := make(chan error, 1)
	ts, closeAll, err := a.open(ctx, func(c *jwtsession.Config) {
		c.Credentials = credentials
		c.HTTPClient = &http.Client{Transport: noCalls{}}
		if c.Cache != nil {
			c.Cache = readOnly{c.Cache, a.store.kind == "file"}
		}
		c.OnEvent = func(e jwtsession.Event) {
			isOurs := errors.Is(e.Err, errOnlyLooking) || errors.Is(e.Err, jwtsession.ErrOneTimeCode)
			switch {
			case e.Kind == jwtsession.EventCacheFailed && !isOurs:
				select {
				case cacheProblem <- e.Err:
				default: // the first one says it
				}
			case e.Kind == jwtsession.EventSignInFailed && isOurs:
				giveUp(errNoSession)
			case e.Kind == jwtsession.EventRefreshFailed && isOurs && !e.ExpiresAt.IsZero() && !e.ExpiresAt.After(time.Now()):
				giveUp(errOnlyRenewable)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	token, err := ts.TokenContext(ctx)
	status := ts.Status()
	closeAll()
	switch {
	case err == nil:
		return describeSession(token.AccessToken, status, a.protocol.FixedLife()), nil
	case errors.Is(context.Cause(ctx), errOnlyRenewable):
		return nil, errOnlyRenewable
	case !errors.Is(context.Cause(ctx), errNoSession) && !errors.Is(err, jwtsession.ErrOneTimeCode):
		return nil, a.explain(err) // the cache remembers a refusal
	}
	select {
	case err := <-cacheProblem:
		return nil, err
	default:
	}
	if a.store.kind == "none" {
		return nil, errNoCache
	}
	return nil, errNoSession
}

// noCalls is a network without the API.
type noCalls struct{}

var errOnlyLooking = errors.New("status only looks")

func (noCalls) RoundTrip(*http.Request) (*http.Response, error) { return nil, errOnlyLooking }

// readOnly is a cache whose leases are nobody's: what is stored goes nowhere.
type readOnly struct {
	cache.Cache
	isFile bool // of which nobody knows whether it can be written before it is tried
}

// longestTry is how long somebody else may hold the lease, who could take it.
const longestTry = 250 * time.Millisecond

// Lock keeps nothing. It takes the lease of a file, and gives it back, to see
// whether the next command can.
func (r readOnly) Lock(ctx context.Context, key string) (cache.Lease, error) {
	if !r.isFile {
		return noLease{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestTry)
	defer cancel()
	lease, err := r.Cache.Lock(ctx, key)
	switch {
	case err == nil:
		lease.Unlock()
	case !errors.Is(err, context.DeadlineExceeded):
		return nil, err
	}
	return noLease{}, nil
}

type noLease struct{}

func (noLease) Store(context.Context, cache.Entry) error { return errOnlyLooking }
func (noLease) Delete(context.Context) error             { return errOnlyLooking }
func (noLease) Unlock() error                            { return nil }

// print shows the report to a person.
func (r report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string, from ...string) {
		if from != nil {
			value = fmt.Sprintf("%s (%s)", orNone(value), from[0])
		}
		fmt.Fprintf(table, "%s\t%s\n", name, printable(value))
	}
	if r.Account != nil {
		row("account", r.Account.Value, r.Account.From)
	}
	if r.Password != nil {
		row("password", "from "+r.Password.From)
	}
	for _, extra := range r.Extra {
		row("{"+extra.Name+"}", "from "+extra.From)
	}
	row("API", r.BaseURL.Value, r.BaseURL.From)
	if r.Protocol.From != "default" {
		row("protocol", r.Protocol.Value, r.Protocol.From)
	}
	if r.Profile != nil {
		row("profile", r.Profile.Value, r.Profile.From)
	}
	cacheName := r.Cache.Name
	if r.Cache.Kind != "none" {
		cacheName = r.Cache.Kind + ", " + cacheName
	}
	row("cache", cacheName, r.Cache.From)
	if r.Problem != "" {
		row("session", "none")
		row("", r.Problem)
		return table.Flush()
	}
	s := r.Session
	if s.ExpiresAt.IsZero() {
		row("session", "live, until the API rejects it")
	} else {
		row("session", fmt.Sprintf("live, %v left, until %s", s.timeLeft.Truncate(time.Second), s.ExpiresAt.Local().Format(time.DateTime)))
		row("refresh", s.refreshText())
	}
	title := "claims"
	for _, name := range slices.Sorted(keysOf(s.Claims)) {
		row(title, name+" = "+claimText(name, s.Claims[name]))
		title = ""
	}
	return table.Flush()
}

func keysOf(claims map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range claims {
			if !yield(name) {
				return
			}
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
