package jwtsession

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// testimony is all that a source tells its program.
type testimony struct {
	journal
	mu         sync.Mutex
	text, json bytes.Buffer
	errors     []error
}

func (r *testimony) listen(c *Config) {
	r.journal.record(c)
	options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	c.Logger = slog.New(slog.NewMultiHandler(slog.NewTextHandler(&r.text, options), slog.NewJSONHandler(&r.json, options)))
}

func (r *testimony) keep(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errors = append(r.errors, err)
	}
}

// expectNoSecret fails the test if a secret is in anything that was told.
func (r *testimony) expectNoSecret(t *testing.T, ts *TokenSource) {
	t.Helper()
	for _, err := range r.errors {
		for layer := err; layer != nil; layer = errors.Unwrap(layer) {
			shownNowhere(t, "an error", layer)
		}
		var api *APIError
		if errors.As(err, &api) {
			shownNowhere(t, "an APIError", api)
		}
	}
	for _, e := range r.all() {
		shownNowhere(t, "an event", e)
	}
	shownNowhere(t, "the status", ts.Status())
	shownNowhere(t, "the log", r.text.String())
	shownNowhere(t, "the log in JSON", r.json.String())
	if log := r.text.String() + r.json.String(); strings.Contains(log, "canary+1") || strings.Contains(log, "canary%2B1") {
		t.Errorf("X2: the log has more of the e-mail address than its domain: %.400s", log)
	}
}

// echo answers a call with the secret that came with it.
type echo func(secret string) (status int, header http.Header, body string)

func echoing(status int, body string) echo {
	return func(secret string) (int, http.Header, string) {
		return status, nil, strings.ReplaceAll(body, "SECRET", secret)
	}
}

// echoes are servers that repeat what nobody asked them to.
func echoes() map[string]echo {
	all := map[string]echo{
		"HTML":    echoing(502, "<html>SECRET</html>"),
		"plain":   echoing(404, "SECRET"),
		"cut off": func(s string) (int, http.Header, string) { return 503, nil, "bad " + s[:len(s)-3] },
		"UTF-16":  func(s string) (int, http.Header, string) { return 500, nil, strings.Join(strings.Split(s, ""), "\x00") },
		"beyond what is read": func(s string) (int, http.Header, string) {
			return 500, nil, strings.Repeat("\x00", largestAnswer-20) + s
		},
		"a URL": func(s string) (int, http.Header, string) {
			return 500, nil, "?p=" + url.QueryEscape(s) + "&e=" + url.QueryEscape(canaryEmail)
		},
		"another token": echoing(500, `{"jwtToken":"CANARY-new-token","expiresAt":"2030-01-01T00:00:00Z"}`),
		"the account":   echoing(429, `{"message":"too many calls by `+canaryEmail+`"}`),
		"no session":    echoing(200, "CANARY SECRET"),
		"a malformed token": func(s string) (int, http.Header, string) {
			return 200, nil, jsonOf(map[string]string{"jwtToken": "CANARY " + s})
		},
		"a number for a token": func(s string) (int, http.Header, string) {
			return 200, http.Header{"Content-Type": {s}}, `{"jwtToken":1,"error":` + jsonOf(s) + `}`
		},
		"an expired token": func(s string) (int, http.Header, string) {
			return 200, nil, `{"jwtToken":"CANARY-expired","expiresAt":"2001-01-01T00:00:00Z"}`
		},
		"headers": func(s string) (int, http.Header, string) {
			return 503, http.Header{"Content-Type": {s}, "Retry-After": {s}, "Www-Authenticate": {`Bearer error="` + s + `"`}, "X-Request-Id": {s}, "X-Token": {"CANARY-new"}, "Set-Cookie": {"t=CANARY"}}, ""
		},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		all[fmt.Sprint("a redirect, ", status)] = func(s string) (int, http.Header, string) {
			host := "login.example.com"
			if strings.HasPrefix(s, canaryOpaque) {
				host = s + ".example.com"
			}
			return status, http.Header{"Location": {"https://" + host + "/" + url.PathEscape(s) + "?t=CANARY#CANARY"}}, s
		}
	}
	for _, status := range []int{400, 401, 403, 404, 422, 429, 500, 503} {
		for _, field := range []string{"message", "error", "type", "other"} {
			all[fmt.Sprint(status, " with it in ", field)] = func(s string) (int, http.Header, string) {
				return status, nil, jsonOf(map[string]any{field: "got " + s, "status": status})
			}
		}
	}
	return all
}

