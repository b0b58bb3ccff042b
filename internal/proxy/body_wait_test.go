package proxy

import (
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs f with a body whose client sends over a connection in memory, and
// what is read after the body.
func inBubble(t *testing.T, name string, left int64, f func(t *testing.T, b *body, client, conn net.Conn)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			defer time.Sleep(2 * time.Hour) // until nobody sleeps: a failure is to be all that is told
			client, conn := net.Pipe()
			defer client.Close()
			defer conn.Close()
			f(t, &body{from: conn, left: left, deadline: conn.SetReadDeadline}, client, conn)
		})
	})
}

// counting counts what is read of a connection.
type counting struct {
	net.Conn
	n int64
}

func (c *counting) Read(p []byte) (n int, err error) {
	n, err = c.Conn.Read(p)
	c.n += int64(n)
	return n, err
}

// P7: who has begun a body goes on with it, but once it is answered, or where it
// is a stream, it may be silent.
func TestAClientMayBeSilentOnceItsAnswerHasBegunOrWhereItStreams(t *testing.T) {
	const long = time.Hour
	later := func(client net.Conn) {
		time.Sleep(long)
		io.WriteString(client, "x")
	}
	expect := func(t *testing.T, from io.Reader) {
		t.Helper()
		begin := time.Now()
		if n, err := from.Read(make([]byte, 1)); n != 1 || err != nil || time.Since(begin) != long {
			t.Errorf("got %d bytes and error %v after %v, want the one that comes after %v", n, err, time.Since(begin), long)
		}
	}
	inBubble(t, "while it is read", 5, func(t *testing.T, b *body, client, _ net.Conn) {
		begin := time.Now()
		if n, err := b.Read(make([]byte, 1)); err != errBodyStalled || time.Since(begin) != longestBodyWait || b.failed() != errBodyStalled {
			t.Errorf("got %d bytes and error %v after %v, want %v after %v", n, err, time.Since(begin), errBodyStalled, longestBodyWait)
		}
	})
	inBubble(t, "a stream", -1, func(t *testing.T, b *body, client, _ net.Conn) {
		b.patient = true
		go later(client)
		expect(t, b)
	})
	inBubble(t, "an answer that has begun", 5, func(t *testing.T, b *body, client, _ net.Conn) {
		b.answer()
		go later(client)
		expect(t, b)
	})
	inBubble(t, "an answer that begins meanwhile", 5, func(t *testing.T, b *body, client, _ net.Conn) {
		go later(client)
		time.AfterFunc(time.Second, b.answer)
		expect(t, b)
	})
	inBubble(t, "an answer that begins just as more is to be read", 5, func(t *testing.T, b *body, client, conn net.Conn) {
		b.deadline = func(end time.Time) error {
			b.deadline = conn.SetReadDeadline
			b.answer()
			return conn.SetReadDeadline(end)
		}
		go later(client)
		expect(t, b)
	})
	inBubble(t, "after its end", 1, func(t *testing.T, b *body, client, conn net.Conn) {
		go io.WriteString(client, "x")
		io.Copy(io.Discard, b)
		conn.SetReadDeadline(time.Time{}) // as net/http does at the body's end
		if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("at the end: got %d bytes and error %v, want none and EOF", n, err)
		}
		go later(client)
		expect(t, conn)
	})
}

// P2: a connection goes on if little is left of a body, and comes soon.
func TestOfABodyThatNobodyWantsLittleIsReadAndNotForLong(t *testing.T) {
	parts := func(client net.Conn, n, size int) {
		for range n {
			client.Write(make([]byte, size))
		}
	}
	for name, c := range map[string]struct {
		left   int64 // of the body, of which change may read
		change func(b *body)
		sent   func(client net.Conn)
		goesOn bool
		takes  time.Duration
		most   int64 // that is read
	}{
		"little, in parts":                         {3000, nil, func(client net.Conn) { parts(client, 3, 1000) }, true, 0, 3000},
		"the rest of a large one":                  {4 << 20, func(b *body) { io.CopyN(io.Discard, b, 4<<20-3000) }, func(client net.Conn) { parts(client, 4<<20/1024, 1024) }, true, 0, 4 << 20},
		"much":                                     {largestRest + 1, nil, func(client net.Conn) { parts(client, 1000, 1024) }, false, 0, 0},
		"much, as it turns out":                    {-1, nil, func(client net.Conn) { parts(client, 1024, 1024); client.Close() }, false, 0, largestRest + bufferSize},
		"little, that comes late":                  {3000, nil, func(net.Conn) {}, false, longestRest, 0},
		"a stream's, that is late":                 {-1, func(b *body) { b.patient = true }, func(net.Conn) {}, false, longestRest, 0},
		"one that has broken off":                  {3000, func(b *body) { b.err = io.ErrUnexpectedEOF }, func(client net.Conn) { parts(client, 3, 1000) }, false, 0, 0},
		"what the client waits to be told to send": {3000, func(b *body) { b.expects = true }, func(client net.Conn) { parts(client, 3, 1000) }, false, 0, 0},
		"what it was told to send":                 {3000, func(b *body) { b.expects = true; b.Read(make([]byte, 1000)) }, func(client net.Conn) { parts(client, 3, 1000) }, true, 0, 3000},
	} {
		inBubble(t, name, c.left, func(t *testing.T, b *body, client, conn net.Conn) {
			counted := &counting{Conn: conn}
			b.from = counted
			go c.sent(client)
			if c.change != nil {
				c.change(b)
			}
			begin := time.Now()
			if got := b.finish(); got != c.goesOn || time.Since(begin) != c.takes || counted.n > c.most {
				t.Errorf("got %v after %v and %d bytes, want %v after %v and at most %d", got, time.Since(begin), counted.n, c.goesOn, c.takes, c.most)
			}
		})
	}
}

// P8: an API that hangs is a 504; one that is still being sent to does not hang.
func TestTheAPIsTimeBeginsAnewWithEachPartOfABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, clients := inMemory(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, func(c *Config) { c.UpstreamTimeout = 5 * time.Second })
		conn := ask(t, clients, signed("POST /runs")+"Transfer-Encoding: chunked\r\n\r\n")
		go func() {
			for range 5 {
				time.Sleep(3 * time.Second)
				io.WriteString(conn, "1\r\nx\r\n")
			}
			io.WriteString(conn, "0\r\n\r\n")
		}()
		if got := answerOf(t, conn); got.status != 200 {
			t.Errorf("got %d %s, want 200: no part took longer than the API may", got.status, got.text)
		}
	})
}
