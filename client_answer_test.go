package jwtsession

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/internal/redaction"
)

// stream is a body that knows how much of it was read, and how it ended.
type stream struct {
	io.Reader
	read, closed int
	ended        bool // its reader has met its end
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.read += n
	s.ended = s.ended || err != nil
	return n, err
}

func (s *stream) Close() error { s.closed++; return nil }

// answering is a client whose calls get this answer.
func answering(t testing.TB, status int, body io.ReadCloser) *Client {
	t.Helper()
	return clientOf(t, "", &http.Client{Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Location": {"https://example.com/"}}, Body: body, Request: req}, nil
	})})
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

// S4
func TestEveryAnswerIsReadToItsEndOrABoundAndClosed(t *testing.T) {
	bodies := map[string]func() io.Reader{
		"a session":             func() io.Reader { return strings.NewReader(`{"jwtToken":"opaque"}`) },
		"a session and a tail":  func() io.Reader { return strings.NewReader(`{"jwtToken":"opaque"}` + strings.Repeat("\n", 500_000)) },
		"nothing":               func() io.Reader { return strings.NewReader("") },
		"HTML":                  func() io.Reader { return strings.NewReader("<html>no</html>") },
		"the most that is read": func() io.Reader { return io.LimitReader(endless{}, largestAnswer-1) },
		"what has no end":       func() io.Reader { return endless{} },
		"what ends in the midst": func() io.Reader {
			return io.MultiReader(strings.NewReader(`{"jwtToken":"`), failing{errors.New("the connection broke")})
		},
	}
	for _, status := range []int{200, 204, 302, 400, 401, 404, 429, 503} {
		for name, content := range bodies {
			for _, op := range []operation{opCreate, opRefresh, opRevoke} {
				body := &stream{Reader: content()}
				calls(answering(t, status, body), "opaque")[op](t.Context())
				if body.closed != 1 {
					t.Errorf("%s, %d with %s: the body was closed %d times, want once", op, status, name, body.closed)
				}
				if body.read > largestAnswer {
					t.Errorf("%s, %d with %s: read %d bytes, want %d at most", op, status, name, body.read, largestAnswer)
				}
				if !body.ended && body.read < largestAnswer {
					t.Errorf("%s, %d with %s: stopped after %d bytes, want it to read to the end", op, status, name, body.read)
				}
			}
		}
	}
}

// S4: what was drained is a connection that can be used again.
func TestFailedCallsUseTheirConnectionAgain(t *testing.T) {
	remotes := map[string]bool{}
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		w.WriteHeader(503)
		io.WriteString(w, strings.Repeat("x", 300_000))
	})
	for range 5 {
		for _, call := range calls(client, "opaque") {
			call(t.Context())
		}
	}
	if len(remotes) != 1 {
		t.Errorf("15 calls took %d connections, want one", len(remotes))
	}
}

// S4: the bound counts what a small answer swells to.
func TestAnAnswerThatUnpacksToGigabytesIsBounded(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, `{"jwtToken":"opaque","filler":"`)
	for range 64 {
		w.Write(bytes.Repeat([]byte("x"), 1<<20))
	}
	io.WriteString(w, `"}`)
	w.Close()
	client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	})
	_, err := client.Create(t.Context())
	if !errors.Is(err, ErrMalformedToken) || !strings.Contains(fmt.Sprint(err), fmt.Sprint(largestAnswer)) {
		t.Errorf("got %v, want ErrMalformedToken after %d bytes", err, largestAnswer)
	}
}

// S4
func TestATokenIsVisibleASCIIOfAtMost16KiB(t *testing.T) {
	longest := strings.Repeat("t", 16<<10)
	cases := map[string]bool{
		"opaque": true, "a.b.c": true, "!": true, "~": true, `"quoted"`: true, longest: true,
		"": false, longest + "t": false, " ": false, "a b": false, " a": false, "a ": false, "a\tb": false, "a\nb": false,
		"a\r\nX: y": false, "a\x00": false, "a\x7f": false, "é": false, "a\u00a0b": false, "\ufeffa": false,
	}
	for token, fine := range cases {
		body := fmt.Sprintf(`{"jwtToken":%s}`, jsonOf(token))
		for _, op := range []operation{opCreate, opRefresh} {
			err := calls(answering(t, 200, newBody(body)), "opaque")[op](t.Context())
			if fine != (err == nil) || !fine && !errors.Is(err, ErrMalformedToken) {
				t.Errorf("%s with a token of %d bytes: got %v, want it accepted: %v, else ErrMalformedToken", op, len(token), err, fine)
			}
			if token != "" && !fine && !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%d bytes", len(token))) {
				t.Errorf("%s: the error %v does not tell the length %d", op, err, len(token))
			}
		}
		// What is no token is not sent either.
		for _, op := range []operation{opRefresh, opRevoke} {
			err := calls(answering(t, 200, newBody(`{"jwtToken":"opaque"}`)), token)[op](t.Context())
			if fine != (err == nil) || !fine && !errors.Is(err, ErrMalformedToken) {
				t.Errorf("%s of a token of %d bytes: got %v, want it sent: %v, else ErrMalformedToken", op, len(token), err, fine)
			}
		}
	}
}

