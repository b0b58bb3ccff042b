package proxy

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spareConnections are there beyond the limit, so that a health check is
	// answered while all others are taken.
	spareConnections = 32

	// shortestWait is how long a connection may wait for a request before it can
	// lose its place: one that has just been opened has one on its way.
	shortestWait = time.Second

	// An answer that came before the request's body was read is read by most
	// clients once they have sent all of it, and by none whose connection is reset.
	// So the rest is read, for this long at most, and for this long without a byte.
	longestLinger     = 30 * time.Second
	longestLingerIdle = 5 * time.Second

	// lingerRefused is the same for a request that was refused: whoever sent it is
	// to hold nothing.
	lingerRefused = 500 * time.Millisecond

	// longestWriteWait is how long a client may read nothing of its answer, and
	// writeWaitRefused the same for one that was refused.
	longestWriteWait = time.Minute
	writeWaitRefused = 10 * time.Second
)

// connections are those of clients. At the limit a newcomer takes the place of
// the one that has waited longest for a request, its first or a further one; while
// none has waited for long, newcomers are told to come again.
type connections struct {
	net.Listener
	limit int

	mu      sync.Mutex
	room    *sync.Cond // signalled when one ends
	open    int
	waiting *list.List // of *connection: for a request, the longest at the front
	closed  bool
}

func newConnections(listener net.Listener, limit int) *connections {
	c := &connections{Listener: listener, limit: limit, waiting: list.New()}
	c.room = sync.NewCond(&c.mu)
	return c
}

// Accept waits for a connection, and for its place.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open >= c.limit && !c.closed && !c.evict() && c.open >= c.limit+spareConnections {
		again := time.AfterFunc(shortestWait, c.room.Signal)
		c.room.Wait()
		again.Stop()
	}
	own := &connection{Conn: conn, all: c, spare: c.open >= c.limit}
	c.open++
	own.wait()
	return own, nil
}

// evict closes the connection that has waited longest for a request, if that is
// long enough. mu is held.
func (c *connections) evict() bool {
	longest := c.waiting.Front()
	if longest == nil || time.Since(longest.Value.(*connection).since) < shortestWait {
		return false
	}
	longest.Value.(*connection).evict()
	return true
}

// Close stops listening.
func (c *connections) Close() error {
	err := c.Listener.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.room.Broadcast()
	return err
}

// watch is the server's ConnState.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	own := connectionOf(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case own.gone:
	case state == http.StateIdle && own.place == nil:
		own.wait()
	case state == http.StateActive && own.place != nil:
		c.waiting.Remove(own.place)
		own.place = nil
	}
}

// connection is a client's.
type connection struct {
	net.Conn
	all   *connections
	spare bool // beyond the limit

	admitted  atomic.Bool  // its request was not refused
	lingering atomic.Int64 // a time.Duration: how long to read what is still to come; 0: not at all
	ended     sync.Once

	// Guarded by the mutex of all.
	place *list.Element // among those that wait for a request
	since time.Time     // it does
	gone  bool
}

// wait has the connection wait for a request. The mutex of all is held.
func (c *connection) wait() {
	c.since = time.Now()
	c.place = c.all.waiting.PushBack(c)
}

// connectionOf finds the connection below TLS.
func connectionOf(conn net.Conn) *connection {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	own, _ := conn.(*connection)
	return own
}

type connectionKey struct{}

// withConnection is the server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connectionOf(conn))
}

// Write writes of answers, for as long as the client may read nothing.
func (c *connection) Write(p []byte) (int, error) {
	c.Conn.SetWriteDeadline(time.Now().Add(writeWait(c.admitted.Load())))
	return c.Conn.Write(p)
}

func writeWait(admitted bool) time.Duration {
	if admitted {
		return longestWriteWait
	}
	return writeWaitRefused
}

// linger has what is still to come read for a while before the connection is
// closed.
func (c *connection) linger(atMost time.Duration) { c.lingering.Store(int64(atMost)) }

// CloseWrite ends the proxy's side: the answer is complete. net/http calls it
// where it knows of a body that was not read; Close does all the same.
func (c *connection) CloseWrite() error {
	c.drain()
	return nil
}

// Close closes the connection once nothing more is to come, or enough was waited
// for it. It does not wait itself: net/http calls it with a lock that is the
// whole server's.
func (c *connection) Close() error {
	if c.lingering.Load() == 0 {
		return c.end()
	}
	go func() {
		c.drain()
		c.end()
	}()
	return nil
}

func (c *connection) end() (err error) {
	c.ended.Do(func() {
		err = c.Conn.Close()
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		c.forget()
	})
	return err
}

// evict closes the connection for another's sake. The mutex of all is held.
func (c *connection) evict() {
	c.ended.Do(func() {
		c.Conn.Close()
		c.forget()
	})
}

// forget gives the place away. The mutex of all is held.
func (c *connection) forget() {
	c.gone = true
	if c.place != nil {
		c.all.waiting.Remove(c.place)
		c.place = nil
	}
	c.all.open--
	c.all.room.Signal()
}

// drain ends the proxy's side, and reads the client's to its end.
func (c *connection) drain() {
	atMost := time.Duration(c.lingering.Swap(0))
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	if atMost == 0 {
		return
	}
	end := time.Now().Add(atMost)
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	for {
		idle := time.Now().Add(longestLingerIdle)
		if idle.After(end) {
			idle = end
		}
		c.Conn.SetReadDeadline(idle)
		if _, err := c.Conn.Read(buffer[:]); err != nil {
			return
		}
	}
}

const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// takeBuffer returns a buffer for a body to be copied through.
func takeBuffer() *[bufferSize]byte { return buffers.Get().(*[bufferSize]byte) }

func giveBuffer(b *[bufferSize]byte) { buffers.Put(b) }
