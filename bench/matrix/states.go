package main

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// state is what becomes of the API, or of the proxy, while requests are sent.
type state struct {
	name string
	api  func(*stage) http.HandlerFunc
	want func(r request) string // of both answers: a status, and the code of a failure
	next string                 // what the second may be instead
}

var states = []state{
	{"API up", func(*stage) http.HandlerFunc { return count }, func(request) string { return "200" }, ""},
	{"API away", func(*stage) http.HandlerFunc { return nil }, func(request) string { return "502 api_unreachable" }, ""},
	{"early 413", func(*stage) http.HandlerFunc { return refuseEarly }, func(request) string { return "413" }, ""},
	{"401 to what cannot be sent again", revokeFirst, func(r request) string {
		if r.encoding == "length" && r.size <= 1<<20 {
			return "200"
		}
		return "401"
	}, ""},
	{"API hangs", hang, func(request) string { return "504 api_timeout" }, ""},
	{"SIGTERM", stopFirst, func(request) string { return "200" }, "refused"},
}

// count answers once it has all of the body.
func count(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, `{"got":"all"}`)
}

// refuseEarly answers before it has read anything, as servers with a limit do. It
// reads the rest all the same, so that it is not the one to reset anybody.
func refuseEarly(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	control.EnableFullDuplex()
	w.Header().Set("Content-Length", "2")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	io.WriteString(w, "{}")
	control.Flush()
	io.Copy(io.Discard, r.Body)
}

// revokeFirst has the token revoked before each request but one that is sent
// again: that is, before each that cannot be.
func revokeFirst(*stage) http.HandlerFunc {
	var rejected atomic.Value // the Authorization that was, if it may be sent again
	rejected.Store("")
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if last := rejected.Swap(""); last != "" && last != r.Header.Get("Authorization") {
			io.WriteString(w, "{}")
			return
		}
		if r.ContentLength >= 0 && r.ContentLength <= 1<<20 {
			rejected.Store(r.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "{}")
	}
}

// hang does not even read. So it does not notice, either, when it is left.
func hang(s *stage) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { <-s.ended }
}

// stopFirst has the proxy stop while it waits for the first answer.
func stopFirst(s *stage) http.HandlerFunc {
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			s.proxy.Process.Signal(syscall.SIGTERM)
			time.Sleep(50 * time.Millisecond)
		})
		count(w, r)
	}
}
