package jwtsession

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// historyServer is the server of a history: PacerPro's in a box, or one that
// rotates refresh tokens.
type historyServer interface {
	config(m *member) Config
	logOut()
	fail(s happening)
	heal()
	lives(token string) bool // whether it opens the API, but for its expiry
}

// boxed is PacerPro's.
type boxed struct{ *sessiontest.Server }

func (b boxed) config(m *member) Config {
	return Config{
		BaseURL:     m.world.base(),
		Credentials: CredentialsProviderFunc(m.world.retrieve),
		HTTPClient:  &http.Client{Transport: &memberTransport{m, b.Client().Transport}},
	}
}

func (b boxed) logOut() { b.RevokeAll() }
func (b boxed) heal()   { b.Heal() }

func (b boxed) lives(token string) bool {
	return lifetime.OfToken(token).ID == lifetime.OfToken(b.NewToken(sessiontest.Email, time.Hour)).ID // spun by a log-out
}

var boxFaults = map[string]sessiontest.Fault{
	"500":          {Status: 500},
	"503 and wait": {Status: 503, RetryAfter: "40"},
	"429 and wait": {Status: 429, RetryAfter: "100"},
	"hang":         {Hang: true},
	"drop":         {Drop: true},
	"truncate":     {Truncate: true},
	"late":         {Delay: 3 * time.Second},
	"very late":    {Delay: 19 * time.Second},
	"html":         {Body: "<html></html>", ContentType: "text/html"},
	"redirect":     {Status: 307, Header: http.Header{"Location": {"https://login.example.com/"}}},
	"no content":   {Status: 204},
	"same expiry":  {SameExpiry: true},
	"expired":      {Expired: true},
	"401":          {Status: 401},
	"403":          {Status: 403},
	"404":          {Status: 404},
}

func (b boxed) fail(s happening) {
	f := boxFaults[s.what]
	if s.to == "revoke" && (s.what == "html" || s.what == "no content") {
		f = sessiontest.Fault{Status: 500} // it would be a success that is none
	}
	b.Inject(sessiontest.Op(s.to), s.n, f)
}

// memberTransport carries all that one source sends, and keeps an eye on it.
type memberTransport struct {
	of   *member
	base http.RoundTripper
}

func (m *memberTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	op := map[string]string{http.MethodPost: "create", http.MethodGet: "refresh", http.MethodDelete: "revoke"}[req.Method]
	if !strings.HasSuffix(req.URL.Path, "/session") {
		op = "resource"
	}
	if op == "create" {
		token = passwordIn(req)
	}
	c := m.of.began(op, token)
	res, err := m.base.RoundTrip(req)
	status, wait := 0, time.Duration(0)
	if err == nil {
		status = res.StatusCode
		wait, _ = time.ParseDuration(res.Header.Get("Retry-After") + "s")
	}
	m.of.ended(c, status, wait)
	return res, err
}

// passwordIn is what a sign-in sends.
func passwordIn(req *http.Request) string {
	var sent struct{ Password string }
	if body, err := req.GetBody(); err == nil {
		json.NewDecoder(body).Decode(&sent)
	}
	return sent.Password
}

// rotatingServer is a server that rotates refresh tokens.
type rotatingServer struct {
	*rotation
	faults map[string][]happening
}

func newRotating(h history) *rotatingServer {
	r := &rotatingServer{newRotation(), map[string][]happening{}}
	r.rotation.life, r.latency = h.life, h.latency
	r.renewable = h.life + time.Hour
	r.trouble = func(call string) trouble { // rotation's mu is held
		row := r.faults[call]
		if len(row) == 0 {
			return trouble{}
		}
		fault := row[0]
		r.faults[call] = row[1:]
		return r.troubleOf(call, fault.what)
	}
	return r
}

func (r *rotatingServer) troubleOf(call, what string) trouble {
	api := func(status int, wait time.Duration) trouble {
		return trouble{before: &APIError{Op: call, Host: "api.example.com", StatusCode: status, RetryAfter: wait}}
	}
	later := func(d time.Duration) trouble {
		hold := make(chan struct{})
		time.AfterFunc(d, func() { close(hold) })
		return trouble{hold: hold}
	}
	switch what {
	case "503 and wait":
		return api(503, 40*time.Second)
	case "429 and wait":
		return api(429, 100*time.Second)
	case "hang":
		return later(time.Minute)
	case "drop", "truncate":
		return trouble{after: errLost}
	case "late":
		return later(3 * time.Second)
	case "very late":
		return later(19 * time.Second)
	case "redirect":
		return trouble{before: unsent{}}
	case "401":
		return api(401, 0)
	case "403":
		return api(403, 0)
	case "404":
		return api(404, 0)
	}
	return api(500, 0)
}

func (r *rotatingServer) config(m *member) Config {
	return Config{
		BaseURL:    m.world.base(),
		Issuer:     &memberIssuer{m, r.rotation},
		Account:    "worker@example.com",
		HTTPClient: &http.Client{Transport: &memberTransport{m, r}},
	}
}

func (r *rotatingServer) logOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.families {
		f.ended = true
	}
}

func (r *rotatingServer) fail(s happening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range s.n {
		r.faults[s.to] = append(r.faults[s.to], s)
	}
}

func (r *rotatingServer) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.faults)
}

func (r *rotatingServer) lives(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range r.families {
		if strings.HasPrefix(token, fmt.Sprintf("access-%d-", i)) {
			return !f.ended
		}
	}
	return false
}

// RoundTrip answers a request for the resource.
func (r *rotatingServer) RoundTrip(req *http.Request) (*http.Response, error) {
	token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	status := http.StatusOK
	if !r.lives(token) {
		status = http.StatusUnauthorized
	}
	r.mu.Lock()
	if row := r.faults["resource"]; len(row) > 0 {
		r.faults["resource"], status = row[1:], http.StatusUnauthorized
	}
	r.mu.Unlock()
	if req.Body != nil {
		req.Body.Close()
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// memberIssuer keeps an eye on what one source asks of the server.
type memberIssuer struct {
	of     *member
	server *rotation
}

func (i *memberIssuer) watch(op, token string, call func() error) {
	c := i.of.began(op, token)
	err := call()
	status, wait := 200, time.Duration(0)
	var api *APIError
	switch {
	case errors.As(err, &api):
		status, wait = api.StatusCode, api.RetryAfter
	case errors.Is(err, ErrUnauthorized):
		status = 401
	case err != nil:
		status = 0
	}
	i.of.ended(c, status, wait)
}

func (i *memberIssuer) Create(ctx context.Context) (s Session, err error) {
	i.watch("create", "", func() error { s, err = i.server.Create(ctx); return err })
	return s, err
}

func (i *memberIssuer) Refresh(ctx context.Context, old Session) (s Session, err error) {
	i.watch("refresh", old.Token, func() error { s, err = i.server.Refresh(ctx, old); return err })
	return s, err
}

func (i *memberIssuer) Revoke(ctx context.Context, s Session) (err error) {
	i.watch("revoke", s.Token, func() error { err = i.server.Revoke(ctx, s); return err })
	return err
}
