package proxy

import (
	"net/http"
	"testing"
	"time"
)

func TestANewcomerTakesThePlaceOfTheConnectionThatIsIdleLongest(t *testing.T) {
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
