package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/pipe"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// inMemory starts a proxy to an API, all of it in memory: for a bubble, in which
// minutes take no time. The API answers whatever is signed in with resource.
func inMemory(t *testing.T, resource http.HandlerFunc, change ...func(*Config)) (*Proxy, *pipe.Listener) {
	t.Helper()
	box := sessiontest.NewServer(sessiontest.InMemory())
	t.Cleanup(box.Close)
	source := newSource(t, jwtsession.Config{BaseURL: box.URL, HTTPClient: box.Client()})
	resources := pipe.Listen()
	server := &http.Server{Handler: resource}
	go server.Serve(resources)
	t.Cleanup(func() { server.Close() })
	transport := NewTransport()
	transport.DialContext = resources.Dial
	t.Cleanup(transport.CloseIdleConnections)
	config := Config{APIs: []API{{Source: source, BaseURL: box.URL, Transport: transport}}, Address: "127.0.0.1:0", Hosts: []string{"proxy"}, Secret: clientSecret}
	for _, c := range change {
		c(&config)
	}
	p, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	p.listener.Close()
	clients := pipe.Listen()
	p.connections.Listener = clients
	serve(t, p)
	return p, clients
}

const clientSecret = "a-secret-of-the-clients"

// signed is the head of a request that the proxy answers.
func signed(line string) string {
	return line + " HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer " + clientSecret + "\r\n"
}

// ask opens a connection and sends a request over it.
func ask(t *testing.T, to *pipe.Listener, raw string) net.Conn {
	t.Helper()
	conn, err := to.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	return conn
}

// answerOf reads an answer to its end.
func answerOf(t *testing.T, conn io.Reader) answer {
	t.Helper()
	return next(t, bufio.NewReader(conn))
}
