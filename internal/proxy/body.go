package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// largestKept is the longest body that is kept to be sent again.
	largestKept = 1 << 20

	// largestKeptTotal bounds the bodies that are kept at one time.
	largestKeptTotal = 64 << 20

	// longestBodyWait is how long a client may send nothing of a body that it has
	// begun, while its answer is waited for.
	longestBodyWait = 10 * time.Second

	// largestRest and longestRest bound what is read of a body that nobody wants, so
	// that its connection can go on.
	largestRest = 256 << 10
	longestRest = time.Second
)

var (
	errBodyStalled = errors.New("the client stopped sending the body")
	errBodyTaken   = errors.New("the answer has been written: the body is not for sending any more")
)

// body is a request's body as it comes from the client. It must make progress,
// and it is read by one at a time: by whoever sends it to the API, until the
// proxy takes it back.
//
// Close leaves the client's body as it is, so that one of which nothing has been
// read can be sent after all: its end is the server's to look after.
type body struct {
	from      io.ReadCloser
	deadline  func(time.Time) error // of reading from the client
	patient   bool                  // the client may be silent for as long as it likes
	expects   bool                  // the client waits to be told to send it
	progress  func()                // called after each part
	atEnd     func()                // called at the end, when the trailers are there
	answering atomic.Bool           // the answer has begun: from now on the client may be silent
	complete  atomic.Bool           // all of it has been read
	taken     atomic.Bool           // it is not for sending any more

	mu    sync.Mutex // held while reading
	begun bool
	left  int64 // what is to come; negative: not known
	err   error // what ended it, but for its end
}

func newBody(r *http.Request, control *http.ResponseController) *body {
	return &body{from: r.Body, left: r.ContentLength, deadline: control.SetReadDeadline, expects: r.Header.Get("Expect") != ""}
}

// Read reads what has come.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait(longestBodyWait)
	if b.taken.Load() { // asked after the deadline was set: takeBack sets one after it has taken
		return 0, errBodyTaken
	}
	return b.read(p)
}

// wait bounds the next read. mu is held.
func (b *body) wait(atMost time.Duration) {
	if !b.patient && !b.answering.Load() && !b.complete.Load() {
		b.deadline(time.Now().Add(atMost))
		if b.answering.Load() { // since just now
			b.deadline(time.Time{})
		}
	}
}

// read reads. mu is held.
func (b *body) read(p []byte) (n int, err error) {
	if b.complete.Load() {
		return 0, io.EOF
	}
	b.begun = true
	n, err = b.from.Read(p)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	switch {
	case err == io.EOF, b.left == 0 && err == nil:
		b.complete.Store(true)
		if b.atEnd != nil {
			b.atEnd()
		}
	case err != nil:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errBodyStalled
		}
		b.err = err
	}
	if n > 0 && b.progress != nil {
		b.progress()
	}
	return n, err
}

// Close does nothing: see [body].
func (b *body) Close() error { return nil }

// answer says that the answer begins, with which the client need not go on
// sending.
func (b *body) answer() {
	b.answering.Store(true)
	b.deadline(time.Time{})
}

// failed is what went wrong on the client's side.
func (b *body) failed() error {
	if !b.mu.TryLock() {
		return nil // it is still being read
	}
	defer b.mu.Unlock()
	return b.err
}

// finish takes the body back, and reads what is left if that is little and comes
// soon. It reports whether nothing is left, so that the connection can go on.
func (b *body) finish() bool {
	if b.complete.Load() {
		return true
	}
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	b.taken.Store(true)
	if b.left > largestRest || b.err != nil || b.expects && !b.begun {
		return false
	}
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	b.patient = false
	end := time.Now().Add(longestRest)
	for rest := largestRest; rest > 0; {
		b.wait(time.Until(end))
		n, err := b.read(buffer[:])
		if b.complete.Load() {
			return true
		}
		if err != nil {
			return false
		}
		rest -= n
	}
	return false
}

// takeBack ends the reading of a body that nobody needs the rest of, and of which
// net/http is not to wait for more. It returns when nobody reads: to read on when
// the handler has returned makes net/http panic in whatever goroutine that is, and
// so ends the program (golang/go#68560).
func (b *body) takeBack() {
	b.taken.Store(true)
	b.deadline(time.Unix(1, 0))
	b.mu.Lock()
	defer b.mu.Unlock()
}

// bodies keeps small bodies in memory, so that a request whose token turns out
// to be revoked can be sent again with a new one, and its client notices
// nothing. Larger bodies, those of unknown length, and those that come while too
// many are kept, pass as they arrive: if the API rejects the token of one of
// these once it has begun to read it, its 401 goes to the client.
type bodies struct{ room atomic.Int64 }

func newBodies() *bodies {
	b := &bodies{}
	b.room.Store(largestKeptTotal)
	return b
}

// keep reads a body of a known size into memory, as it arrives. The content is
// all of it, or what had come when there was no room for more. Release must be
// called once it is not needed any more, whatever the error, which is the
// client's.
func (b *bodies) keep(from io.Reader, size int64) (content []byte, release func(), err error) {
	var charged int64
	release = func() { b.room.Add(charged) }
	for int64(len(content)) < size {
		if len(content) == cap(content) {
			grown := min(size, max(4<<10, 2*int64(cap(content))))
			more := grown - int64(cap(content))
			if b.room.Add(-more) < 0 {
				b.room.Add(more)
				return content, release, nil
			}
			charged += more
			content = append(make([]byte, 0, grown), content...)
		}
		n, err := from.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if err == io.EOF && int64(len(content)) < size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return content, release, err
		}
	}
	return content, release, nil
}

// again is a body that is in memory.
func again(content []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(content)) }

// resumed is a body whose beginning is in memory.
type resumed struct {
	io.Reader
	*body
}

func (r resumed) Read(p []byte) (int, error) { return r.Reader.Read(p) }