// S4, X1: an error has the token's length and nothing else of it.
func TestAMalformedTokenIsShownAsItsLength(t *testing.T) {
	for _, token := range []string{"CANARY token", "CANARY\n", strings.Repeat("CANARY", 4096), "CANARYé"} {
		_, err := answering(t, 200, newBody(fmt.Sprintf(`{"jwtToken":%s}`, jsonOf(token)))).Create(t.Context())
		if !errors.Is(err, ErrMalformedToken) || strings.Contains(fmt.Sprint(err), "CANARY") {
			t.Errorf("got %v, want ErrMalformedToken and no part of the token", err)
		}
	}
}

// S4: success or not, what is no session is an error that says what came.
func TestASuccessWithoutASessionIsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	for body, want := range map[string]string{
		"":                                 "0 bytes",
		"<html>CANARY</html>":              "19 bytes",
		"{}":                               "there is none",
		`{"expiresAt":"2030-01-01"}`:       "there is none",
		`{"jwtToken":null}`:                "there is none",
		`{"data":{"jwt":"a.b","n":1}}`:     "there is none at jwtToken; the answer has data.jwt, data.n",
		`{"jwtToken":12345}`:               "there is none",
		`{"jwtToken":["CANARY"]}`:          "there is none",
		`["CANARY"]`:                       "is not a session",
		`"CANARY"`:                         "is not a session",
		`{"jwtToken":"CANARY"`:             "is not a session",
		`{"jwtToken":"CANARY"}{"more":1}`:  "is not a session",
		"\xff\xfe{\x00\"\x00CANARY\x00}":   "is not a session",
		strings.Repeat(`{"a":`, 100_000):   "is not a session",
		strings.Repeat(" ", largestAnswer): "is not a session",
	} {
		client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/weird; boundary="+canaryOpaque)
			io.WriteString(w, body)
		})
		for _, op := range []operation{opCreate, opRefresh} {
			err := calls(client, canaryOpaque)[op](t.Context())
			if !errors.Is(err, ErrMalformedToken) || !strings.Contains(fmt.Sprint(err), want) || kindOf(err) != unusable {
				t.Errorf("%s, with %.40q: got %v, want ErrMalformedToken with %q", op, body, err, want)
			}
			if strings.HasSuffix(fmt.Sprint(err), "the answer has ") {
				t.Errorf("%s, with %.40q: got %v, want nothing of what the answer has", op, body, err)
			}
			if op == opRefresh && strings.Contains(fmt.Sprint(err), "CANARY") {
				t.Errorf("%s, with %.40q: the error shows a secret: %v", op, body, err)
			}
		}
	}
}

// X1: there may be a session in an answer that is no success, where the description
// says, and words where it says that, too.
func TestASessionInAFailedAnswerIsNotShown(t *testing.T) {
	for body, want := range map[string]string{
		`{"access":"CANARY-1","refresh":"opaque-2"}`:                           redaction.LeftOut,
		`{"error":"CANARY-1 is in use","access":"CANARY-1"}`:                   redaction.LeftOut,
		`{"error":"no opaque-2 now","access":"CANARY-1","refresh":"opaque-2"}`: redaction.LeftOut,
		`{"access":"Wrong password."}`:                                         `{"access":"Wrong password."}`,
	} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, body)
		}))
		client, err := Protocol{SignIn: "POST /login\n\np={password}", Token: "access", Keep: map[string]string{"refresh": "refresh"}}.NewClient(api.URL, Credentials{Password: "hunter2"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Create(t.Context())
		api.Close()
		var failed *APIError
		if !errors.As(err, &failed) || failed.Message != want {
			t.Errorf("%s: got %v, want %q", body, err, want)
		}
	}
}

// X1: what is all of a failed answer may be a word of the server's.
func TestTheWordInAFailedAnswerIsShownWhereTheBodyIsTheToken(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, "occupied")
	}))
	defer api.Close()
	client, err := Protocol{SignIn: "POST /login\n\np={password}", Token: "body"}.NewClient(api.URL, Credentials{Password: "hunter2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create(t.Context()); err == nil || !strings.Contains(err.Error(), `"occupied"`) {
		t.Errorf("got %v, want the server's word in it", err)
	}
}

// A session may have other fields, and any types in them.
func TestASessionMayHaveMoreInItThanIsRead(t *testing.T) {
	for _, body := range []string{
		`{"jwtToken":"opaque","user":{"id":[1,2]},"expiresIn":3600}`,
		`{"jwtToken":"opaque","expiresAt":null}`,
		`{"jwtToken":"opaque","expiresAt":0}`,
		`{"jwtToken":"opaque","expiresAt":{"at":"soon"}}`,
		`{"jwtToken":"opaque","expiresAt":"soon"}`,
		" \r\n{\"jwtToken\" : \"opaque\"}\n",
	} {
		s, err := answering(t, 201, newBody(body)).Create(t.Context())
		if err != nil || s.Token != "opaque" || !s.ExpiresAt.IsZero() {
			t.Errorf("%s: got %v, %v; want the token, and no expiry", body, s, err)
		}
	}
}
