package jwtsession

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// Session is what a server issues: a token, and until when it is good.
//
// However it is printed, encoded as JSON or logged, the token and the state are
// left out; in an unexported field of a struct fmt shows them all the same, see
// [Credentials]. Read the fields themselves to use them.
type Session struct {
	// Token is the JWT, or whatever else the server wants to see as a bearer
	// token: visible ASCII characters, at most 16 KiB of them.
	Token string

	// ExpiresAt is when the token expires, by the local clock. Zero means that
	// nobody knows: the session then lasts until the server rejects it.
	ExpiresAt time.Time

	// State is what the issuer wants back at Refresh and Revoke: a refresh token,
	// for instance. It is opaque to the token source, which seals it in caches,
	// never prints it, and never sends it with a request.
	State string

	// RenewableUntil is how long Refresh may work although the token has expired.
	// Zero stands for ExpiresAt: a session that has expired is signed in anew.
	RenewableUntil time.Time
}

// String gives the expiry and leaves out the token and the state.
func (s Session) String() string {
	return fmt.Sprintf("{Token:%s ExpiresAt:%s}", redacted, s.ExpiresAt.Format(time.RFC3339))
}

// Format prints what String returns, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what slog prints: the expiry.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.Time("expiresAt", s.ExpiresAt))
}

// MarshalJSON leaves out the token and the state.
func (s Session) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Token     string
		ExpiresAt time.Time
	}{redacted, s.ExpiresAt})
}

// secrets are what no text from outside may have a part of while a call is made
// with this session: the token, and the values in the state.
func (s Session) secrets() []string { return append(stateSecrets(s.State), s.Token) }

// stateSecrets are the values in a state that is JSON, without their names; any
// other state is one itself.
func stateSecrets(state string) []string {
	var all any
	decoder := json.NewDecoder(strings.NewReader(state))
	decoder.UseNumber()
	if decoder.Decode(&all) != nil || decoder.More() {
		return []string{state}
	}
	return valuesIn(all)
}

func valuesIn(v any) (values []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case []any:
		for _, each := range v {
			values = append(values, valuesIn(each)...)
		}
	case map[string]any:
		for _, each := range v {
			values = append(values, valuesIn(each)...)
		}
	}
	return values
}

// Issuer speaks a server's session protocol: it is the seam for protocols other
// than PacerPro's, which [Client] speaks. A [TokenSource] calls one method at a
// time, and decides when; an issuer neither retries nor keeps anything.
//
// The methods should return soon after their context ends. A token source
// abandons a call that does not, and drops what it brings later.
//
// Which errors are worth a retry is told by the errors themselves: one that Is
// [ErrInvalidCredentials] or [ErrUnauthorized], or an [*APIError] with a 4xx
// status other than 408, 425 and 429, is the server's last word. All others,
// those of the network for instance, are retried.
type Issuer interface {
	// Create signs in.
	Create(ctx context.Context) (Session, error)

	// Refresh trades a session for one that expires later. It lives, or can be
	// renewed still by its RenewableUntil. A State that was used up by the call is
	// not sent again if the answer was lost: an error may tell by a method
	// WasSent() bool that the request never left, and without one it is taken for
	// sent unless no connection came about.
	Refresh(ctx context.Context, s Session) (Session, error)

	// Revoke ends the session at the server. That it has ended already is an
	// error that Is ErrUnauthorized, and as good.
	Revoke(ctx context.Context, s Session) error
}

// Signer is what an [Issuer] may implement as well, where requests carry the
// session in another way than as "Authorization: Bearer", or where another
// status than 401 means that the server does not know the session any more.
// Its methods are called concurrently, once for each request, and must not block.
type Signer interface {
	// Sign puts the session into req, which is the transport's own copy of the
	// request.
	Sign(req *http.Request, s Session)

	// Rejects reports whether the answer says that the session has ended. It must
	// not read the body.
	Rejects(res *http.Response) bool
}

// DefaultBaseURL is PacerPro's production API.
const DefaultBaseURL = "https://api.pacerpro.com/v1"

const (
	sessionPath     = "/session"
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
	baseURL      string // without a slash at the end
	host         string
	credentials  func(context.Context) (Credentials, error) // a function, which nobody can print; nil: none
	http         http.Client
	clock        func() time.Time
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
	_, err = c.call(ctx, opRevoke, c.protocol.LogOut, s, credentials)
	return err
}

// String names the API that the client calls.
func (c Client) String() string { return "jwtsession.Client(" + c.host + ")" }

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
		return Credentials{}, &unusableError{&callError{"get the credentials for " + c.host, err}, true}
	}
	return credentials, nil
}

// create signs in with credentials that retrieve returned.
func (c *Client) create(ctx context.Context, credentials Credentials) (Session, error) {
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
	if found.Token == "" && op == opRefresh && c.protocol.Fixed() {
		found.Token = old.Token
	}
	if err := checkToken(found.Token); err != nil {
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
	res, err := c.http.Do(req)
	defer func() {
		if err != nil && isTimeout(err) {
			c.http.CloseIdleConnections() // the next attempt may be met with the same silence on another of them
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
		return answer{}, newAPIError(op, c.host, res, text, secrets, c.clock())
	}
	if err != nil {
		return answer{}, c.fail(op, way.failed(fmt.Errorf("read the answer: %w", secrets.error(err))))
	}
	return answer{res.Header, text, way}, nil
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

func (u unfollowed) RoundTrip(req *http.Request) (*http.Response, error) {
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
func (u unfollowed) CloseIdleConnections() {
	if base, ok := u.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// fail says what was tried, and where.
func (c *Client) fail(op operation, err error) error {
	return &callError{op.String() + " at " + c.host, err}
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
