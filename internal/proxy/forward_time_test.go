package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// carriedBy has a function be the API.
func carriedBy(api roundTripperFunc) func(*Config) {
	return func(c *Config) { c.APIs[0].Transport = api }
}

// part is what comes of a body after a time.
type part struct {
	after time.Duration
	text  string
	err   error
}

// parts are a body.
type parts []part

func (p *parts) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	next := (*p)[0]
	*p = (*p)[1:]
	time.Sleep(next.after)
	return copy(b, next.text), next.err
}

// only is a body that comes at once.
func only(text string) parts { return parts{{text: text, err: io.EOF}} }

// answered is an API's 200 with these parts of a body, whose length is -1 where the
// API does not say it.
func answered(req *http.Request, length int64, body parts) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, ContentLength: length, Body: io.NopCloser(&body), Request: req}
}

// A header that waited for good would keep from its client what the API has
// answered already, and one that did not would be a packet of its own.
func TestAnAnswerIsSentInAsFewPiecesAsItNeedsAndIsNotHeldBack(t *testing.T) {
	const (
		whole   = "\r\n"
		halfway = "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" // and more to come
	)
	for name, c := range map[string]struct {
		request string
		length  int64
		body    parts
		trailer string
		after   time.Duration
		want    string
	}{
		"a body that begins at once":      {whole, -1, parts{{text: "x"}, {after: time.Second}}, "", 0, "1\r\nx\r\n"},
		"all of a body at once":           {whole, -1, only("x"), "", 0, "x"},
		"one that begins soon":            {whole, -1, parts{{after: headerPatience - 1, text: "x"}, {after: time.Second}}, "", headerPatience - 1, "1\r\nx\r\n"},
		"one that begins later":           {whole, -1, parts{{after: time.Second, text: "x"}}, "", headerPatience, ""},
		"all, but nobody says so yet":     {whole, 1, parts{{text: "x"}, {after: time.Second}}, "", 0, "x"},
		"trailers, and a body later":      {whole, -1, parts{{after: time.Second, text: "x"}}, "X-Sum", 0, ""},
		"a request that is not at an end": {halfway, -1, parts{{after: time.Second, text: "x"}}, "", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, clients := inMemory(t, nil, carriedBy(func(req *http.Request) (*http.Response, error) {
					res := answered(req, c.length, c.body)
					if c.length >= 0 {
						res.Header.Set("Content-Length", "1")
					}
					if c.trailer != "" {
						res.Trailer = http.Header{c.trailer: nil}
					}
					return res, nil
				}))
				begin := time.Now()
				conn := ask(t, clients, signed("POST /me")+c.request)
				first := make([]byte, 4<<10)
				n, err := conn.Read(first)
				took := time.Since(begin)
				header, body, _ := strings.Cut(string(first[:n]), "\r\n\r\n")
				if err != nil || !strings.HasPrefix(header, "HTTP/1.1 200 ") || body != c.want || took != c.after {
					t.Errorf("got first after %v %q (%v), want after %v a header and %q", took, first[:n], err, c.after, c.want)
				}
			})
		})
	}
}

// Who still asks while the proxy stops is told not to ask over this connection again.
func TestAnAnswerOfAProxyThatStopsEndsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, clients := inMemory(t, func(http.ResponseWriter, *http.Request) {})
		conn := ask(t, clients, signed("GET /me")+"\r\n")
		reader := bufio.NewReader(conn)
		for _, ends := range []bool{false, true} {
			res, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, res); got.status != 200 || res.Close != ends {
				t.Errorf("got %d, and the connection's end announced: %v; want 200, and %v", got.status, res.Close, ends)
			}
			if !ends {
				p.stopping.Store(true) // as Serve does, which goes on for a farewell
				io.WriteString(conn, signed("GET /me")+"\r\n")
			}
		}
		if _, err := reader.ReadByte(); err != io.EOF {
			t.Errorf("after that: got %v, want the connection's end", err)
		}
	})
}

// P1: what the client is not told is in the log, and what it did itself is not.
func TestTheLogSaysWhatWentWrongOnTheWayToTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		_, clients := inMemory(t, nil, log.to, carriedBy(func(req *http.Request) (*http.Response, error) {
			if req.Body != nil {
				io.Copy(io.Discard, req.Body)
			}
			return nil, errors.New("a fire in the data centre")
		}))
		for _, c := range []struct {
			after  time.Duration
			status int
			lines  int
		}{{0, 502, 1}, {complainEvery - 1, 502, 1}, {1, 502, 2}, {complainEvery, 400, 2}} {
			time.Sleep(c.after)
			raw := "\r\n"
			if c.status == 400 {
				raw = "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
			}
			answer := answerOf(t, ask(t, clients, signed("POST /me")+raw))
			if lines := strings.Count(log.String(), "a request was not carried"); answer.status != c.status || lines != c.lines || !strings.Contains(log.String(), "a fire in the data centre") {
				t.Errorf("got %d and the log\n%s\nwant %d and %d lines that say what happened", answer.status, log.String(), c.status, c.lines)
			}
		}
	})
}
