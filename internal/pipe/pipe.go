// Package pipe connects servers and their clients in memory. It blocks on channels
// only, which is what lets time pass in a bubble of testing/synctest.
package pipe

import (
	"context"
	"net"
	"sync"
)

// Listener is a [net.Listener] without a socket.
type Listener struct {
	connections chan net.Conn
	closed      chan struct{}
	closeOnce   sync.Once
}

// Listen returns a listener that [Listener.Dial] leads to.
func Listen() *Listener {
	return &Listener{connections: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *Listener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return addr{} }

// Dial is a transport's DialContext; any address leads to the listener.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: addr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "localhost" }