// server answers session calls of its own making, and the first calls of each
// operation with an echo.
type server struct {
	opaque  bool
	trouble func(op, secret string) (*http.Response, error)
	seen    map[string]int
	issued  int
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	secret := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	if req.Body != nil {
		defer req.Body.Close()
		var sent struct{ Password string }
		json.NewDecoder(req.Body).Decode(&sent)
		secret = sent.Password
	}
	if req.URL.Path != "/v1/session" {
		return response(req, 401, nil, secret), nil
	}
	if s.seen[req.Method]++; s.seen[req.Method] <= 2 {
		if res, err := s.trouble(req.Method, secret); res != nil || err != nil {
			if res != nil {
				res.Request = req
			}
			return res, err
		}
	}
	s.issued++
	token := fmt.Sprintf("%s-%d", canaryOpaque, s.issued)
	if !s.opaque {
		token = signedToken(map[string]any{"jti": "c0b507a7-2716", "n": s.issued, "exp": time.Now().Add(15 * time.Minute).Unix()})
	}
	return response(req, 200, nil, jsonOf(map[string]any{"jwtToken": token, "expiresAt": time.Now().Add(15 * time.Minute).UTC()})), nil
}

func response(req *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: newBody(body), Request: req}
}

// live goes through a source's life: a sign-in, refreshes, a rejected token and
// a revocation.
func live(t *testing.T, trouble func(op, secret string) (*http.Response, error), change ...func(*Config)) {
	for _, opaque := range []bool{true, false} {
		inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
			var r testimony
			hc := &http.Client{Transport: &server{opaque: opaque, trouble: trouble, seen: map[string]int{}}}
			ts := newSourceOf(t, Config{BaseURL: "https://api.example.com/v1", Credentials: canaryCredentials, HTTPClient: hc}, append(change, r.listen)...)
			for range 3 {
				_, err := ts.Token()
				r.keep(err)
				pass(time.Minute)
			}
			pass(20 * time.Minute)
			if res, err := ts.Client().Get("https://api.example.com/v1/me"); err == nil {
				res.Body.Close()
			} else {
				r.keep(err)
			}
			pass(time.Minute)
			_, err := ts.Token()
			r.keep(err)
			r.keep(ts.Revoke(t.Context()))
			pass(time.Second)
			if len(r.all()) == 0 {
				t.Error("there were no events: the test shows nothing")
			}
			r.expectNoSecret(t, ts)
		})
	}
}

// X1, X2
func TestServersThatRepeatSecretsFindThemInNoErrorLogOrEvent(t *testing.T) {
	for name, echo := range echoes() {
		t.Run(name, func(t *testing.T) {
			live(t, func(_, secret string) (*http.Response, error) {
				status, header, body := echo(secret)
				return response(nil, status, header, body), nil
			})
		})
	}
}

// X1
func TestTransportsThatRepeatSecretsFindThemInNoErrorLogOrEvent(t *testing.T) {
	for name, trouble := range map[string]func(secret string) (*http.Response, error){
		"an error":            func(s string) (*http.Response, error) { return nil, errors.New("could not send " + s) },
		"an error of a kind":  func(s string) (*http.Response, error) { return nil, textproto.ProtocolError("bad line: " + s) },
		"an error that wraps": func(s string) (*http.Response, error) { return nil, fmt.Errorf("%s: %w", s, io.ErrUnexpectedEOF) },
		"a panic":             func(s string) (*http.Response, error) { panic("no " + s) },
		"a body that breaks": func(s string) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(failing{errors.New("broke at " + s)})}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(_, secret string) (*http.Response, error) { return trouble(secret) })
			if name == "a panic" {
				return // which a client alone leaves to its caller
			}
			client := clientOf(t, "", &http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) { return trouble(canaryOpaque) })})
			client.credentials = Credentials{Email: canaryEmail, Password: canaryOpaque}.Retrieve
			for op, call := range calls(client, canaryOpaque) {
				for layer := call(t.Context()); layer != nil; layer = errors.Unwrap(layer) {
					shownNowhere(t, "a client alone, "+string(op), layer)
				}
			}
		})
	}
}

