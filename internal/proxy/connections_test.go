package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestANewcomerTakesThePlaceOfTheConnectionThatIsIdleLongest(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.MaxConnections = 2 })
	first, fromFirst := dial(t, p)
	post(t, p, first, "GET /me HTTP/1.1\nHost: HOST\n\n")
	next(t, fromFirst)
	awaitWaiting(t, p, 1)            // the server has done with the first
	second, fromSecond := dial(t, p) // which sends nothing
	awaitWaiting(t, p, 2)
	time.Sleep(shortestWait + 200*time.Millisecond)
	third, fromThird := dial(t, p)
	post(t, p, third, "GET /me HTTP/1.1\nHost: HOST\n\n")
	if got := next(t, fromThird); got.status != 200 {
		t.Errorf("the third: got %d %s, want 200", got.status, got.text)
	}
	if n, err := fromFirst.Read(make([]byte, 1)); err == nil {
		t.Errorf("the first, which was idle: got %d bytes, want its end", n)
	}
	post(t, p, second, "GET /me HTTP/1.1\nHost: HOST\n\n")
	if got := next(t, fromSecond); got.status != 200 {
		t.Errorf("the second: got %d, want 200", got.status)
	}
}

// awaitWaiting returns when so many connections wait for a request.
func awaitWaiting(t *testing.T, p *Proxy, n int) {
	t.Helper()
	waiting := func() int {
		p.connections.mu.Lock()
		defer p.connections.mu.Unlock()
		return p.connections.waiting.Len()
	}
	for deadline := time.Now().Add(patience); waiting() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections wait for a request, want %d", waiting(), n)
		}
	}
}

func TestAHealthCheckIsAnsweredWhileAllConnectionsAreTaken(t *testing.T) {
	finish := make(chan struct{})
	began := make(chan struct{}, 4)
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-finish
	})
	p := a.running(t, func(c *Config) { c.MaxConnections = 2 })
	for range 2 {
		conn, _ := dial(t, p)
		post(t, p, conn, "GET /slow HTTP/1.1\nHost: HOST\n\n")
		await(t, began, "a request at the API")
	}
	defer close(finish)
	for range 3 {
		got := get(t, p, "/-/healthz")
		if got.status != 200 {
			t.Errorf("/-/healthz: got %d, want 200", got.status)
		}
		got = get(t, p, "/me")
		got.expect(t, "any other", 503, "busy")
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("got Retry-After %q, want 1", got.header.Get("Retry-After"))
		}
	}
}

// Who reads no answers fills its connection, and would hold it for as long as it
// likes.
func TestWhoReadsNoAnswersHoldsNoConnection(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Secret = "a-secret-of-the-clients" })
	conn, _ := dial(t, p)
	conn.SetDeadline(time.Now().Add(2 * patience))
	go io.WriteString(conn, strings.Repeat("GET /me HTTP/1.1\r\nHost: 127.0.0.1:"+p.port()+"\r\n\r\n", 200_000))
	time.Sleep(time.Second) // by now it is full
	open := func() int {
		p.connections.mu.Lock()
		defer p.connections.mu.Unlock()
		return p.connections.open
	}
	for deadline := time.Now().Add(patience); open() > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still open, want it closed since nothing of it is read")
		}
	}
}

// In HTTP/2 it is the client that says how much of an answer it takes.
func TestWhoGivesAnAnswerNoRoomHoldsNoStream(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Secret = "a-secret-of-the-clients" })
	conn, reader := dial(t, p)
	frame := func(kind, flags, stream byte, payload string) string {
		return string([]byte{0, 0, byte(len(payload)), kind, flags, 0, 0, 0, stream}) + payload
	}
	var fields string
	for _, field := range []string{":method GET", ":scheme http", ":path /me", ":authority 127.0.0.1:" + p.port()} {
		name, value, _ := strings.Cut(field, " ")
		fields += "\x00" + string([]byte{byte(len(name))}) + name + string([]byte{byte(len(value))}) + value
	}
	const settings, headers, reset = 4, 1, 3
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(settings, 0, 0, "\x00\x04\x00\x00\x00\x00")+frame(headers, 5, 1, fields))
	for answered := false; ; {
		head := make([]byte, 9)
		if _, err := io.ReadFull(reader, head); err != nil {
			t.Fatalf("got %v, with an answer: %v; want the stream reset", err, answered)
		}
		reader.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2]))
		switch head[3] {
		case headers:
			answered = true
		case reset:
			if !answered {
				t.Error("got the stream reset without an answer, want its header before")
			}
			return
		}
	}
}
