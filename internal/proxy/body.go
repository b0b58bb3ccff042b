package proxy

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
)

const (
	// largestKept is the longest body that is kept to be sent again.
	largestKept = 1 << 20

	// largestKeptTotal bounds the bodies that are kept at one time.
	largestKeptTotal = 64 << 20
)

// bodies keeps small bodies in memory, so that a request whose token turns out
// to be revoked can be sent again with a new one, and its client notices
// nothing. Larger bodies, those of unknown length, and those that come while too
// many are kept, pass as they arrive: if the API rejects the token of one of
// these, its 401 goes to the client.
type bodies struct{ room atomic.Int64 }

func newBodies() *bodies {
	b := &bodies{}
	b.room.Store(largestKeptTotal)
	return b
}

// keep returns the request, with its body in memory if it is to be kept. Release
// must be called when the request has been answered. An error means that the
// client did not send all of it.
func (b *bodies) keep(r *http.Request) (kept *http.Request, release func(), err error) {
	size := r.ContentLength
	if size <= 0 || size > largestKept {
		return r, func() {}, nil
	}
	release = func() { b.room.Add(size) }
	if b.room.Add(-size) < 0 {
		release()
		return r, func() {}, nil
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(r.Body, content); err != nil {
		release()
		return nil, nil, err
	}
	kept = new(http.Request)
	*kept = *r
	kept.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	kept.Body, _ = kept.GetBody()
	kept.Header.Del("Expect") // the client has been told to go on
	return kept, release, nil
}
