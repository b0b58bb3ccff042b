package jwtsession

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/internal/origin"
)

// Protocol describes how an API hands out sessions, for those that are not
// PacerPro's, whose protocol the zero value is. Package protocols has some that
// are ready to be used.
//
// SignIn, Refresh and LogOut are requests as one writes them in an .http file: a
// line with the method and the path, which is below that of the base URL, lines
// with headers, an empty line, and the body. What they are filled in with stands
// in braces:
//
//	{email} {password} {code}   of the [Credentials]; {code} in SignIn only
//	{basic}                     the first two as for Authorization: Basic {basic}
//	{tenant}                    or whatever other name is in Credentials.Extra
//	{token}                     of the session; not in SignIn
//	{refresh}                   or whatever other name is in Keep; not in SignIn
//
// Each is escaped for where it stands: in a string of JSON, in a form, in a path,
// in a query. A value that cannot stand there, a line break in a header for
// instance, is an error. A body that begins with { or [ is JSON, any other a form,
// unless a Content-Type says something else.
//
// What is wrong with a description is an error of [New] and of NewClient; what
// only the credentials tell, as the names in Extra, is one of the sign-in, before
// anything is sent.
type Protocol struct {
	// SignIn brings a session. Refresh brings one that expires later, in place of
	// one that may have expired already; without it the end of a session is a
	// sign-in. LogOut ends a session at the server; without it Revoke forgets the
	// session, and nothing more.
	//
	// Refresh and LogOut carry what Send says, unless they name {token} or something
	// of Keep themselves. Where they name something of the credentials, the provider
	// is asked for them.
	SignIn, Refresh, LogOut string

	// Token is where the answers have the token: a path into JSON as
	// "data.access_token" or "errors.0.code", "header:X-Subject-Token",
	// "cookie:SID", or "body", which is a text or a JSON string.
	Token string

	// ExpiresAt is where they have the time at which the token expires: as RFC 3339
	// has it, or in seconds or milliseconds since 1970.
	ExpiresAt string

	// ExpiresIn is where they have how many seconds the token lives, followed by
	// " ms" if it is milliseconds; or it is a fixed life: "2h". The earliest of all
	// that is known counts, the token's own exp included.
	//
	// With a fixed life an answer to Refresh needs no token: it prolongs the one that
	// there is.
	ExpiresIn string

	// Keep is what else of the answers is to be kept, by the name that it has in
	// braces: a refresh token, a CSRF token. The latest answer that has it counts.
	Keep map[string]string

	// RenewableFor is how long Refresh works, from an answer on, although the token
	// has expired: the life of a refresh token. Zero stands for the token's life.
	RenewableFor time.Duration

	// Send is how requests carry the session: headers as "X-Auth-Token: {token}", a
	// cookie as "Cookie: SID={token}", which joins the request's own cookies, a part
	// of the query as "?sid={token}". Empty stands for "Authorization: Bearer
	// {token}". What it names of Extra is kept with the session.
	//
	// An [oauth2.Transport] can send an Authorization header that ends with a space
	// and the token, and nothing else. In place of any other, of "Authorization: Token
	// token={token}" for instance, it sends a Bearer token: use [Transport].
	Send []string

	// Rejects are the statuses that mean that the server does not know the session
	// any more; empty stands for 401. One that means other things, too, costs a
	// refresh each time.
	Rejects []int
}

var _ exchange.Description = Protocol{} // has the same fields

// pacerPro is what the zero Protocol stands for.
var pacerPro = sync.OnceValue(func() *exchange.Exchange {
	e, err := exchange.Parse(exchange.PacerPro)
	if err != nil {
		panic(err)
	}
	return e
})

func (p Protocol) isZero() bool {
	return p.SignIn == "" && p.Refresh == "" && p.LogOut == "" && p.Token == "" && p.ExpiresAt == "" && p.ExpiresIn == "" &&
		len(p.Keep) == 0 && p.RenewableFor == 0 && len(p.Send) == 0 && len(p.Rejects) == 0
}

// NewClient returns a client that speaks the protocol to the API at baseURL, as
// the function NewClient does for PacerPro's.
func (p Protocol) NewClient(baseURL string, c CredentialsProvider, hc *http.Client) (*Client, error) {
	client := &Client{protocol: pacerPro(), clock: time.Now}
	if !p.isZero() {
		if baseURL == "" {
			return nil, errors.New("jwtsession: a Protocol needs the URL of its API: set Config.BaseURL")
		}
		described, err := exchange.Shared(p)
		if err != nil {
			return nil, fmt.Errorf("jwtsession: %w", err)
		}
		client.protocol, client.renewableFor, client.described = described, p.RenewableFor, true
	}
	base, err := origin.ParseURL(cmp.Or(baseURL, DefaultBaseURL))
	if err != nil {
		return nil, err
	}
	client.baseURL = strings.TrimRight(base.String(), "/")
	if client.baseURL == baseURL {
		client.baseURL = baseURL // of many clients one copy is enough
	}
	if c != nil {
		client.credentials = c.Retrieve
	}
	client.carriers = newCarriers(hc)
	return client, nil
}

