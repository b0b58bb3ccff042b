package proxy

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

var noiseFor = flag.Duration("noise.for", 3*time.Second, "how long requests of no sense are sent to the proxy")

// moody is an API that answers in all the ways that there are, and in some that
// there are not.
func moody(w http.ResponseWriter, r *http.Request) {
	raw := func(answer string) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		buffered.WriteString(strings.ReplaceAll(answer, "\n", "\r\n"))
		buffered.Flush()
	}
	switch rand.IntN(11) {
	case 0:
		panic(http.ErrAbortHandler)
	case 1:
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
	case 2:
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "x")
		w.Header().Set("X-Sum", "1")
	case 3:
		w.WriteHeader(http.StatusUnauthorized)
	case 4:
		raw("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: upgrade\n\nxx")
	case 5:
		raw("HTTP/1.1 200 OK\nContent-Length: 100\n\nxx")
	case 6:
		w.WriteHeader(http.StatusNoContent)
	case 7:
		w.WriteHeader(http.StatusNotModified)
	case 8:
		raw("HTTP/1.1 100 Continue\n\nHTTP/1.1 199 Odd\nA: b\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nxx")
	case 9:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		http.NewResponseController(w).Flush()
	default:
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, strings.Repeat("y", rand.IntN(100_000)))
	}
}

// noise is one to three requests, most of which contradict themselves, or some
// that are as they should be.
func noise(host string) string {
	pick := func(all ...string) string { return all[rand.IntN(len(all))] }
	if rand.IntN(3) == 0 {
		return strings.ReplaceAll(strings.Repeat("POST /a HTTP/1.1\nHost: "+host+"\nTransfer-Encoding: chunked\n\na\n0123456789\n0\n\n", 3), "\n", "\r\n")
	}
	var b strings.Builder
	for range 1 + rand.IntN(3) {
		fmt.Fprintf(&b, "%s %s %s\nHost: %s\n", pick("GET", "POST", "HEAD", "PUT", "OPTIONS", "X", "TRACE"),
			pick("/a", "/-/healthz", "/session", "*", "http://127.0.0.1:1/x", "/%zz", "//", "/a?b;c"), pick("HTTP/1.1", "HTTP/1.0", "HTTP/1.1"), host)
		for range rand.IntN(5) {
			b.WriteString(pick("Expect: 100-continue", "Connection: close", "Connection: keep-alive, upgrade", "Upgrade: websocket", "Upgrade: h2c", "TE: trailers",
				"Trailer: X-A", "Trailer: Content-Length", "Transfer-Encoding: chunked", "Content-Length: 5", "Content-Length: 3000000", "Content-Length: 0",
				"Connection: Transfer-Encoding, Content-Length", "Origin: http://page.test", "Access-Control-Request-Method: PUT", "X_Y: z") + "\n")
		}
		b.WriteString("\n" + pick("", "5\nabcde\n0\n\n", "abcde", "5\nabcde\n0\nX-A: b\n\n", "zz\n", strings.Repeat("z", 300_000), "0\nContent-Length: 3\n\n"))
	}
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

func TestNothingThatIsSentMakesAPanicOrStays(t *testing.T) {
	t.Parallel()
	a := newAPI(t, moody)
	var log logged
	p := a.running(t, log.to, func(c *Config) {
		c.AllowUpgrade, c.UpstreamTimeout, c.Origins = true, 2*time.Second, []string{"http://page.test"}
	})
	var all sync.WaitGroup
	for end := time.Now().Add(*noiseFor); time.Now().Before(end); {
		for range 16 {
			all.Go(func() {
				conn, err := net.Dial("tcp", p.listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				conn.SetWriteDeadline(time.Now().Add(patience))
				go io.WriteString(conn, noise("127.0.0.1:"+p.port()))
				conn.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(300)) * time.Millisecond))
				io.Copy(io.Discard, conn)
			})
		}
		all.Wait()
	}
	inUse := func() (open int, kept int64) {
		p.connections.mu.Lock()
		defer p.connections.mu.Unlock()
		return p.connections.open, largestKeptTotal - p.bodies.room.Load()
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		open, kept := inUse()
		if open == 0 && kept == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("when all clients are gone %d connections are open and %d bytes are kept, want none", open, kept)
		}
	}
	if i := strings.Index(log.String(), "panic"); i >= 0 {
		t.Errorf("the log has a panic: %.3000s", log.String()[i:])
	}
}
