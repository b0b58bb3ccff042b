package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// longestRejection is how much of a 401's body is kept while a newer token is
// sought; what is beyond it stays on its connection.
const longestRejection = 64 << 10

// Transport is an http.RoundTripper that signs its requests in: those to the
// source's origins carry the token, all others pass untouched, so that a
// redirect to a foreign host takes no token along.
//
// A 401 to a request that carried the token drops that token. Once there is a
// newer one the request is sent again, once, if it has no body or one that
// GetBody can give again; else, and if there is no newer token to be had, the
// 401 goes to the caller as it came.
//
// It is safe for concurrent use.
type Transport struct {
	// Source gives the token. It is required.
	Source *TokenSource

	// Base carries the requests; nil stands for http.DefaultTransport.
	Base http.RoundTripper
}

// RoundTrip carries out one request. It never changes req: what carries the
// token is a copy, in which the token replaces an Authorization header of the
// caller's. The wait for a token ends with req's context.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.Source == nil {
		return refuse(req, errors.New("jwtsession: Transport has no Source: set it to what New returned"))
	}
	if req.URL == nil {
		return refuse(req, errors.New("jwtsession: the request has no URL"))
	}
	signed, err := t.Source.signs(req)
	if err != nil {
		return refuse(req, err)
	}
	if !signed {
		return t.base().RoundTrip(req)
	}
	s, err := t.Source.acquire(req.Context())
	if err != nil {
		return refuse(req, err)
	}
	res, err := t.base().RoundTrip(authorize(req, s))
	if err != nil || !isRejection(res) {
		return res, err
	}
	t.Source.reject(s)
	return t.sendAgain(req, res, s)
}

// isRejection tells a 401. A base may return nothing at all, or no body, which
// http.Client then has its own say about.
func isRejection(res *http.Response) bool {
	return res != nil && res.StatusCode == http.StatusUnauthorized
}

// sendAgain answers a 401 with a second request if there is a newer token and a
// body to send, and else with the 401.
func (t *Transport) sendAgain(req *http.Request, rejection *http.Response, rejected *snapshot) (*http.Response, error) {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return rejection, nil
	}
	// The sign-in may need the connection that the 401 came on.
	release(req.Context(), rejection)
	newer, err := t.Source.acquire(req.Context())
	if err != nil || newer.Issued <= rejected.Issued {
		return rejection, nil
	}
	again := authorize(req, newer)
	if req.GetBody != nil && req.Body != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return rejection, nil
		}
	}
	rejection.Body.Close()
	res, err := t.base().RoundTrip(again)
	if err == nil && isRejection(res) {
		t.Source.reject(newer)
	}
	return res, err
}

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

// signs reports whether a request goes to an origin that may see the token.
func (ts *TokenSource) signs(req *http.Request) (bool, error) {
	for _, o := range ts.origins {
		if o.matches(req.URL) {
			return true, nil
		}
	}
	if len(ts.origins) == 0 {
		return false, errors.New("jwtsession: no origin may see the token: set Config.BaseURL, or Config.Origins, beside the Issuer")
	}
	return false, nil
}

// authorize returns a copy of the request that carries the token. It shares all
// that it does not change; the values of the headers are shared without room to
// append to.
func authorize(req *http.Request, s *snapshot) *http.Request {
	signed := new(http.Request)
	*signed = *req
	signed.Header = make(http.Header, len(req.Header)+1)
	for name, values := range req.Header {
		if len(name) == len("Authorization") && strings.EqualFold(name, "Authorization") {
			continue // spelled as it may, it would be sent along
		}
		signed.Header[name] = values[:len(values):len(values)]
	}
	signed.Header["Authorization"] = s.header
	return signed
}

// refuse closes the request's body, as a RoundTripper must on every path.
func refuse(req *http.Request, err error) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, err
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
	kept, err := io.ReadAll(io.LimitReader(r.body, longestRejection))
	if err == nil && len(kept) == longestRejection {
		r.content = io.MultiReader(bytes.NewReader(kept), r.body)
		return
	}
	if err == nil {
		err = io.EOF
	}
	r.Close()
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
