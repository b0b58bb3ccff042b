package sessiontest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/exchange"
)

// described is a protocol with a refresh token and a one-time code.
var described = exchange.Description{
	SignIn:       "POST /login\n\n" + `{"u": "{email}", "p": "{password}", "c": "{code}", "t": "{tenant}"}`,
	Refresh:      "POST /renew\n\nr={refresh}",
	LogOut:       "DELETE /login",
	Token:        "token",
	ExpiresAt:    "at",
	Keep:         map[string]string{"refresh": "refresh"},
	RenewableFor: time.Hour,
	Send:         []string{"X-Auth: {token}"},
	Rejects:      []int{401, 419},
}

func describedBox(t *testing.T, opts ...Option) (*Server, *failures) {
	var f failures
	box := NewServer(append([]Option{WithProtocol(described), WithExtra(map[string]string{"tenant": "ours"}), Strict(&f)}, opts...)...)
	t.Cleanup(box.Close)
	return box, &f
}

// ask makes a call, and returns its status and its answer.
func ask(t *testing.T, box *Server, method, path, token, kind, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, box.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("X-Auth", token)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := box.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var got map[string]any
	json.Unmarshal(text, &got)
	return res.StatusCode, got
}

func login(t *testing.T, box *Server, code, tenant string) (int, map[string]any) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"u": Email, "p": Password, "c": code, "t": tenant})
	return ask(t, box, "POST", "/login", "", "application/json", string(body))
}

func renew(t *testing.T, box *Server, of map[string]any) (int, map[string]any) {
	t.Helper()
	return ask(t, box, "POST", "/renew", "", "application/x-www-form-urlencoded", fmt.Sprint("r=", of["refresh"]))
}

// open asks for the resource.
func open(t *testing.T, box *Server, with map[string]any) int {
	t.Helper()
	status, _ := ask(t, box, "GET", "/things", fmt.Sprint(with["token"]), "", "")
	return status
}

func want(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %d, want %d", what, got, want)
	}
}

// O8
func TestADescribedProtocolIsSpokenStrictly(t *testing.T) {
	box, failed := describedBox(t)
	for name, call := range map[string]struct{ method, path, token, kind, body, want string }{
		"a member missing": {"POST", "/login", "", "application/json", `{"u": "x"}`, "its body.c is not as it is described"},
		"another kind":     {"POST", "/login", "", "text/plain", `{}`, "its header Content-Type is not as it is described"},
		"a session":        {"POST", "/renew", "t", "application/x-www-form-urlencoded", `r=1`, "it has a header X-Auth, and none is described"},
		"no session":       {"DELETE", "/login", "", "", ``, "it does not carry the session as Send says: X-Auth"},
	} {
		status, _ := ask(t, box, call.method, call.path, call.token, call.kind, call.body)
		want(t, name, status, http.StatusBadRequest)
		if got := failed.take(); !strings.HasSuffix(got, call.want) {
			t.Errorf("%s: the test was failed with %q, want %q", name, got, call.want)
		}
	}
	want(t, "a request without a session", open(t, box, nil), 419)
	if _, refusal := ask(t, box, "GET", "/things", "", "", ""); fmt.Sprint(refusal["status"]) != "419" {
		t.Errorf("a request without a session: got the status %v in the answer, want 419 as the answer itself has", refusal["status"])
	}
	if got := failed.take(); got != "" {
		t.Errorf("a request to the resource failed the test: %s", got)
	}
}

// O8
func TestASignInHasTheTenantAndACodeThatIsGoodOnce(t *testing.T) {
	box, failed := describedBox(t)
	code := box.NewOneTimeCode(Email)
	for _, c := range []struct {
		name, code, tenant string
		want               int
	}{
		{"no code", "", "ours", 401},
		{"another code", "guess", "ours", 401},
		{"another tenant", code, "theirs", 401},
		{"right", code, "ours", 200},
		{"the code again", code, "ours", 401},
	} {
		status, _ := login(t, box, c.code, c.tenant)
		want(t, c.name, status, c.want)
	}
	if got := failed.take(); got != "" {
		t.Errorf("a call as it is described failed the test: %s", got)
	}
	if got := box.NewOneTimeCode("nobody"); got != "" {
		t.Errorf("got a code for nobody: %q", got)
	}
}

