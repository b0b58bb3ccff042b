package jwtsession

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// cookieIssuer issues sessions that go into a cookie and the query, and of which
// a 403 says that they have ended.
type cookieIssuer struct {
	issuerFuncs
	sign func(*http.Request)
}

func (c *cookieIssuer) Sign(req *http.Request, s Session) {
	if c.sign != nil {
		c.sign(req)
	}
	req.AddCookie(&http.Cookie{Name: "SID", Value: s.Token})
	query := req.URL.Query()
	query.Set("csrf", s.State)
	req.URL.RawQuery = query.Encode()
}

func (c *cookieIssuer) Rejects(res *http.Response) bool { return res.StatusCode == 403 }

func newCookieIssuer() *cookieIssuer {
	c := &cookieIssuer{}
	c.create = func(context.Context) (Session, error) {
		return Session{Token: "first", State: "state-1", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	c.refresh = func(context.Context, Session) (Session, error) {
		return Session{Token: "second", State: "state-2", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	return c
}

// H1, H2, H3: a Signer says what carries the session, and what ends it.
func TestASignerSaysWhatCarriesTheSessionAndWhatEndsIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		ts := newSourceOf(t, Config{Issuer: newCookieIssuer(), BaseURL: "https://api.example.com"})
		var seen []string
		transport := &Transport{Source: ts, Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			seen = append(seen, req.Header.Get("Cookie")+"?"+req.URL.RawQuery+" "+req.Header.Get("Authorization"))
			status := 200
			if len(seen) == 1 {
				status = 403
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}, nil
		})}
		req := get(t, "https://api.example.com/items?page=2")
		req.Header.Set("Cookie", "theme=dark")
		req.Header.Set("Authorization", "the caller's own")
		pass(time.Second)
		res, err := transport.RoundTrip(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("got %v, %v; want the second answer", res, err)
		}
		want := []string{
			"theme=dark; SID=first?csrf=state-1&page=2 the caller's own",
			"theme=dark; SID=second?csrf=state-2&page=2 the caller's own",
		}
		if strings.Join(seen, "\n") != strings.Join(want, "\n") {
			t.Errorf("the API saw\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
		}
		if req.URL.RawQuery != "page=2" || req.Header.Get("Cookie") != "theme=dark" {
			t.Errorf("the caller's request was changed: %s, %s", req.URL, req.Header)
		}
	})
}

// T15
func TestAPanicOfASignerIsAnErrorOfTheRequest(t *testing.T) {
	issuer := newCookieIssuer()
	issuer.sign = func(*http.Request) { panic("no session today") }
	ts := newSourceOf(t, Config{Issuer: issuer, BaseURL: "https://api.example.com"})
	body := &stream{Reader: strings.NewReader("x")}
	req := get(t, "https://api.example.com/")
	req.Body = body
	_, err := (&Transport{Source: ts, Base: respond(200, nil)}).RoundTrip(req)
	if err == nil || strings.Contains(err.Error(), "today") || body.closed != 1 {
		t.Errorf("got %v, and the body closed %d times; want an error that does not quote the panic, and once", err, body.closed)
	}
}

// H3, H2: a body that cannot be had again, and of which nothing was read, goes
// along with the second request; and is closed once, whatever happens.
func TestABodyThatNobodyHasReadIsSentWithTheSecondRequest(t *testing.T) {
	for name, c := range map[string]struct {
		read, refused bool
		sends         int
		got           string
	}{
		"untouched":                         {false, false, 2, "content"},
		"untouched, and no newer session":   {false, true, 1, ""},
		"read by the base before the 401":   {true, false, 1, "content"},
		"read, and no newer session either": {true, true, 1, "content"},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				ts := newSource(t, box)
				token(t, ts)
				if c.refused {
					box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 503})
				}
				pass(time.Second)
				sends, got := 0, ""
				transport := &Transport{Source: ts, Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
					sends++
					if sends == 2 || c.read {
						text, _ := io.ReadAll(req.Body)
						got += string(text)
					}
					req.Body.Close()
					if _, err := req.Body.Read(make([]byte, 1)); err == nil {
						t.Error("a closed body can be read")
					}
					return &http.Response{StatusCode: 401 - 201*(sends-1), Header: http.Header{}, Body: http.NoBody}, nil
				})}
				body := &stream{Reader: strings.NewReader("content")}
				req := get(t, box.URL+"/me")
				req.Method, req.Body = http.MethodPost, body
				if _, err := transport.RoundTrip(req); err != nil {
					t.Fatal(err)
				}
				if sends != c.sends || got != c.got || body.closed != 1 {
					t.Errorf("%d sends, %q read, closed %d times; want %d, %q and once", sends, got, body.closed, c.sends, c.got)
				}
			})
		})
	}
}

// T10: with an Issuer, too, credentials that go with it are asked for, and
// changed ones tried at once, by whoever shares the cache.
func TestCorrectedCredentialsBesideAnIssuerAreTriedAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		password, sent := "wrong", []string{}
		provider := CredentialsProviderFunc(func(context.Context) (Credentials, error) {
			return Credentials{Email: "worker@example.com", Password: password}, nil
		})
		issuer := &issuerFuncs{create: func(context.Context) (Session, error) {
			sent = append(sent, password)
			if password == "wrong" {
				return Session{}, ErrInvalidCredentials
			}
			return Session{Token: "good", ExpiresAt: time.Now().Add(time.Hour)}, nil
		}}
		store := cache.NewMemory()
		config := Config{Issuer: issuer, Credentials: provider}
		a, b := newSourceOf(t, config, through(store)), newSourceOf(t, config, through(store))
		for range 20 {
			if _, err := a.Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Fatalf("got %v, want the refusal", err)
			}
		}
		password = "right"
		if token(t, a) != "good" || token(t, b) != "good" {
			t.Error("got another token than the one session's")
		}
		if got := strings.Join(sent, ", "); got != "wrong, right" {
			t.Errorf("the server was sent %s; want each password once", got)
		}
	})
}
