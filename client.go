package jwtsession

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/internal/connections"
	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/internal/version"
)

// DefaultBaseURL is PacerPro's production API.
const DefaultBaseURL = "https://api.pacerpro.com/v1"

// Version is the library's version, as the session calls' User-Agent has it:
// that of the module in the running program's build information, without the v.
// In a program that was built from a working copy and not from a release it is
// the revision's (0.1.1-0.20260102150405-abcdef012345) where Go has recorded
// one, and else "devel". It is for reading.
var Version = version.Of("github.com/jwtsession/jwtsession")

const (
	largestAnswer   = 1 << 20
	longestToken    = 16 << 10
	jsonContentType = "application/json"
)

// Client is the [Issuer] of a [Protocol], PacerPro's by default: its calls, each
// made once, with no retry. It is safe for concurrent use. Most programs want a
// [TokenSource] instead, which makes the calls when they are due.
//
// It never follows a redirect, since net/http would send the password along.
type Client struct {
	protocol     *exchange.Exchange
	described    bool // by a Protocol that is not zero
	renewableFor time.Duration
	baseURL      string                                     // without a slash at the end
	credentials  func(context.Context) (Credentials, error) // a function, which nobody can print; nil: none
	clock        func() time.Time
	*carriers
}

// carriers are what carries the calls, behind a pointer: fmt follows one of a field, and
// shows what an interface holds there, unless that is a pointer itself or a function.
type carriers struct {
	caller *http.Client // what NewClient was given; nil: none
	base   http.RoundTripper
}

func newCarriers(hc *http.Client) *carriers {
	base := connections.ForSessions(hc)
	if kind := reflect.ValueOf(base).Kind(); kind != reflect.Pointer && kind != reflect.Func {
		base = &unfollowed{base}
	}
	return &carriers{hc, base}
}

// NewClient returns a client of the API at baseURL, [DefaultBaseURL] if it is
// empty; its path is kept, so that "https://api.example.com/v2" has its session
// at /v2/session. A URL that is not https, nor http to a loopback address, is an
// error that Is [ErrInsecureURL].
//
// The credentials are asked for at each Create; without any, Create is an error
// and the other calls work. hc carries the calls, nil stands for an http.Client
// without a time-out of its own: bound the calls by their context.
func NewClient(baseURL string, c CredentialsProvider, hc *http.Client) (*Client, error) {
	return Protocol{}.NewClient(baseURL, c, hc)
}

// Create signs in: for PacerPro POST /session with the e-mail address and the
// password.
func (c *Client) Create(ctx context.Context) (Session, error) {
	credentials, err := c.retrieve(ctx)
	if err != nil {
		return Session{}, err
	}
	return c.create(ctx, credentials)
}

// Refresh trades a session for one that expires later: for PacerPro GET /session.
// Where there is no way to do that, the error Is [ErrUnauthorized], as that of a
// server that refuses.
func (c *Client) Refresh(ctx context.Context, s Session) (Session, error) {
	if err := checkToken(s.Token); err != nil {
		return Session{}, c.fail(opRefresh, err)
	}
	if !c.renews(s) {
		return Session{}, c.fail(opRefresh, errNoRefresh)
	}
	credentials, err := c.retrieveFor(ctx, c.protocol.Refresh)
	if err != nil {
		return Session{}, err
	}
	return c.session(ctx, opRefresh, c.protocol.Refresh, s, credentials)
}

// Revoke logs out: for PacerPro DELETE /session, by which the API ends every
// session of the user, in every process and on every machine, and not only this
// one. Where there is no way to log out it does nothing.
func (c *Client) Revoke(ctx context.Context, s Session) error {
	if err := checkToken(s.Token); err != nil {
		return c.fail(opRevoke, err)
	}
	if c.protocol.LogOut == nil || !c.protocol.Has(c.protocol.LogOut, s.State) {
		return nil
	}
	credentials, err := c.retrieveFor(ctx, c.protocol.LogOut)
	if err != nil {
		return err
	}
	answer, err := c.call(ctx, opRevoke, c.protocol.LogOut, s, credentials)
	if text := bytes.TrimSpace(answer.body); err == nil && len(text) > 0 && exchange.IsPage(answer.header) && !json.Valid(text) {
		err = &unusableError{c.fail(opRevoke, fmt.Errorf("the answer (%d bytes of HTML) is a page for people, and judges nothing", len(answer.body))), false}
	}
	return err
}

