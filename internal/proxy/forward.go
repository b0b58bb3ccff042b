package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// headerPatience is how long an answer's header waits for the first part of its
// body, with which it makes one packet.
const headerPatience = 5 * time.Millisecond

// forwarder passes requests on to one API.
type forwarder struct {
	*Proxy
	*target
	base      *url.URL
	transport http.RoundTripper
	grpc      http.RoundTripper // where transport would not speak HTTP/2
	requests  headers
	answers   headers
	links     links
	bodies    *bodies
	paths     protocolPaths
}

// passage is one request on its way to the API, and the answer on its way back.
type passage struct {
	*forwarder
	*exchange
	cancel context.CancelCauseFunc
	asked  *url.URL // of the API

	mu    sync.Mutex // held while the answer is written
	timer *time.Timer
	phase phase
}

// phase is how far a passage has come.
type phase int

const (
	receiving phase = iota // the request, before anything is sent
	awaiting               // the answer's header
	heading                // it has been written, and waits for the body's first part
	streaming              // it has been sent, or nothing is to be
)

// forward passes a request on, whose path below the API's is given.
func (f *forwarder) forward(e *exchange, path *url.URL) {
	if slices.ContainsFunc(e.reading[:], f.paths.have) {
		e.refuse(&failure{http.StatusForbidden, "session", "The proxy looks after the session itself, which all its clients share: leave out signing in and out; every request is signed in.", 0})
		return
	}
	ctx, cancel := context.WithCancelCause(e.Context())
	defer cancel(nil)
	p := &passage{forwarder: f, exchange: e, cancel: cancel}
	p.timer = time.AfterFunc(longestBodyWait, p.expire)
	defer p.timer.Stop()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: p.inform})

	out, release, err := p.request(ctx, path)
	defer release()
	if err != nil {
		p.explain(ctx, err)
		return
	}
	p.mu.Lock()
	p.phase = awaiting
	p.timer.Reset(f.config.upstreamTimeout())
	p.mu.Unlock()
	base := f.transport
	if f.grpc != nil && isGRPC(e.Request) {
		base = f.grpc
	}
	res, recovered, err := roundTrip(f.source.Load(), base, out)
	if err != nil {
		p.explain(ctx, err)
		return
	}
	if recovered {
		e.recovered = true
		f.counts.recovered.Inc()
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		p.upgrade(res)
		return
	}
	p.answer(res)
}

// request is what goes to the API. Release is to be called once it has been
// answered. An error is the client's.
func (p *passage) request(ctx context.Context, path *url.URL) (out *http.Request, release func(), err error) {
	in := p.Request
	release = func() {}
	root := strings.TrimRight(p.base.Path, "/")
	to := &url.URL{Scheme: p.base.Scheme, Host: p.base.Host, Path: root + path.Path, RawQuery: in.URL.RawQuery, ForceQuery: in.URL.ForceQuery}
	if path.RawPath != "" || p.base.RawPath != "" {
		to.RawPath = strings.TrimRight(p.base.EscapedPath(), "/") + path.EscapedPath()
	}
	p.asked = to
	header := make(http.Header, len(in.Header)+4)
	p.requests.copy(header, in.Header)
	if _, has := header["User-Agent"]; !has {
		header["User-Agent"] = []string{""} // net/http has one of its own else
	}
	if isListed(in.Header["Te"], "trailers") {
		header["Te"] = []string{"trailers"}
	}
	if p.config.AllowUpgrade && p.isUpgrade() {
		header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	out = (&http.Request{Method: in.Method, URL: to, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, ContentLength: in.ContentLength}).WithContext(ctx)
	if p.body == nil {
		return out, release, nil
	}
	p.body.patient = isGRPC(in)
	p.body.progress = p.progress
	out.Body = p.body
	if len(in.Trailer) > 0 {
		p.expectTrailers(out)
	}
	if size := out.ContentLength; size > 0 && size <= largestKept {
		var content []byte
		content, release, err = p.forwarder.bodies.keep(p.body, size)
		if err != nil {
			return nil, release, err
		}
		if int64(len(content)) < size {
			out.Body = resumed{io.MultiReader(bytes.NewReader(content), p.body), p.body}
		} else {
			out.GetBody = func() (io.ReadCloser, error) { return again(content), nil }
			out.Body = again(content)
		}
		delete(header, "Expect") // the client has been told to go on
	}
	if !p.body.complete.Load() {
		// HTTP/1 else has the whole body before it lets the answer begin. Where this
		// is not possible, as in HTTP/2, it is not needed.
		_ = p.control().EnableFullDuplex()
	}
	return out, release, nil
}

// expectTrailers has those of the request pass that may, once its body has ended.
func (p *passage) expectTrailers(out *http.Request) {
	in := p.Request
	out.Trailer = http.Header{}
	for name := range in.Trailer {
		if p.requests.pass(name) {
			out.Trailer[name] = nil
		}
	}
	if len(out.Trailer) == 0 {
		out.Trailer = nil // none that was not announced can be sent
		return
	}
	// They are there once the body has been read beyond its length, and HTTP/1 sends
	// them after chunks alone.
	out.ContentLength, p.body.left = -1, -1
	p.body.atEnd = func() {
		for name := range out.Trailer {
			out.Trailer[name] = in.Trailer[name]
		}
	}
}

// progress is called when more of the request's body goes to the API.
func (p *passage) progress() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase == awaiting {
		p.timer.Reset(p.config.upstreamTimeout())
	}
}

