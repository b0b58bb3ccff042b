//go:build linux

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	sessionPath = "/v1/session"
	elsewhere   = "/elsewhere" // is redirected to a foreign host
)

// call is one that an API got from a worker.
type call struct {
	span
	op      sessiontest.Op
	address string // the worker's
	status  int    // zero: it was not answered, or in part, or to nobody
	wait    time.Duration

	isLeft atomic.Bool // by who asked: it has run out of time
}

// front is the API of a fleet: a box, before which each call is noted.
type front struct {
	listener net.Listener
	server   *http.Server
	foreign  string // the URL of a foreign host
	judge    *judge
	slow     atomic.Int64 // how long a body takes

	mu  sync.Mutex // guards box
	box *sessiontest.Server
}

func newFront(foreign string, j *judge) (*front, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &front{listener: listener, foreign: foreign, judge: j}
	f.server = &http.Server{Handler: f, ErrorLog: quietLog}
	go f.server.Serve(listener)
	return f, f.move(0)
}

// move puts a new box, which knows no session, in the place of the old one.
func (f *front) move(skew time.Duration) error {
	box, err := sessiontest.Start(sessiontest.WithTokenLife(life), sessiontest.WithClockSkew(skew))
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.box
	f.box = box
	f.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

func (f *front) current() *sessiontest.Server {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.box
}

func (f *front) close() {
	f.current().Close()
	f.server.Close()
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	c := &call{span: span{Begin: time.Now()}, op: sessiontest.OpResource, address: address}
	switch r.URL.Path {
	case "/v1" + elsewhere:
		http.Redirect(w, r, f.foreign, http.StatusFound)
		return
	case sessionPath:
		c.op = map[string]sessiontest.Op{"POST": sessiontest.OpCreate, "GET": sessiontest.OpRefresh, "DELETE": sessiontest.OpRevoke}[r.Method]
	}
	answer := &answer{ResponseWriter: w, slow: time.Duration(f.slow.Load())}
	f.judge.began(c)
	defer context.AfterFunc(r.Context(), func() { c.isLeft.Store(true) })()
	whole := false
	defer func() {
		c.End = time.Now()
		if whole && !c.isLeft.Load() {
			c.status = answer.status
		}
		seconds, _ := strconv.Atoi(w.Header().Get("Retry-After"))
		c.wait = time.Duration(seconds) * time.Second
		f.judge.ended(c)
	}()
	f.current().ServeHTTP(answer, r)
	whole = true
}

// answer notes the status of an answer, and may write it slowly.
type answer struct {
	http.ResponseWriter
	status int
	slow   time.Duration
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(body []byte) (n int, err error) {
	const parts = 4
	for size := (len(body) + parts - 1) / parts; a.slow > 0 && len(body) > size && err == nil; body = body[size:] {
		_, err = a.ResponseWriter.Write(body[:size])
		n += size
		http.NewResponseController(a.ResponseWriter).Flush()
		time.Sleep(a.slow / parts)
	}
	if err != nil {
		return n, err
	}
	last, err := a.ResponseWriter.Write(body)
	return n + last, err
}

// foreign is a host that nothing secret may reach: not the token, although it is
// redirected to with one (H1), and not the password (S2).
func foreign(breaks func(string, ...any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var seen strings.Builder
		seen.WriteString(r.URL.String())
		r.Header.Write(&seen)
		seen.Write(body)
		if r.Header.Get("Authorization") != "" || showsSecret(seen.String()) != "" {
			breaks("H1: a foreign host got a secret, with %s %s", r.Method, r.URL.Path)
		}
		io.WriteString(w, "{}")
	}
}
