package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/internal/pipe"
)

// speaker is a client in memory, with connections of its own.
type speaker struct {
	*http.Transport
	dials int
}

// speakers return new clients of each version of HTTP.
var speakers = map[string]func(t *testing.T, to *pipe.Listener) *speaker{
	"HTTP/1.1": func(t *testing.T, to *pipe.Listener) *speaker { return newSpeaker(t, to, NewTransport()) },
	"HTTP/2":   func(t *testing.T, to *pipe.Listener) *speaker { return newSpeaker(t, to, withoutTLS()) },
}

func newSpeaker(t *testing.T, to *pipe.Listener, transport *http.Transport) *speaker {
	s := &speaker{Transport: transport}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		s.dials++
		return to.Dial(ctx, network, address)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return s
}

func (s *speaker) get(t *testing.T, path string) answer {
	t.Helper()
	res, err := s.RoundTrip(request(t, "GET", "http://proxy"+path, nil, "Authorization: Bearer "+clientSecret))
	if err != nil {
		t.Errorf("%s: got error %v, want an answer", path, err)
		return answer{}
	}
	return read(t, res)
}

// P7: it is who waits for a request that loses its place, and only where there is
// no room.
func TestWhoIsServedKeepsItsPlaceAndSoDoesWhoWaitsWhileThereIsRoom(t *testing.T) {
	for name, newSpeaker := range speakers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				finish := make(chan struct{})
				_, clients := inMemory(t, func(_ http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/v1/slow" {
						<-finish
					}
				}, func(c *Config) { c.MaxConnections = 2 })
				idle, slow, newcomer := newSpeaker(t, clients), newSpeaker(t, clients), newSpeaker(t, clients)
				expect := func(what string, of *speaker, path string, dials int) {
					t.Helper()
					if got := of.get(t, path); got.status != 200 || of.dials != dials {
						t.Errorf("%s: got %d over %d connections, want 200 over %d", what, got.status, of.dials, dials)
					}
					synctest.Wait() // until the proxy knows that it is answered
				}
				served := make(chan struct{})
				expect("the first", idle, "/me", 1)
				time.Sleep(2 * shortestWait)
				go func() {
					defer close(served)
					expect("who is served meanwhile", slow, "/slow", 1)
				}()
				synctest.Wait()
				expect("the first, while there was room", idle, "/me", 1)
				time.Sleep(2 * shortestWait)
				expect("a newcomer", newcomer, "/me", 1)
				close(finish)
				<-served
				time.Sleep(2 * shortestWait)
				expect("the first, whose place was taken", idle, "/me", 2)
			})
		})
	}
}

// P7: a WebSocket waits for no request, however long nothing comes over it.
func TestAWebSocketKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, clients := inMemory(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			io.Copy(conn, conn)
		}, func(c *Config) { c.MaxConnections, c.AllowUpgrade = 1, true })
		socket := ask(t, clients, signed("GET /socket")+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		from := bufio.NewReader(socket)
		if res, err := http.ReadResponse(from, nil); err != nil || res.StatusCode != 101 {
			t.Fatalf("got %v and error %v, want 101", res, err)
		}
		time.Sleep(2 * shortestWait)
		newSpeaker(t, clients, NewTransport()).get(t, "/me").expect(t, "a newcomer", 503, "busy")
		go io.WriteString(socket, "x")
		if got, err := from.ReadByte(); got != 'x' || err != nil {
			t.Errorf("over the WebSocket: got %q and error %v, want what was sent", got, err)
		}
		socket.Close()
	})
}

// P7: who is served may take longer to read than who is refused.
func TestAnAnswerMayBeReadInItsTimeAndARefusalInLess(t *testing.T) {
	refused := "GET /me HTTP/1.1\r\nHost: proxy\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		after   time.Duration
		want    int // 0: no answer
	}{
		"soon enough":            {signed("GET /me") + "\r\n", longestWriteWait - time.Second, 200},
		"too late":               {signed("GET /me") + "\r\n", longestWriteWait + time.Second, 0},
		"a refusal, soon enough": {refused, writeWaitRefused - time.Second, 403},
		"a refusal, too late":    {refused, writeWaitRefused + time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, clients := inMemory(t, func(http.ResponseWriter, *http.Request) {})
				conn := ask(t, clients, c.request)
				time.Sleep(c.after)
				var got int
				if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
					got = read(t, res).status
				}
				if got != c.want {
					t.Errorf("read after %v: got %d, want %d", c.after, got, c.want)
				}
			})
		})
	}
}

// In HTTP/2 a deadline for writing ends an answer that nothing is written of, too.
func TestAnAnswerMayPauseForLongerThanAWriteMayTake(t *testing.T) {
	for name, newSpeaker := range speakers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, clients := inMemory(t, func(w http.ResponseWriter, _ *http.Request) {
					io.WriteString(w, "one,")
					http.NewResponseController(w).Flush()
					time.Sleep(longestWriteWait + time.Second)
					io.WriteString(w, "two")
				})
				if got := newSpeaker(t, clients).get(t, "/events"); got.text != "one,two" {
					t.Errorf("got %q, want one,two", got.text)
				}
			})
		})
	}
}