// X1
func TestProvidersThatPrintTheCredentialsFindThemInNoErrorLogOrEvent(t *testing.T) {
	none := func(string, string) (*http.Response, error) { return nil, nil }
	for name, retrieve := range map[string]func() (Credentials, error){
		"a panic with a string":    func() (Credentials, error) { panic("bad password " + canaryPassword) },
		"a panic with an error":    func() (Credentials, error) { panic(errors.New(canaryPassword)) },
		"a panic with credentials": func() (Credentials, error) { panic(canaryCredentials) },
		"a panic with a struct":    func() (Credentials, error) { panic(struct{ c Credentials }{canaryCredentials}) },
		"an error":                 func() (Credentials, error) { return canaryCredentials, errors.New("stale: " + canaryPassword) },
		"an error that prints them": func() (Credentials, error) {
			return Credentials{}, fmt.Errorf("stale: %+v", canaryCredentials.LogValue())
		},
		"credentials without e-mail": func() (Credentials, error) { return Credentials{Password: canaryPassword}, nil },
		"credentials of other bytes": func() (Credentials, error) {
			return Credentials{Email: canaryEmail, Password: canaryPassword + "\xff"}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, none, func(c *Config) {
				c.Credentials = CredentialsProviderFunc(func(context.Context) (Credentials, error) { return retrieve() })
			})
		})
	}
}

// X1
func TestIssuersThatPrintTheTokenFindItInNoErrorLogOrEvent(t *testing.T) {
	for name, fail := range map[string]func(token string) error{
		"an error": func(token string) error { return fmt.Errorf("refused %s", token) },
		"an APIError": func(token string) error {
			return &APIError{Op: "refresh", StatusCode: 503, Message: token, Type: token}
		},
		"ErrUnauth…":   func(token string) error { return fmt.Errorf("%w: %s", ErrUnauthorized, token) },
		"a panic":      func(token string) error { panic(token) },
		"a mere error": func(string) error { return errors.New("no") },
	} {
		t.Run(name, func(t *testing.T) {
			live(t, nil, func(c *Config) {
				n := 0
				issue := func(context.Context) (Session, error) {
					n++
					return Session{Token: fmt.Sprintf("%s-%d", canaryOpaque, n), ExpiresAt: time.Now().Add(15 * time.Minute)}, nil
				}
				c.Credentials = nil
				c.Issuer = &issuerFuncs{
					create:  issue,
					refresh: func(_ context.Context, s Session) (Session, error) { return Session{}, fail(s.Token) },
					revoke:  func(_ context.Context, s Session) error { return fail(s.Token) },
				}
			})
		})
	}
}

// X1: net/http's own errors quote what it cannot read, and that may be what we
// sent: at the port of an echo service, for instance.
func TestAServerThatSpeaksNoHTTPFindsNoSecretInTheError(t *testing.T) {
	for name, answer := range map[string]string{
		"a line": "%s\r\n\r\n", "a status": "HTTP/1.1 %s OK\r\n\r\n", "a version": "HTTP/%s 200 OK\r\n\r\n",
		"a header": "HTTP/1.1 200 OK\r\n%s\r\n\r\n", "a length": "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"an encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", "a redirect": "HTTP/1.1 302 Found\r\nLocation: http://%%zz%s\r\nContent-Length: 0\r\n\r\n",
		"a chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				connection.Read(make([]byte, 4096))
				fmt.Fprintf(connection, answer, canaryOpaque)
				connection.Close()
			}
		}()
		client, _ := NewClient("http://"+listener.Addr().String(), Credentials{Email: canaryEmail, Password: canaryOpaque}, nil)
		for op, call := range calls(client, canaryOpaque) {
			err := call(t.Context())
			if err == nil {
				t.Errorf("%s, %s: got no error", name, op)
			}
			for layer := err; layer != nil; layer = errors.Unwrap(layer) {
				shownNowhere(t, name+", "+string(op), layer)
			}
		}
		listener.Close()
	}
}