// String names the API that the client calls.
func (c Client) String() string { return "jwtsession.Client(" + c.host() + ")" }

// host is the API's, with its port if the base URL has one.
func (c *Client) host() string {
	_, rest, _ := strings.Cut(c.baseURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// Format prints what String returns, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// retrieve asks for the credentials of a sign-in. Its errors are the provider's
// own: there has been no call to the server.
func (c *Client) retrieve(ctx context.Context) (Credentials, error) {
	return c.retrieveFor(ctx, c.protocol.SignIn)
}

// retrieveFor asks for the credentials if a request has something of them in it.
// A sign-in always has: whose it is.
func (c *Client) retrieveFor(ctx context.Context, r *exchange.Request) (Credentials, error) {
	if r != c.protocol.SignIn && !c.protocol.NamesCredentials(r) {
		return Credentials{}, nil
	}
	if c.credentials == nil {
		return Credentials{}, &unusableError{errors.New("jwtsession: no credentials to sign in with: give NewClient a CredentialsProvider"), true}
	}
	credentials, err := c.credentials(ctx)
	if err != nil {
		err = credentials.redactor(Session{}).error(err)
	} else {
		err = check(c.protocol, r, credentials)
	}
	if err != nil {
		return Credentials{}, &unusableError{&callError{"get the credentials for " + c.host(), err}, true}
	}
	return credentials, nil
}

// create signs in with credentials that retrieve returned. Only now is a one-time
// code missed: a session in a cache needs none.
func (c *Client) create(ctx context.Context, credentials Credentials) (Session, error) {
	if credentials.OneTimeCode == "" && c.protocol.SignIn.Names(exchange.Code) {
		return Session{}, &unusableError{c.fail(opCreate, ErrOneTimeCode), true}
	}
	return c.session(ctx, opCreate, c.protocol.SignIn, Session{}, credentials)
}

// session makes a call that is answered with a session. The old one is that which
// is refreshed.
func (c *Client) session(ctx context.Context, op operation, r *exchange.Request, old Session, credentials Credentials) (Session, error) {
	start := c.clock().Round(0)
	answer, err := c.call(ctx, op, r, old, credentials)
	if err != nil {
		return Session{}, err
	}
	found, err := c.protocol.Read(answer.header, answer.body)
	if err != nil {
		kind := credentials.redactor(old).quote(answer.header.Get("Content-Type"))
		return Session{}, c.fail(op, answer.failed(fmt.Errorf("the answer (%d bytes of %q) %w: %w", len(answer.body), kind, err, ErrMalformedToken)))
	}
	if found.Token == "" && op == opRefresh && c.protocol.FixedLife() > 0 {
		found.Token = old.Token
	}
	if err := checkToken(found.Token); err != nil {
		if names := exchange.Names(answer.body); found.Token == "" && len(names) > 0 {
			err = fmt.Errorf("%w at %s; the answer has %s", err, c.protocol.TokenPath(), credentials.redactor(old).quote(strings.Join(names, ", ")))
		}
		return Session{}, c.fail(op, answer.failed(err))
	}
	var values exchange.Values
	if op == opCreate {
		values = credentials.values()
	}
	claims := lifetime.OfToken(found.Token)
	expiry := lifetime.Earlier(claims.Expiry, lifetime.Read(found.ExpiresAt))
	clock := lifetime.Answer{Start: start, End: c.clock(), ServerTime: lifetime.ServerTime(answer.header)}
	s := Session{
		Token:     found.Token,
		ExpiresAt: clock.Local(expiry, claims.IssuedAt),
		State:     c.protocol.State(old.State, found, values),
	}
	if found.Life > 0 {
		s.ExpiresAt = lifetime.Earlier(s.ExpiresAt, start.Add(found.Life).UTC())
	}
	if c.renewableFor > 0 {
		s.RenewableUntil = start.Add(c.renewableFor).UTC()
	}
	if _, err := c.carry(s); err != nil {
		return Session{}, c.fail(op, answer.failed(fmt.Errorf("%w: %w", err, ErrMalformedToken)))
	}
	return s, nil
}

// answer is a success, read to its end.
type answer struct {
	header http.Header
	body   []byte
	*delivery
}

// call makes one call, for a session unless it is a sign-in.
func (c *Client) call(ctx context.Context, op operation, r *exchange.Request, s Session, credentials Credentials) (answer, error) {
	secrets := credentials.redactor(s)
	req, err := c.request(ctx, op, r, s, credentials)
	if err != nil {
		return answer{}, &unusableError{c.fail(op, err), true}
	}
	var way *delivery
	if op == opRefresh {
		way = &delivery{uses: c.protocol.Rotates()}
		req = way.watch(req)
	}
	calls := c.http()
	res, err := calls.Do(req)
	defer func() {
		if err != nil && isTimeout(err) {
			calls.CloseIdleConnections() // the next attempt may be met with the same silence on another of them
		}
	}()
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // what it adds is said by fail
		}
		return answer{}, c.fail(op, way.failed(secrets.error(err)))
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, largestAnswer))
	if res.StatusCode/100 != 2 {
		if found, err := c.protocol.Read(res.Header, text); err == nil && c.protocol.TokenPath() != "body" && checkToken(found.Token) == nil {
			secrets = credentials.redactor(s, append(slices.Collect(maps.Values(found.Kept)), found.Token)...) // a session all the same
		}
		return answer{}, newAPIError(op, c.host(), res, text, secrets, c.clock())
	}
	if err != nil {
		return answer{}, c.fail(op, way.failed(fmt.Errorf("read the answer: %w", secrets.error(err))))
	}
	return answer{res.Header, text, way}, nil
}

