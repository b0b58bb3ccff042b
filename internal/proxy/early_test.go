package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// logged is a log that a test reads while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// to has a proxy write its log here.
func (l *logged) to(c *Config) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// dial connects to the proxy, for requests one after another.
func dial(t testing.TB, p *Proxy) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// post writes a request with HOST standing for the proxy's.
func post(t testing.TB, p *Proxy, conn net.Conn, raw string) {
	t.Helper()
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "HOST", "127.0.0.1:"+p.port()), "\n", "\r\n")
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
}

// next reads an answer from a connection.
func next(t testing.TB, reader *bufio.Reader) answer {
	t.Helper()
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("got no answer: %v", err)
	}
	return read(t, res)
}

func TestAConnectionOutlivesAnAnswerThatLeftTheBodyUnread(t *testing.T) {
	var log logged
	_, p := away(t, log.to)
	conn, reader := dial(t, p)
	for range 5 {
		post(t, p, conn, "POST /runs HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked\n\na\n0123456789\n0\n\n")
		next(t, reader).expect(t, "a POST", 502, "api_unreachable")
		post(t, p, conn, "GET /me HTTP/1.1\nHost: HOST\n\n")
		next(t, reader).expect(t, "a GET after it", 502, "api_unreachable")
	}
	if strings.Contains(log.String(), "panic") {
		t.Errorf("the log has a panic:\n%s", log.String())
	}
}

// Clients that send all of a body before they read the answer see the answer, and
// not the end of their connection.
func TestAnAnswerBeforeTheBodyWasReadReachesItsClientWhole(t *testing.T) {
	t.Parallel()
	early := func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		control.EnableFullDuplex()
		w.Header().Set("Content-Length", "9") // so that its end is there before the body's
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "too large")
		control.Flush()
		io.Copy(io.Discard, r.Body)
	}
	const size, times = 20 << 20, 5
	for name, send := range map[string]func(url string) string{
		"node": func(url string) string {
			return output(t, "node", "--input-type=module", "-e", fmt.Sprintf(`
for (let i = 0; i < %d; i++) {
  let left = %d;
  const body = new ReadableStream({pull(c) { if (left <= 0) return c.close(); left -= 65536; c.enqueue(new Uint8Array(65536)); }});
  const answer = await fetch(%q, {method: "POST", duplex: "half", body});
  console.log(answer.status, await answer.text());
}`, times, size, url))
		},
		"python3": func(url string) string {
			return output(t, "python3", "-c", fmt.Sprintf(`
import http.client, urllib.parse
api = http.client.HTTPConnection(urllib.parse.urlsplit(%q).netloc, timeout=30)
for _ in range(%d):
    api.request("POST", "/runs", (b"x" * 65536 for _ in range(%d // 65536)), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    answer = api.getresponse()
    print(answer.status, answer.read().decode())`, url, times, size))
		},
		"curl": func(url string) string {
			var lines []string
			for range times {
				lines = append(lines, output(t, "sh", "-c", fmt.Sprintf(`head -c %d /dev/zero | curl -sS -H "Transfer-Encoding: chunked" -H "Expect:" --data-binary @- -w "%%{http_code} " -o /dev/null %s && echo too large`, size, url)))
			}
			return strings.Join(lines, "\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			program(t, name)
			p := newAPI(t, early).running(t)
			want := strings.TrimSuffix(strings.Repeat("413 too large\n", times), "\n")
			if got := send(p.URL() + "/runs"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestWhileTheAPIIsAwayNoClientIsReset(t *testing.T) {
	t.Parallel()
	_, p := away(t)
	const times = 30
	got := output(t, "node", "--input-type=module", "-e", fmt.Sprintf(`
const count = {};
for (let i = 0; i < %d; i++) {
  let what;
  try { const answer = await fetch(%q, {method: "POST", body: new Uint8Array(2e6)}); await answer.text(); what = answer.status; }
  catch (error) { what = error.cause?.code ?? error; }
  count[what] = (count[what] ?? 0) + 1;
}
console.log(JSON.stringify(count));`, times, p.URL()+"/runs"))
	if want := fmt.Sprintf(`{"502":%d}`, times); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// net/http waits for half a second before it closes a connection on which more is
// to come. A client may take longer to send what it has.
func TestAClientThatIsStillSendingSeesTheAnswer(t *testing.T) {
	t.Parallel()
	_, p := away(t)
	part := bytes.Repeat([]byte("x"), 100_000)
	for _, head := range []string{"Content-Length: 2000000", "Transfer-Encoding: chunked"} {
		conn, reader := dial(t, p)
		post(t, p, conn, "POST /runs HTTP/1.1\nHost: HOST\n"+head+"\n\n")
		for sent := range 20 {
			piece := string(part)
			if head == "Transfer-Encoding: chunked" {
				piece = fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
			}
			if _, err := io.WriteString(conn, piece); err != nil {
				t.Fatalf("%s: after %d parts: %v", head, sent, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if head == "Transfer-Encoding: chunked" {
			io.WriteString(conn, "0\r\n\r\n")
		}
		next(t, reader).expect(t, head, 502, "api_unreachable")
	}
}

// Who was refused holds nothing: what follows the request is not waited for.
func TestARefusedRequestIsAnsweredAndClosedUnread(t *testing.T) {
	const secret = "a-secret-of-the-clients"
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Secret, c.MaxConnections = secret, 8 })
	begin := time.Now()
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			conn, reader := dial(t, p)
			post(t, p, conn, "POST /runs HTTP/1.1\nHost: HOST\nContent-Length: 100000\n\n")
			res, err := http.ReadResponse(reader, nil)
			if err != nil || res.StatusCode != 403 && res.StatusCode != 503 {
				t.Errorf("got %v (%v), want 403, or 503 while all connections are taken", res, err)
				return
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the connection's end: got %v, want none", err)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("40 requests without their bodies held 8 connections for %v, want less than 10 s", took)
	}
	a.expectNothingAsked(t, "no secret")
}

func TestABodyMustMakeProgress(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.running(t)
	heads := []string{"Content-Length: 100000", "Content-Length: 5000000", "Transfer-Encoding: chunked"}
	readers := make([]*bufio.Reader, len(heads))
	begin := time.Now()
	for i, head := range heads {
		conn, reader := dial(t, p)
		post(t, p, conn, "POST /runs HTTP/1.1\nHost: HOST\n"+head+"\n\n")
		readers[i] = reader
	}
	for i, head := range heads {
		next(t, readers[i]).expect(t, head, 408, "body_timeout")
		if took := time.Since(begin); took < longestBodyWait-time.Second || took > longestBodyWait+10*time.Second {
			t.Errorf("%s: got the answer after %v, want it after %v", head, took, longestBodyWait)
		}
	}
}
