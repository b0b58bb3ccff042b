package rediscache

import (
	"bytes"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// line is a way to a server which a test can spoil. It is made for virtual time.
type line struct {
	server *miniredis.Miniredis

	mu          sync.Mutex // never held while reading or writing
	isCut       bool       // connections break, and none is made
	isSilent    bool       // what is sent gets lost
	isDeaf      bool       // subscriptions get lost
	delay       time.Duration
	connections []net.Conn
	writes      int
}

// written is how often something was sent, whether it got lost or not.
func (l *line) written() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes
}

// set spoils the line or mends it.
func (l *line) set(change func(*line)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
	if l.isCut {
		for _, connection := range l.connections {
			_ = connection.Close()
		}
		l.connections = nil
	}
}

func (l *line) connect() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	connection, err := l.server.Dial()
	if err != nil {
		return nil, err
	}
	l.connections = append(l.connections, connection)
	return lineConn{connection, l}, nil
}

type lineConn struct {
	net.Conn
	line *line
}

func (c lineConn) Write(data []byte) (int, error) {
	c.line.mu.Lock()
	c.line.writes++
	isLost := c.line.isSilent || c.line.isDeaf && bytes.Contains(data, []byte("psubscribe"))
	c.line.mu.Unlock()
	if isLost {
		return len(data), nil
	}
	return c.Conn.Write(data)
}

func (c lineConn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	c.line.mu.Lock()
	delay := c.line.delay
	c.line.mu.Unlock()
	time.Sleep(delay)
	return n, err
}
