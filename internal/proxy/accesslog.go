package proxy

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// AccessLog writes a line of JSON for each request. It is safe for concurrent
// use.
//
// A line has the path, without the query, in which clients put secrets; and
// neither headers nor bodies.
type AccessLog struct {
	mu  sync.Mutex
	out io.Writer
}

// NewAccessLog returns a log that writes to out. What cannot be written is lost.
func NewAccessLog(out io.Writer) *AccessLog { return &AccessLog{out: out} }

// accessLine is a line of the log.
type accessLine struct {
	Time      time.Time `json:"time"`           // of the request's begin
	API       string    `json:"api,omitempty"`  // where there are several
	Method    string    `json:"method"`         //
	Path      string    `json:"path"`           // in its escaped form
	Status    int       `json:"status"`         // 499: the client went away; 101: the protocol was switched
	Bytes     int64     `json:"bytes"`          // of the answer's body
	Seconds   float64   `json:"seconds"`        // until the end of the answer
	Recovered bool      `json:"recovered"`      // a 401 was
	Code      string    `json:"code,omitempty"` // of an answer of the proxy's own
}

func (l *AccessLog) write(e *exchange) {
	line, _ := json.Marshal(accessLine{
		e.start.UTC(), e.api, e.Method, e.URL.EscapedPath(), e.status, e.bytes, time.Since(e.start).Seconds(), e.recovered, e.code,
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Write(append(line, '\n'))
}
