package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

func newProtocolCommand() *cobra.Command {
	return newGroup("protocol", "Try the description of a protocol", newProtocolTryCommand())
}

// tryOptions are the flags of protocol try that are not the account's.
type tryOptions struct {
	get      string
	noLogOut bool
}

func newProtocolTryCommand() *cobra.Command {
	var flags accountFlags
	var o tryOptions
	cmd := &cobra.Command{
		Use:   "try [FILE]",
		Short: "Run a description against its API, step by step",
		Long: `Run a description against its API: sign in, refresh and log out, for real, and
show each exchange, what was found where in the answers, and what is missing. A
log-out may end more than the session that was begun: --no-log-out leaves it.
With --get a request to the API is made after each step, so that it is seen
whether the session is accepted, and what the end of one looks like.

The description is FILE, which has what a profile has below [NAME.protocol], or
else that of the account: a profile's, or one by name. The cache has no part.

Requests are shown as they are described, with nothing filled in. Of an answer
the names are shown, and of its values how long they are: no secret is shown,
but for those that nobody knows to be one, in the words of an error.`,
		Example: `  jwtsession protocol try api.toml --base-url https://api.example.com
  jwtsession protocol try --profile work --get /me`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				flags.description = args[0]
			}
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			return account.try(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&o.get, "get", "", "request this `path` of the API after each step, signed in")
	cmd.Flags().BoolVar(&o.noLogOut, "no-log-out", false, "do not log out")
	return cmd
}

// try makes the steps, by the client that a token source has.
func (a *account) try(ctx context.Context, out io.Writer, o tryOptions) error {
	credentials, err := a.Retrieve(ctx)
	if err == nil && a.protocol.wants(exchange.Code) {
		credentials.OneTimeCode, err = a.oneTimeCode(ctx)
	}
	if err != nil {
		return err
	}
	t := &trial{account: a, ctx: ctx, out: out, record: recorder{RoundTripper: http.DefaultTransport}}
	if own := a.httpClient(); own != nil {
		t.record.RoundTripper = own.Transport
	}
	t.http = &http.Client{Transport: &t.record, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.secrets = append(slices.Collect(maps.Values(credentials.Extra)), credentials.Password, credentials.OneTimeCode)
	if t.client, err = a.protocol.described.NewClient(a.baseURL.value, credentials, t.http); err != nil {
		return &usageError{err}
	}
	if o.get != "" {
		if t.target, err = a.target(o.get); err != nil {
			return &usageError{err}
		}
	}
	t.say("The API is at %s, and the protocol is %s (%s).", a.baseURL.value, a.protocol.name.value, a.protocol.name.from)
	err = t.run(!o.noLogOut)
	switch {
	case err != nil && !(t.missing > 0 && errors.Is(err, jwtsession.ErrMalformedToken)):
		return a.explain(err)
	case t.missing > 0:
		return errors.New("the description is not right yet: what is missing is told above")
	}
	t.say("\nNothing is missing.")
	return nil
}

// run makes one step after the other. A session that was begun is ended, whatever
// happens in between.
func (t *trial) run(logsOut bool) error {
	p := t.account.protocol
	session, err := t.signIn()
	if err != nil {
		return err
	}
	t.mustLive(session)
	var failed error
	if p.Refresh == nil {
		t.say("\nThere is no refresh: when the session ends there is a sign-in.")
	} else if next, err := t.refresh(session); err != nil {
		failed = err
	} else {
		session = next
		t.mustLive(session)
	}
	switch {
	case p.LogOut == nil:
		t.say("\nThere is no log-out: the token lives until it expires.")
	case !p.Has(p.LogOut, session.State):
		t.say("\nThere is no log-out of this session: what it would send was not found.")
	case logsOut:
		if err := t.logOut(session); err != nil {
			return cmp.Or(failed, err)
		}
	}
	return failed
}

func (t *trial) signIn() (jwtsession.Session, error) {
	t.begin("Sign in", t.account.protocol.SignIn, t.account.protocol.text().SignIn)
	session, err := t.do(t.client.Create)
	if err == nil {
		t.expiry(session)
	}
	return session, err
}

func (t *trial) refresh(old jwtsession.Session) (jwtsession.Session, error) {
	p := t.account.protocol
	t.begin("Refresh", p.Refresh, p.text().Refresh)
	if !p.Has(p.Refresh, old.State) {
		t.miss("the refresh cannot be made: what it sends was not found in the answer to the sign-in")
		return old, nil
	}
	session, err := t.do(func(ctx context.Context) (jwtsession.Session, error) { return t.client.Refresh(ctx, old) })
	if err != nil {
		return old, err
	}
	kind := "The token is a new one."
	if session.Token == old.Token {
		kind = "The token is the same as before."
	}
	t.say("   %s", kind)
	before, after := p.Kept(old.State), p.Kept(session.State)
	for _, name := range p.Uses() {
		if before[name] != after[name] {
			t.say("   {%s} is another one: it is used once, by one process.", name)
		} else {
			t.say("   {%s} is the same as before.", name)
		}
	}
	t.expiry(session)
	return session, nil
}

func (t *trial) logOut(session jwtsession.Session) error {
	t.begin("Log out", t.account.protocol.LogOut, t.account.protocol.text().LogOut)
	_, err := t.do(func(ctx context.Context) (jwtsession.Session, error) {
		return jwtsession.Session{}, t.client.Revoke(ctx, session)
	})
	if err != nil {
		return err
	}
	if rejected, asked := t.get(session); asked && !rejected {
		t.say("   So the token lives on after the log-out, or this is what guests get, too.")
	}
	return nil
}

// expiry tells how long the session lives.
func (t *trial) expiry(s jwtsession.Session) {
	if s.ExpiresAt.IsZero() {
		t.say("   Nobody knows when it expires: only a rejection will end it. Where the\n   documentation tells, give expires_in, also as a fixed life: \"2h\".")
		return
	}
	t.say("   It expires in %v.", time.Until(s.ExpiresAt).Round(time.Second))
}

// mustLive makes a request with a session that is new.
func (t *trial) mustLive(s jwtsession.Session) {
	if rejected, _ := t.get(s); rejected {
		t.miss("send: the API rejects a session that has just begun: requests may have to carry it in another way")
	}
}

// get makes a request with the session, if there is one to be made. It reports
// whether it was answered with what the end of a session is.
func (t *trial) get(s jwtsession.Session) (rejected, asked bool) {
	if t.target == nil {
		return false, false
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.account.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.target.String(), nil)
	if err != nil {
		return false, false
	}
	req.Header.Set("User-Agent", "jwtsession/"+jwtsession.Version)
	path := req.URL.Path // before what Send adds to it
	t.client.Sign(req, s)
	t.say("\n   GET %s, signed in:", printable(path))
	res, err := t.http.Do(req)
	if err != nil {
		t.say("   no answer: %s", t.quote(err.Error()))
		return false, false
	}
	res.Body.Close()
	meaning := "the session is not rejected"
	if rejected = t.client.Rejects(res); rejected {
		meaning = "the session is rejected"
	}
	t.say("   %s: %s.", statusLine(res.StatusCode), meaning)
	return rejected, true
}