// O8
func TestARefreshTokenIsGoodAsOftenAsTheOptionsSay(t *testing.T) {
	for name, c := range map[string]struct {
		option     Option
		rotated    bool
		again      int // the status of a second refresh with the first token
		afterwards int // that of the resource, with the session that the first brought
		reused     int
	}{
		"for ever":        {func(*options) {}, false, 200, 200, 0},
		"rotation":        {WithRotation(), true, 401, 200, 1},
		"reuse detection": {WithReuseDetection(), true, 401, 419, 1},
	} {
		box, _ := describedBox(t, c.option)
		_, first := login(t, box, box.NewOneTimeCode(Email), "ours")
		status, second := renew(t, box, first)
		want(t, name+": the first refresh", status, 200)
		if got := second["refresh"] != nil; got != c.rotated || second["token"] == first["token"] {
			t.Errorf("%s: got a new refresh token: %v, want %v; and another token", name, got, c.rotated)
		}
		status, _ = renew(t, box, first)
		want(t, name+": the second refresh", status, c.again)
		want(t, name+": the resource afterwards", open(t, box, second), c.afterwards)
		want(t, name+": reuses", box.Counts().Reused, c.reused)
	}
}

func TestALogOutEndsOneSessionAndARevocationAllOfAUser(t *testing.T) {
	box, _ := describedBox(t)
	_, first := login(t, box, box.NewOneTimeCode(Email), "ours")
	_, second := login(t, box, box.NewOneTimeCode(Email), "ours")
	status, _ := ask(t, box, "DELETE", "/login", fmt.Sprint(first["token"]), "", "")
	want(t, "the log-out", status, http.StatusNoContent)
	want(t, "the session after it", open(t, box, first), 419)
	want(t, "the other one", open(t, box, second), 200)
	status, _ = renew(t, box, first)
	want(t, "its refresh", status, 401)
	box.Revoke(Email)
	want(t, "the other one, revoked", open(t, box, second), 419)
	status, _ = renew(t, box, second)
	want(t, "its refresh, revoked", status, 401)
}

func TestAnExpiryIsToldInTheFormThatIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		option Option
		read   func(any) time.Time
	}{
		"RFC 3339":     {func(*options) {}, func(v any) time.Time { at, _ := time.Parse(time.RFC3339, v.(string)); return at }},
		"seconds":      {WithUnixExpiry(time.Second), func(v any) time.Time { return time.Unix(int64(v.(float64)), 0) }},
		"milliseconds": {WithUnixExpiry(time.Millisecond), func(v any) time.Time { return time.UnixMilli(int64(v.(float64))) }},
	} {
		box, _ := describedBox(t, c.option, WithTokenLife(time.Hour))
		_, got := login(t, box, box.NewOneTimeCode(Email), "ours")
		if left := time.Until(c.read(got["at"])); left < 59*time.Minute || left > time.Hour {
			t.Errorf("%s: got a life of %v, want an hour", name, left)
		}
	}
}

// O9
func TestASlidingSessionIsProlongedWithoutAToken(t *testing.T) {
	p := described
	p.SignIn, p.Refresh, p.Keep, p.ExpiresAt, p.ExpiresIn = "POST /login\n\nu={email}&p={password}", "GET /login", nil, "", "10m"
	box := NewServer(WithProtocol(p), WithSlidingSessions(), Strict(t))
	defer box.Close()
	_, session := ask(t, box, "POST", "/login", "", "application/x-www-form-urlencoded", "u="+Email+"&p="+strings.ReplaceAll(Password, " ", "+"))
	status, prolonged := ask(t, box, "GET", "/login", fmt.Sprint(session["token"]), "", "")
	if status != 200 || len(prolonged) != 0 {
		t.Errorf("got %d %v, want 200 and nothing in it", status, prolonged)
	}
	want(t, "the resource", open(t, box, session), 200)
}

func TestADescriptionThatCannotWorkIsAnError(t *testing.T) {
	if _, err := Start(WithProtocol(exchange.Description{SignIn: "POST /"})); err == nil || !strings.Contains(err.Error(), "Protocol.Token") {
		t.Errorf("got %v, want an error that names Protocol.Token", err)
	}
}