// http returns the caller's client with the transport of session calls. It is
// built for each call: a source at rest keeps none.
func (c *Client) http() *http.Client {
	var calls http.Client
	if c.caller != nil {
		calls = *c.caller
	}
	calls.Transport = &unfollowed{c.base}
	return &calls
}

// request builds the request of a call.
func (c *Client) request(ctx context.Context, op operation, r *exchange.Request, s Session, credentials Credentials) (*http.Request, error) {
	values := c.protocol.Kept(s.State)
	var carrier *exchange.Carrier
	if op != opCreate {
		var err error
		if carrier, err = c.carry(s); err != nil {
			return nil, err
		}
		values[exchange.Token] = s.Token
	}
	maps.Copy(values, credentials.values())
	req, err := r.New(ctx, c.baseURL, values, carrier)
	if err != nil {
		return nil, err
	}
	if req.Header["User-Agent"] == nil {
		req.Header.Set("User-Agent", "jwtsession/"+Version)
	}
	if req.Header["Accept"] == nil && op != opRevoke {
		req.Header.Set("Accept", jsonContentType)
	}
	return req, nil
}

// unfollowed hides where a redirect leads from http.Client, which then has
// nothing to follow. Asked not to, by its CheckRedirect, it still makes an error
// of a target that it cannot read, and quotes it there.
type unfollowed struct{ base http.RoundTripper }

// targetOf is where it puts the target: no header can have such a name.
const targetOf = "Location (not followed)"

func (u *unfollowed) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := u.base.RoundTrip(req)
	if res != nil && res.Request == nil {
		res.Request = req
	}
	if res == nil || res.Header["Location"] == nil {
		return res, err
	}
	hidden := *res
	hidden.Header = res.Header.Clone()
	hidden.Header[targetOf] = hidden.Header["Location"]
	delete(hidden.Header, "Location")
	return &hidden, err
}

// CloseIdleConnections passes on.
func (u *unfollowed) CloseIdleConnections() {
	if base, ok := u.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// fail says what was tried, and where.
func (c *Client) fail(op operation, err error) error {
	return &callError{op.String() + " at " + c.host(), err}
}

// checkToken refuses what must not, or cannot, stand in an Authorization header.
// Its errors give the token's length and nothing else of it.
func checkToken(token string) error {
	if token == "" {
		return fmt.Errorf("%w: there is none", ErrMalformedToken)
	}
	if len(token) > longestToken {
		return fmt.Errorf("%w: %d bytes, more than %d", ErrMalformedToken, len(token), longestToken)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return fmt.Errorf("%w: %d bytes, not all of them visible ASCII", ErrMalformedToken, len(token))
		}
	}
	return nil
}
