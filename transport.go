package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/internal/contained"
)

// longestRejection is how much of a 401's body is kept while a newer token is
// sought; what is beyond it stays on its connection.
const longestRejection = 64 << 10

// Transport is an http.RoundTripper that signs its requests in: those to the
// source's origins carry the session, all others pass untouched, so that a
// redirect to a foreign host takes no token along.
//
// A 401 to a request that carried the token, or what a [Signer] counts as one,
// makes the session doubted: the server is asked to renew it before anybody uses
// it again. The request is then sent once more, if it has no body, one that
// GetBody can give again, or one of which nothing has been read; else, and if
// there is no newer session to be had, the 401 goes to the caller as it came.
//
// It is safe for concurrent use.
type Transport struct {
	// Source gives the token. It is required.
	Source *TokenSource

	// Base carries the requests; nil stands for http.DefaultTransport.
	Base http.RoundTripper
}

// RoundTrip carries out one request. It never changes req: what carries the
// session is a copy, in which the token replaces an Authorization header of the
// caller's. The wait for a token ends with req's context.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.Source == nil {
		return refuse(req, errors.New("jwtsession: Transport has no Source: set it to what New returned"))
	}
	if req.URL == nil {
		return refuse(req, errors.New("jwtsession: the request has no URL"))
	}
	target, err := t.Source.signs(req)
	if err != nil {
		return refuse(req, err)
	}
	if target == nil {
		return t.base().RoundTrip(req)
	}
	s, err := t.Source.acquire(req.Context())
	if err != nil {
		return refuse(req, err)
	}
	first, err := t.Source.authorize(req, target, s)
	if err != nil {
		return refuse(req, err)
	}
	var unread *unreadBody
	if hasBody(req) && req.GetBody == nil {
		unread = &unreadBody{body: req.Body}
		first.Body = unread
	}
	res, err := t.base().RoundTrip(first)
	res = s.unsigned(res)
	if err != nil || !t.Source.rejects(res) {
		unread.settle(false)
		return res, s.hide(err)
	}
	t.Source.reject(s)
	if hasBody(req) && req.GetBody == nil && !unread.settle(true) {
		return res, nil
	}
	return t.sendAgain(req, target, res, s, unread != nil)
}

// sendAgain answers a 401 with a second request if there is a newer session, and
// else with the 401. The caller's body is ours to close if it is untouched.
func (t *Transport) sendAgain(req *http.Request, target *url.URL, rejection *http.Response, rejected *snapshot, untouched bool) (*http.Response, error) {
	// The sign-in may need the connection that the 401 came on.
	release(req.Context(), rejection)
	newer, err := t.Source.acquire(req.Context())
	var again *http.Request
	if err == nil && newer.issued > rejected.issued { // the same token may have been renewed
		again, err = t.Source.authorize(req, target, newer)
	}
	if again != nil && hasBody(req) && !untouched {
		again.Body, err = req.GetBody()
	}
	if again == nil || err != nil {
		if untouched {
			req.Body.Close()
		}
		return rejection, nil
	}
	rejection.Body.Close()
	res, err := t.base().RoundTrip(again)
	if err == nil && t.Source.rejects(res) {
		t.Source.reject(newer)
	}
	return newer.unsigned(res), newer.hide(err)
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// CloseIdleConnections passes on to Base.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// signs returns the URL that a request is sent to with the session; nil if no
// origin that may see the token is there.
func (ts *TokenSource) signs(req *http.Request) (*url.URL, error) {
	for _, o := range ts.origins {
		if u := o.Match(req.URL); u != nil {
			return u, nil
		}
	}
	if len(ts.origins) == 0 {
		return nil, errors.New("jwtsession: no origin may see the token: set Config.BaseURL, or Config.Origins, beside the Issuer")
	}
	return nil, nil
}

// copied returns a copy of a request, and room for the values of so many headers
// in the same allocation: what a base writes into them is nobody else's.
func copied(req *http.Request, headers int) (*http.Request, []string) {
	if headers <= 5 { // as most programs send
		c := &struct {
			request http.Request
			values  [5]string
		}{request: *req}
		return &c.request, c.values[:0]
	}
	c := &struct {
		request http.Request
		values  [11]string
	}{request: *req}
	return &c.request, c.values[:0]
}

// authorize returns a copy of the request that carries the session to its target.
// It shares what it does not change.
func (ts *TokenSource) authorize(req *http.Request, target *url.URL, s *snapshot) (*http.Request, error) {
	signed, values := copied(req, len(req.Header)+1)
	signed.URL = target
	header := make(http.Header, len(req.Header)+1)
	signed.Header = header
	for name, all := range req.Header {
		if s.replaces(name) { // spelled as it may, it would be sent along
			continue
		}
		start := len(values)
		values = append(values, all...)
		header[name] = values[start:len(values):len(values)]
	}
	put := func(name, value string) {
		start := len(values)
		values = append(values, value)
		header[name] = values[start:len(values):len(values)]
	}
	switch {
	case s.carrier != nil:
		for _, field := range s.carrier.Header {
			put(field.Name, field.Value)
		}
		if len(s.carrier.Cookies) > 0 {
			put("Cookie", s.carrier.JoinCookies(req.Header))
		}
		if len(s.carrier.Query) > 0 {
			signed.URL = new(*target)
			signed.URL.RawQuery = s.carrier.JoinQuery(req.URL.RawQuery)
		}
	case s.signed != nil:
		signed.URL = new(*target)
		return signed, survive(func() { ts.signer().Sign(signed, *s.signed) })
	default:
		put(authorization, s.header)
	}
	return signed, nil
}

// replaces reports whether what carries the session takes the place of a header
// of the caller's.
func (s *snapshot) replaces(name string) bool {
	switch {
	case s.carrier != nil:
		return s.carrier.Replaces(name)
	case s.signed != nil:
		return false
	}
	return len(name) == len(authorization) && strings.EqualFold(name, authorization)
}

const authorization = "Authorization"

// rejects reports whether an answer says that the session has ended. A base may
// return nothing at all, which http.Client then has its own say about.
func (ts *TokenSource) rejects(res *http.Response) bool {
	if res == nil {
		return false
	}
	signer := ts.signer()
	if signer == nil {
		return res.StatusCode == http.StatusUnauthorized
	}
	says := false
	return survive(func() { says = signer.Rejects(res) }) == nil && says
}

// survive makes an error of a panic in a Signer (T15).
func survive(call func()) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &callError{"call the Signer", contained.Panicked(cause)}
		}
	}()
	call()
	return nil
}

