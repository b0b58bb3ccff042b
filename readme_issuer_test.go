package jwtsession_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
)

type clerks struct{ api string }

func (c clerks) Create(ctx context.Context) (jwtsession.Session, error) {
	return c.call(ctx, "create", "/login", jwtsession.Session{})
}

func (c clerks) Refresh(ctx context.Context, s jwtsession.Session) (jwtsession.Session, error) {
	return c.call(ctx, "refresh", "/renew", s)
}

func (c clerks) Revoke(ctx context.Context, s jwtsession.Session) error {
	_, err := c.call(ctx, "revoke", "/logout", s)
	return err
}

func (c clerks) call(ctx context.Context, op, path string, s jwtsession.Session) (jwtsession.Session, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api+path, nil)
	if err != nil {
		return jwtsession.Session{}, err
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return jwtsession.Session{}, err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return jwtsession.Session{}, jwtsession.NewAPIError(op, res) // by op it knows what a 401 means
	}
	if op == "revoke" {
		return jwtsession.Session{}, nil // this answer has no token
	}
	var answer struct{ Token string }
	err = json.NewDecoder(res.Body).Decode(&answer)
	return jwtsession.Session{Token: answer.Token}, err
}

// clerksAPI is an API that the README's issuer is for.
func clerksAPI(t *testing.T, answers map[string]func(http.ResponseWriter)) *jwtsession.TokenSource {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, found := answers[r.Method+" "+r.URL.Path]; found {
			answer(w)
			return
		}
		fmt.Fprintf(w, `{"token": "opaque%d"}`, time.Now().UnixNano())
	}))
	t.Cleanup(server.Close)
	ts, err := jwtsession.New(jwtsession.Config{Issuer: clerks{server.URL}, Account: "clerks", BaseURL: server.URL, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ts.Close() })
	return ts
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

// S5, T8, T13: a copy of the README's issuer is run.
func TestTheREADMEsIssuerTellsRefusalsAndLogOutsForWhatTheyAre(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, piece, _ := strings.Cut(string(readme), "```go\ntype clerks ")
	piece, _, _ = strings.Cut(piece, "```")
	if source, err := os.ReadFile("readme_issuer_test.go"); err != nil || piece == "" || !strings.Contains(string(source), "type clerks "+piece) {
		t.Errorf("the README's issuer is another one than this file's (%v):\n%s", err, piece)
	}

	ts := clerksAPI(t, map[string]func(http.ResponseWriter){"POST /login": status(401)})
	if _, err := ts.Token(); !errors.Is(err, jwtsession.ErrInvalidCredentials) {
		t.Errorf("a sign-in that is answered 401: got %v, want an error that Is ErrInvalidCredentials", err)
	}
	for _, code := range []int{200, 204, 401} {
		ts := clerksAPI(t, map[string]func(http.ResponseWriter){"POST /logout": status(code)})
		if _, err := ts.Token(); err != nil {
			t.Fatal(err)
		}
		if err := ts.Revoke(t.Context()); err != nil {
			t.Errorf("a log-out that is answered %d, without a body: got %v, want none", code, err)
		}
	}
	ts = clerksAPI(t, map[string]func(http.ResponseWriter){"POST /renew": status(401)})
	first, err := ts.Token()
	if err != nil {
		t.Fatal(err)
	}
	ts.Invalidate(first.AccessToken)
	if second, err := ts.Token(); err != nil || second.AccessToken == first.AccessToken {
		t.Errorf("a renewal that is answered 401: got %v and error %v, want the token of a sign-in", second, err)
	}
}
