package proxy

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// exchange is a request and its answer: the ResponseWriter of all handlers, which
// remembers for the log and the metrics what went through it.
type exchange struct {
	http.ResponseWriter
	*http.Request
	start     time.Time
	conn      *connection // the client's
	reading   readings    // of the path
	body      *body       // nil: there is none
	api       string      // whose it is, where there are several
	status    int         // of the answer; 0: none yet
	bytes     int64       // of its body
	code      string      // of a failure of the proxy's own
	origin    string      // of the page that may read the answer, if there is one
	cookies   bool        // they pass
	recovered bool        // a 401 was
	admitted  bool        // it was not refused
	varies    bool        // answers are for pages of some origins
}

// begin returns the exchange that a request begins.
func begin(w http.ResponseWriter, r *http.Request) *exchange {
	e := &exchange{ResponseWriter: w, Request: r, start: time.Now(), conn: r.Context().Value(connectionKey{}).(*connection)}
	if r.ContentLength != 0 {
		e.body = newBody(r, e.control())
	}
	return e
}

func (e *exchange) control() *http.ResponseController {
	return http.NewResponseController(e.ResponseWriter)
}

// Context is the request's, which ends when the client goes away.
func (e *exchange) Context() context.Context { return e.Request.Context() }

// Header is the answer's, not the request's.
func (e *exchange) Header() http.Header { return e.ResponseWriter.Header() }

// WriteHeader begins the answer, or sends a status before it. The answer is marked
// here, where its header is complete: a page may see all of it.
func (e *exchange) WriteHeader(status int) {
	if status >= http.StatusOK {
		if e.status == 0 {
			e.mark()
		}
		e.status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write writes of the answer's body.
func (e *exchange) Write(p []byte) (int, error) {
	if e.status == 0 {
		e.WriteHeader(http.StatusOK)
	}
	if e.ProtoMajor > 1 { // where the client says of each answer how much it takes
		e.control().SetWriteDeadline(time.Now().Add(writeWait(e.admitted)))
	}
	n, err := e.ResponseWriter.Write(p)
	e.bytes += int64(n)
	return n, err
}

// flush sends what has been written. After that an HTTP/2 answer may pause: a
// deadline for writing would end it although nothing waits to be written.
func (e *exchange) flush() error {
	control := e.control()
	err := control.Flush()
	if e.ProtoMajor > 1 {
		control.SetWriteDeadline(time.Time{})
	}
	return err
}

// admit says whether the request is answered in earnest, which its client may take
// its time to read.
func (e *exchange) admit(admitted bool) {
	e.admitted = admitted
	e.conn.admitted.Store(admitted)
}

// refuse answers a request of which nothing has been read, and nothing will be:
// its sender is to hold nothing.
func (e *exchange) refuse(f *failure) {
	if e.body != nil && !e.body.complete.Load() {
		e.closeAfter(lingerRefused)
	}
	e.fail(f)
}

// fail answers with a failure of the proxy's own.
func (e *exchange) fail(f *failure) {
	e.code = f.code
	f.write(e)
}

// mark adds to the answer's header what browsers are to do with it.
func (e *exchange) mark() {
	header := e.Header()
	confine(header, e.cookies)
	if e.varies {
		header.Add("Vary", "Origin")
	}
	if e.origin != "" {
		expose(header)
		share(header, e.origin, e.cookies)
	}
}

// closeAfter has the connection closed after the answer, and what is still to
// come of the request read for so long at most, so that the client is not reset.
// HTTP/2 has means of its own for that.
func (e *exchange) closeAfter(linger time.Duration) {
	if e.ProtoMajor != 1 {
		return
	}
	e.Header().Set("Connection", "close")
	e.conn.linger(linger)
}

// isUpgrade reports whether the client asks for WebSocket's protocol. Who does has
// no body (RFC 6455, section 4.1), which would have to be read beside what follows.
func (e *exchange) isUpgrade() bool {
	return e.ProtoMajor == 1 && e.body == nil && isListed(e.Request.Header["Connection"], "Upgrade") && strings.EqualFold(e.Request.Header.Get("Upgrade"), "websocket")
}