// refuse closes the request's body, as a RoundTripper must on every path.
func refuse(req *http.Request, err error) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, err
}

// unreadBody is a request's body that cannot be had again. As long as nothing of
// it has been read it can be sent with another request (H3): until it is settled
// whether it is, a Close is put off.
type unreadBody struct {
	body io.ReadCloser

	mu                            sync.Mutex
	begun, closed, settled, taken bool
}

func (u *unreadBody) Read(p []byte) (int, error) {
	u.mu.Lock()
	over := u.taken || u.closed
	u.begun = u.begun || !over
	u.mu.Unlock()
	if over {
		return 0, http.ErrBodyReadAfterClose
	}
	return u.body.Read(p)
}

func (u *unreadBody) Close() error {
	u.mu.Lock()
	now := !u.closed && !u.taken && (u.begun || u.settled)
	u.closed = true
	u.mu.Unlock()
	if now {
		return u.body.Close()
	}
	return nil
}

// settle takes the body back if that is wanted and nothing of it has been read,
// and reports whether it has. Else it is the base's to close.
func (u *unreadBody) settle(take bool) bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	u.settled = true
	u.taken = take && !u.begun
	due := u.closed && !u.begun && !u.taken
	u.mu.Unlock()
	if due {
		u.body.Close()
	}
	return u.taken
}

// release reads the response's body into memory, up to a bound, so that its
// connection is free, and waits a moment for that. The response stays whole: what
// went wrong while reading is met again at the same place.
func release(ctx context.Context, res *http.Response) {
	if res.Body == nil {
		res.Body = http.NoBody
		return
	}
	r := &replay{body: res.Body, isRead: make(chan struct{})}
	res.Body = r
	go r.read()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.isRead:
	case <-timer.C: // a server that says 401 and never ends must not keep its caller
	case <-ctx.Done():
	}
}

// replay is a body of which the beginning is in memory.
type replay struct {
	body    io.ReadCloser
	closing sync.Once
	isRead  chan struct{} // closed when content is there
	content io.Reader
}

func (r *replay) read() {
	defer close(r.isRead)
	kept, err := contained.Call(func() ([]byte, error) { return io.ReadAll(io.LimitReader(r.body, longestRejection)) })
	if err == nil && len(kept) == longestRejection {
		r.content = io.MultiReader(bytes.NewReader(kept), r.body)
		return
	}
	if err == nil {
		err = io.EOF
	}
	contained.Call(func() (struct{}, error) { return struct{}{}, r.Close() })
	r.content = io.MultiReader(bytes.NewReader(kept), failing{err})
}

func (r *replay) Read(p []byte) (int, error) {
	<-r.isRead
	return r.content.Read(p)
}

func (r *replay) Close() (err error) {
	r.closing.Do(func() { err = r.body.Close() })
	return err
}

// failing is a reader at the point where its source failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