// Sign puts the session into a request, as Protocol.Send says. A session that
// cannot be sent leaves the request as it is.
func (c *Client) Sign(req *http.Request, s Session) {
	if carrier, err := c.carry(s); err == nil {
		carrier.Sign(req)
	}
}

// Rejects reports whether the answer is one of those of Protocol.Rejects.
func (c *Client) Rejects(res *http.Response) bool { return c.protocol.Rejects(res.StatusCode) }

// carry builds what carries a session, to be used for all its requests (H6).
func (c *Client) carry(s Session) (*exchange.Carrier, error) {
	if err := checkToken(s.Token); err != nil {
		return nil, err
	}
	return c.protocol.Carrier(s.Token, s.State)
}

// tokenType is how an Authorization header begins that carries the token and
// nothing else, and empty if the protocol has none (O6).
func (c *Client) tokenType() string { return c.protocol.Scheme() }

// renews reports whether there is a way to refresh a session (O1). If there is
// none, Refresh says that the server refuses.
func (c *Client) renews(s Session) bool {
	return c.protocol.Refresh != nil && c.protocol.Has(c.protocol.Refresh, s.State)
}

// identity is whose entry of a cache is meant, besides the base URL: a name, and a
// secret, which nobody else has in common (C2, O4). Of PacerPro's protocol they
// are the e-mail address and the password.
func (c *Client) identity(credentials Credentials) (name, secret string) {
	if !c.described && len(credentials.Extra) == 0 {
		return credentials.Email, credentials.Password
	}
	parts := []string{credentials.Password, ""}
	if c.described {
		parts[1] = c.protocol.Identity()
	}
	return credentials.Email, joined(append(parts, credentials.extra()...)...)
}

// joined is the parts in one, each behind its length, so that no two lists of
// parts are the same text.
func joined(parts ...string) string {
	var all []byte
	for _, part := range parts {
		all = append(binary.AppendUvarint(all, uint64(len(part))), part...)
	}
	return string(all)
}

// check says what a request needs of the credentials and they do not have.
func check(protocol *exchange.Exchange, r *exchange.Request, c Credentials) error {
	needs := func(name string) bool { return r.Names(name) || r.Names(exchange.Basic) }
	switch {
	case c.Email == "" && needs(exchange.Email):
		return errors.New("jwtsession: the credentials have no e-mail address: set Credentials.Email")
	case c.Password == "" && needs(exchange.Password):
		return errors.New("jwtsession: the credentials have no password: set Credentials.Password")
	}
	if err := c.checkEncoding(); err != nil {
		return err
	}
	if err := protocol.CheckExtra(c.Extra); err != nil {
		return fmt.Errorf("jwtsession: %w", err)
	}
	return nil
}

// values are what stands for the placeholders of the credentials.
func (c Credentials) values() exchange.Values {
	values := exchange.Values(maps.Clone(c.Extra))
	if values == nil {
		values = exchange.Values{}
	}
	values[exchange.Email], values[exchange.Password], values[exchange.Code] = c.Email, c.Password, c.OneTimeCode
	return values
}

// extra is Extra in one order.
func (c Credentials) extra() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		all = append(all, name, c.Extra[name])
	}
	return all
}

// errNoRefresh is what Refresh says where there is none: it is as good as a
// refusal.
var errNoRefresh error = noRefresh{}

type noRefresh struct{}

func (noRefresh) Error() string {
	return "the protocol has no way to renew this session: it is to be signed in anew"
}
func (noRefresh) Is(target error) bool { return target == ErrUnauthorized }

// sentError is a failed refresh, and whether the server may have got it.
type sentError struct {
	err  error
	sent bool
}

func (e *sentError) Error() string { return e.err.Error() }
func (e *sentError) Unwrap() error { return e.err }

// WasSent reports whether what the refresh uses up, a refresh token for instance,
// may be used up by now (O3). It is false for a refresh that uses up nothing.
func (e *sentError) WasSent() bool { return e.sent }

// delivery is how far a refresh came.
type delivery struct {
	uses           bool // up what it sends: it must not be sent twice (O3)
	mu             sync.Mutex
	begun, written bool
}

// watch returns the request so that it can be told how far it came. What is sent
// again by net/http itself is a request of which nothing was written, or one
// without a body whose method may be repeated: that has a body now, which is empty.
func (d *delivery) watch(req *http.Request) *http.Request {
	d.begun = req.Context().Err() != nil // and ends before it tells anything
	note := func(written bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.begun, d.written = true, written
	}
	watched := req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn:      func(string) { note(false) },
		WroteRequest: func(httptrace.WroteRequestInfo) { note(true) },
	}))
	if d.uses && req.Method == http.MethodGet && req.Body == nil {
		watched.Body = io.NopCloser(strings.NewReader(""))
	}
	return watched
}

// failed marks the error of a refresh. A transport that does not tell may have
// sent it. Of other calls there is nothing to know.
func (d *delivery) failed(err error) error {
	if d == nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return &sentError{err, d.uses && (d.written || !d.begun)}
}