// expire is called when nothing more should be waited for.
func (p *passage) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.phase {
	case awaiting:
		p.cancel(errAPITimeout)
	case heading:
		p.phase = streaming
		p.control().Flush()
	}
}

// inform passes on a 1xx, before the answer itself.
func (p *passage) inform(status int, header textproto.MIMEHeader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != awaiting || !p.ProtoAtLeast(1, 1) {
		return nil
	}
	to := p.Header()
	p.answers.copy(to, http.Header(header))
	p.links.lead(to, p.asked, ownOrigin(p.Request))
	p.WriteHeader(status)
	clear(to)
	return nil
}

// explain answers a request that the API did not.
func (p *passage) explain(ctx context.Context, err error) {
	p.mu.Lock()
	p.phase = streaming
	p.mu.Unlock()
	if p.body != nil {
		if failed := p.body.failed(); failed != nil {
			err = failed
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, errAPITimeout) {
		err = cause
	}
	isClients := p.body != nil && p.body.failed() != nil
	if p.Context().Err() != nil && !isClients {
		p.status = statusClientGone
		panic(http.ErrAbortHandler)
	}
	f := describe(p.base.Host, err)
	f.comeBackIn(p.counts.untilAttempt())
	if isClients && !errors.Is(err, errBodyStalled) {
		f = &failure{http.StatusBadRequest, "bad_request", "The request's body ended before its end, or is not well formed.", 0}
	}
	if f.status >= 500 {
		p.complain(p.base.Host, err)
	}
	p.failInstead(f)
}

// failInstead answers with a failure in place of the API's answer. A connection
// with a body on it that was not read to its end must not go on: net/http would
// read the rest after the handler, beside the request that follows.
func (p *passage) failInstead(f *failure) {
	if p.body != nil && !p.body.finish() {
		p.closeAfter(longestLinger)
	}
	p.fail(f)
}

// answer passes on what the API answered.
func (p *passage) answer(res *http.Response) {
	to := p.Header()
	p.answers.copy(to, res.Header)
	p.links.lead(to, p.asked, ownOrigin(p.Request))
	announced := p.announce(to, res)
	wantsAll := p.body == nil || p.body.complete.Load()
	if p.body != nil {
		p.body.answer()
		if !wantsAll {
			p.closeAfter(longestLinger)
		}
	}
	p.mu.Lock()
	p.WriteHeader(res.StatusCode)
	p.phase = heading
	if !wantsAll || len(res.Trailer) > 0 {
		p.phase = streaming
		p.control().Flush()
	} else {
		p.timer.Reset(headerPatience)
	}
	p.mu.Unlock()
	if err := p.copy(res); err != nil {
		panic(http.ErrAbortHandler) // so that the client sees that it is not all
	}
	for name, values := range res.Trailer {
		if !p.answers.pass(name) {
			continue
		}
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		to[name] = values
	}
}

// announce names the answer's trailers in its header.
func (p *passage) announce(to http.Header, res *http.Response) map[string]bool {
	if len(res.Trailer) == 0 {
		return nil
	}
	announced := map[string]bool{}
	for name := range res.Trailer {
		if p.answers.pass(name) {
			announced[name] = true
			to.Add("Trailer", name)
		}
	}
	return announced
}

// copy passes the answer's body on, each part as it comes.
func (p *passage) copy(res *http.Response) error {
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	for {
		n, err := res.Body.Read(buffer[:])
		if n > 0 {
			p.mu.Lock()
			p.phase = streaming
			_, failed := p.Write(buffer[:n])
			if failed == nil && err == nil {
				failed = p.flush()
			}
			p.mu.Unlock()
			if failed != nil {
				return failed
			}
		}
		if err == nil {
			continue
		}
		p.mu.Lock()
		p.phase = streaming
		p.mu.Unlock()
		if err == io.EOF {
			return nil
		}
		return fmt.Errorf("the API broke off: %w", err)
	}
}
