package jwtsession

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// throughBase is a client whose base transport is f, and its source.
func throughBase(t *testing.T, ts *TokenSource, f roundTripperFunc) *http.Client {
	t.Helper()
	return &http.Client{Transport: &Transport{Source: ts, Base: f}}
}

// A base may leave the body of a response out, which http.Client fills in.
func TestA401WithoutABodyIsA401(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}, BaseURL: "https://api.example.com"})
	client := throughBase(t, ts, func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusUnauthorized, Request: req}, nil
	})
	res, err := client.Get("https://api.example.com/me")
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %v, %v; want the 401", res, err)
	}
	res.Body.Close()
}

// brokenBody panics when it is read or closed.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { panic("Read") }
func (brokenBody) Close() error             { panic("Close") }

// T15: it is read in a goroutine of ours, where a panic would end the program.
func TestA401WhoseBodyPanicsIsA401(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}, BaseURL: "https://api.example.com"})
	client := throughBase(t, ts, func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: brokenBody{}, Request: req}, nil
	})
	res, err := client.Get("https://api.example.com/me")
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %v, %v; want the 401", res, err)
	}
}

func TestABaseThatReturnsNothingIsAnErrorAndNoPanic(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}, BaseURL: "https://api.example.com"})
	client := throughBase(t, ts, func(*http.Request) (*http.Response, error) { return nil, nil })
	if _, err := client.Get("https://api.example.com/me"); err == nil {
		t.Error("got no error, want http.Client's")
	}
}

// H3: the second token was ours as well.
func TestA401ToTheSecondRequestEndsTheSecondToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}, BaseURL: "https://api.example.com"})
		first, sent := token(t, ts), 0
		client := throughBase(t, ts, func(req *http.Request) (*http.Response, error) {
			if sent++; sent == 1 {
				pass(time.Until(ts.Status().RefreshAt)) // meanwhile there is a second one
			}
			return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody, Request: req}, nil
		})
		res, err := client.Get("https://api.example.com/me")
		if err != nil || res.StatusCode != http.StatusUnauthorized || sent != 2 {
			t.Fatalf("got %v, %v after %d requests; want a 401 after 2", res, err, sent)
		}
		res.Body.Close()
		if s := ts.current.Load(); s != nil {
			t.Errorf("the second token was rejected and is handed out still (the first one: %v)", s.token() == first)
		}
	})
}

// H2: however the caller has spelled the header.
func TestAnAuthorizationHeaderOfAnySpellingIsReplaced(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}, BaseURL: "https://api.example.com"})
	var seen []*http.Request
	req := get(t, "https://api.example.com/me")
	req.Header["authorization"] = []string{"Basic Zm9vOmJhcg=="}
	req.Header["AUTHORIZATION"] = []string{"Basic Zm9vOmJhcg=="}
	res, err := throughBase(t, ts, respond(http.StatusOK, &seen)).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want := "Bearer " + token(t, ts)
	if header := seen[0].Header; len(header) != 1 || header.Get("Authorization") != want {
		t.Errorf("sent the headers %v, want one, ours", header)
	}
	if len(req.Header) != 2 {
		t.Errorf("the caller's headers are %v, want them as they were", req.Header)
	}
}

// H3: a server that says 401 and does not come to an end holds nobody.
func TestA401WhoseBodyStallsIsAnsweredAllTheSame(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	stop, first := make(chan struct{}), true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !first {
			return
		}
		first = false
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte("no"))
		w.(http.Flusher).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(stop)
	ts := newSource(t, box, func(c *Config) { c.Origins = []string{server.URL} })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	res, err := ts.Client().Do(get(t, server.URL).WithContext(ctx))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v; want the answer to the second request", res, err)
	}
	res.Body.Close()
}

// S2: a base that leaves the request out of its response.
func TestARedirectByABaseThatSetsNoRequestIsAnErrorThatNamesTheHost(t *testing.T) {
	c, err := NewClient("https://api.example.com", Credentials{Email: "clerk@example.com", Password: "password"}, &http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: http.NoBody}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Create(t.Context())
	if api, ok := err.(*APIError); !ok || api.StatusCode != 307 || api.Message == "" {
		t.Errorf("got %v, want an APIError of the redirect", err)
	}
}

// H2: of one that was begun a base may close what is left more than once.
func TestABodyThatCannotBeHadAgainIsClosedOnce(t *testing.T) {
	closed := 0
	body := &unreadBody{body: closer{strings.NewReader("content"), func() { closed++ }}}
	io.ReadFull(body, make([]byte, 3))
	body.Close()
	if body.Close(); closed != 1 {
		t.Errorf("closed twice: the caller's body was closed %d times, want once", closed)
	}
	if body.settle(true) || closed != 1 {
		t.Errorf("it was begun: got it to be sent again, or closed %d times; want neither", closed)
	}
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error { c.close(); return nil }
