//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"sync"
)

// relay stands between the workers and a server, and is what their connections
// suffer from. A connection comes to the server from the address that it came from.
type relay struct {
	listener net.Listener

	mu          sync.Mutex // guards the rest
	network     string
	target      string
	away        bool
	silent      bool
	connections map[*relayed]bool
}

// relayed is a connection, both ends of it.
type relayed struct {
	client, server net.Conn
	mu             sync.Mutex
	silent         bool
}

func newRelay(network, target string) (*relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: listener, network: network, target: target, connections: map[*relayed]bool{}}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(client)
		}
	}()
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) serve(client net.Conn) {
	r.mu.Lock()
	network, target, away := r.network, r.target, r.away
	r.mu.Unlock()
	if away {
		cut(client)
		return
	}
	var dialer net.Dialer
	if network == "tcp" {
		dialer.LocalAddr = &net.TCPAddr{IP: client.RemoteAddr().(*net.TCPAddr).IP}
	}
	server, err := dialer.Dial(network, target)
	if err != nil {
		cut(client)
		return
	}
	c := &relayed{client: client, server: server}
	r.mu.Lock()
	c.silent = r.silent
	gone := r.away || r.target != target
	r.connections[c] = true
	r.mu.Unlock()
	if gone {
		c.cut()
	}
	var both sync.WaitGroup
	both.Go(func() { c.forward(server, client) })
	both.Go(func() { c.forward(client, server) })
	both.Wait()
	c.cut()
	r.mu.Lock()
	delete(r.connections, c)
	r.mu.Unlock()
}

// forward forwards until one end is closed. What a silent connection is given is
// lost, the news of its end included.
func (c *relayed) forward(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.mu.Lock()
		silent := c.silent
		c.mu.Unlock()
		if n > 0 && !silent {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			if silent && from == c.server && errors.Is(err, io.EOF) {
				return // the client is not told
			}
			break
		}
	}
	c.cut()
}

func (c *relayed) cut() { cut(c.client); cut(c.server) }

// cut resets a connection.
func cut(c net.Conn) {
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// reset resets all connections.
func (r *relay) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.connections {
		c.cut()
	}
}

// leave resets all connections, and takes none until it is back.
func (r *relay) leave(away bool) {
	r.mu.Lock()
	r.away = away
	r.mu.Unlock()
	if away {
		r.reset()
	}
}

// hush has all connections go silent, and those that come about until it is
// called with false. The silent ones stay so.
func (r *relay) hush(silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = silent
	for c := range r.connections {
		c.mu.Lock()
		c.silent = c.silent || silent
		c.mu.Unlock()
	}
}

// lead has new connections lead elsewhere, and resets the others.
func (r *relay) lead(target string) {
	r.mu.Lock()
	r.target = target
	r.mu.Unlock()
	r.reset()
}

func (r *relay) close() {
	r.listener.Close()
	r.reset()
}
