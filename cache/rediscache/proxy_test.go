package rediscache

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// proxy stands between a client and its server. It counts what the client sends,
// and can lose an answer, or give one of its own.
type proxy struct {
	listener net.Listener
	server   redis.Options
	requests atomic.Int64 // that were forwarded
	scripts  atomic.Int64 // those of them that run a script

	mu    sync.Mutex
	armed func() // to be called once the next script has run, whose answer gets lost

	request, answer string // what the proxy answers by itself, and how
	answered        atomic.Int64
}

func startProxy(t testing.TB, server redis.Options) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: server}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// client returns a client through the proxy, with go-redis' defaults.
func (p *proxy) client(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: p.listener.Addr().String()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// loseAnswer makes the proxy drop the connection on which the next script is
// run, when the server has run it, and call meanwhile before that.
func (p *proxy) loseAnswer(meanwhile func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = meanwhile
}

func (p *proxy) disarm() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	armed := p.armed
	p.armed = nil
	return armed
}

// answerItself makes the proxy answer requests that contain a text, with what the
// server does not get to see.
func (p *proxy) answerItself(request, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.request, p.answer = request, answer
}

// ownAnswer is the proxy's answer to a request; nil: the server is to answer.
func (p *proxy) ownAnswer(request []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.request == "" || !bytes.Contains(request, []byte(p.request)) {
		return nil
	}
	p.answered.Add(1)
	return []byte(p.answer)
}

// serve forwards one request at a time, as go-redis sends them.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	network := p.server.Network
	if network == "" {
		network = "tcp"
	}
	server, err := net.Dial(network, p.server.Addr)
	if err != nil {
		return
	}
	defer server.Close()
	var losing atomic.Pointer[func()]
	go func() {
		defer client.Close()
		answer := make([]byte, 64<<10)
		for {
			n, err := server.Read(answer)
			if meanwhile := losing.Load(); meanwhile != nil && err == nil {
				(*meanwhile)()
				return
			}
			if err != nil {
				return
			}
			if _, err := client.Write(answer[:n]); err != nil {
				return
			}
		}
	}()
	request := make([]byte, 64<<10)
	for {
		n, err := client.Read(request)
		if err != nil {
			return
		}
		if own := p.ownAnswer(request[:n]); own != nil {
			if _, err := client.Write(own); err != nil {
				return
			}
			continue
		}
		p.requests.Add(1)
		if bytes.Contains(request[:n], []byte("evalsha")) {
			p.scripts.Add(1)
			if meanwhile := p.disarm(); meanwhile != nil {
				losing.Store(&meanwhile)
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(request[:n])); err != nil {
			return
		}
	}
}
