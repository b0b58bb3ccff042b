// Package connections has the connections that session calls go over, and those of
// a program's requests.
package connections

import (
	"net/http"
	"runtime"
	"sync"
	"time"
	"weak"
)

const (
	// LongestIdle is how long a connection may have been idle that a session call
	// goes over. After a while of silence a NAT may have forgotten a connection, and
	// what is written to it is lost without a word.
	LongestIdle = 3 * time.Second

	// SessionPing is how long an HTTP/2 connection may be silent during a session
	// call before it is asked for a sign of life, and then has as long again to give
	// it: so an attempt's time is enough for two connections.
	SessionPing = 3 * time.Second

	// requestPing is the same for the requests of a program.
	requestPing = 15 * time.Second
)

// ForSessions returns what carries the session calls of hc, which is nil for the default:
// on connections of their own, of which none is used that has been idle for long.
// A transport that is no *http.Transport is used as it is.
func ForSessions(hc *http.Client) http.RoundTripper {
	base := transportOf(hc)
	if own, ok := base.(*http.Transport); ok {
		return sessionTransports.of(own)
	}
	return base
}

// ForRequests returns what carries the requests of a program: over hc's transport, or
// where the program has none, over one that is the default and notices an HTTP/2
// connection that is dead.
func ForRequests(hc *http.Client) http.RoundTripper {
	base := transportOf(hc)
	if own, ok := base.(*http.Transport); ok && (hc == nil || hc.Transport == nil) {
		return requestTransports.of(own)
	}
	return base
}

func transportOf(hc *http.Client) http.RoundTripper {
	if hc == nil || hc.Transport == nil {
		return http.DefaultTransport
	}
	return hc.Transport
}

var (
	sessionTransports = clones{adapt: func(t *http.Transport) {
		if t.IdleConnTimeout <= 0 || t.IdleConnTimeout > LongestIdle {
			t.IdleConnTimeout = LongestIdle
		}
		ping(t, SessionPing)
	}}
	requestTransports = clones{adapt: func(t *http.Transport) { ping(t, requestPing) }}
)

// ping asks an HTTP/2 connection that has been silent for a time for a sign of
// life, unless the program has set a time of its own.
func ping(t *http.Transport, silence time.Duration) {
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	if t.HTTP2.SendPingTimeout <= 0 {
		t.HTTP2.SendPingTimeout, t.HTTP2.PingTimeout = silence, silence
	}
}

// clones are adapted transports, one for each that is in use, however many
// sources share it. They are kept by their users alone.
type clones struct {
	adapt func(*http.Transport)

	mu    sync.Mutex // guards known
	known map[weak.Pointer[http.Transport]]weak.Pointer[http.Transport]
}

func (c *clones) of(t *http.Transport) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := weak.Make(t)
	if clone := c.known[key].Value(); clone != nil {
		return clone
	}
	clone := cloneTransport(t)
	c.adapt(clone)
	if c.known == nil {
		c.known = map[weak.Pointer[http.Transport]]weak.Pointer[http.Transport]{}
	}
	c.known[key] = weak.Make(clone)
	runtime.AddCleanup(clone, c.forget, key)
	return clone
}

// forget drops what became of a transport, unless there is another by now.
func (c *clones) forget(key weak.Pointer[http.Transport]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[key].Value() == nil {
		delete(c.known, key)
	}
}

// cloneTransport returns a transport that does as t does, but has connections of
// its own. http.Transport.Clone alone does not: where t speaks HTTP/2, the clone
// may speak none, or speak it on t's connections.
func cloneTransport(t *http.Transport) *http.Transport {
	clone := t.Clone() // which decides whether t speaks HTTP/2, if nothing has yet
	if t.TLSNextProto["h2"] == nil {
		return clone
	}
	// These lead to t's connections. The clone makes its own entries when it sees
	// that it is to speak HTTP/2.
	delete(clone.TLSNextProto, "h2")
	delete(clone.TLSNextProto, "unencrypted_http2")
	if clone.Protocols == nil {
		clone.Protocols = &http.Protocols{}
		clone.Protocols.SetHTTP1(true)
		clone.Protocols.SetHTTP2(true)
	}
	return clone
}
