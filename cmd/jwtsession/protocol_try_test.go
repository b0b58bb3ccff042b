package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// descriptionFile is a file with a description.
func descriptionFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "api.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTryingADescriptionShowsEachStepAndWhatWasFoundWhere(t *testing.T) {
	extra := map[string]string{"tenant": "TENANT-secret", "client-secret": "CLIENT-secret"}
	server, b := speaking(t, tenantsProtocol(t), extra, sessiontest.WithReuseDetection())
	file := descriptionFile(t, tenants)
	code, output, stderr := b.run(t, "protocol", "try", file, "--get", "/me")
	if code != exitOK || stderr != "" {
		t.Fatalf("got code %d, %q and\n%s\nwant %d", code, stderr, output, exitOK)
	}
	at := 0
	for _, want := range []string{
		"and the protocol is " + file,
		"\n1  Sign in\n   POST /{tenant}/login\n   X-Client: {client-secret}\n   \n   {\"user\": \"{email}\", \"password\": \"{password}\"}\n\n   200 OK, application/json, ",
		"data.life     900000                   <- expires_in\n", "data.refresh  a text of 27 characters  <- keep.refresh\n", "data.token    a text of 27 characters  <- token\n",
		"cookie:csrf   a text of 27 characters  <- keep.csrf\n", "header:X-Id   a text of 27 characters  <- keep.id\n",
		"It expires in 15m0s.\n\n   GET /v1/me, signed in:\n   200 OK: the session is not rejected.\n",
		"\n2  Refresh\n   POST /{tenant}/refresh\n", "The token is a new one.\n   {refresh} is another one: it is used once, by one process.\n",
		"\n3  Log out\n   DELETE /login/{id}\n   Cookie: SID={token}\n\n   204 No Content, no body, ",
		"419: the session is rejected.\n", "\nNothing is missing.\n",
	} {
		next := strings.Index(output[at:], want)
		if next < 0 {
			t.Fatalf("got no %q after %d bytes of\n%s", want, at, output)
		}
		at += next
	}
	for name, secret := range map[string]string{"the password": sessiontest.Password, "the tenant": "TENANT", "the client's secret": "CLIENT", "the account": sessiontest.Email} {
		if strings.Contains(output, secret) {
			t.Errorf("%s is in\n%s", name, output)
		}
	}
	if issued := regexp.MustCompile(`[tk][A-Z2-7]{26}`); issued.MatchString(output) {
		t.Errorf("what the server has issued is in\n%s", output)
	}
	if got := server.Counts(); got.Created != 1 || got.Refreshed != 1 || got.Revoked != 1 || got.Reused != 0 || got.Served != 2 {
		t.Errorf("got %+v, want one call of each kind, and two requests that were served", got)
	}
}

func TestTryingADescriptionSaysWhatIsMissingAndWhatMayBeMeant(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jwtsession.Protocol)
		code   int
		want   []string
	}{
		"where the token is": {func(p *jwtsession.Protocol) { p.Token = "data.acces_token" }, exitFailure,
			[]string{`missing: token: there is nothing at "data.acces_token" that could be it; did you mean "access_token"?`}},
		"what is kept": {func(p *jwtsession.Protocol) { p.Keep = map[string]string{"refresh": "refreshToken"} }, exitFailure,
			[]string{`missing: keep.refresh: there is nothing at "refreshToken" that could be it; did you mean "refresh_token"?`, "the refresh cannot be made", "no log-out of this session"}},
		"how long it lives": {func(p *jwtsession.Protocol) { p.ExpiresIn = "expire" }, exitFailure,
			[]string{`missing: expires_in: there is nothing at "expire"`, "Nobody knows when it expires"}},
		"the body": {func(p *jwtsession.Protocol) { p.SignIn = "POST /login\n\nusername={email}&password={password}" }, exitRejected,
			[]string{"400 Bad Request, application/json"}},
		"the path": {func(p *jwtsession.Protocol) { p.SignIn = strings.Replace(p.SignIn, "/login", "/sign-in", 1) }, exitRejected,
			[]string{"401 Unauthorized"}},
		"the refresh": {func(p *jwtsession.Protocol) { p.Refresh = "PUT /refresh\n\nr={refresh}" }, exitRejected,
			[]string{"2  Refresh", "401 Unauthorized", "3  Log out", "204 No Content"}}, // the session does not stay
		"how requests carry it": {func(p *jwtsession.Protocol) { p.Send = []string{"X-Token: {token}"} }, exitFailure,
			[]string{"401 Unauthorized: the session is rejected.\n   missing: send: the API rejects a session that has just begun"}},
		"the log-out": {func(p *jwtsession.Protocol) { p.LogOut = "" }, exitOK,
			[]string{"There is no log-out", "Nothing is missing"}},
	} {
		server := sessiontest.NewServer(sessiontest.WithProtocol(protocols.GinJWT))
		t.Cleanup(server.Close)
		b := boxAt(t, server.URL)
		p := protocols.GinJWT
		c.change(&p)
		code, output, stderr := b.run(t, "protocol", "try", descriptionFile(t, describe(p).String()), "--get", "/me")
		if code != c.code || (stderr == "") != (code == exitOK) || strings.Count(stderr, "\n") > 1 {
			t.Errorf("%s: got code %d and %q, want %d and one line", name, code, stderr, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(output, want) {
				t.Errorf("%s: got no %q in\n%s", name, want, output)
			}
		}
		if strings.Contains(output+stderr, sessiontest.Password) {
			t.Errorf("%s: the password is in\n%s%s", name, output, stderr)
		}
	}
}

func TestADescriptionThatCannotBeTriedIsAMistakeOfTheCommandLine(t *testing.T) {
	setHermetic(t)
	t.Setenv("JWTSESSION_BASE_URL", "https://api.example.com")
	t.Setenv("JWTSESSION_EMAIL", "clerk@example.com")
	t.Setenv("JWTSESSION_PASSWORD", "hunter2")
	good := describe(protocols.GinJWT).String()
	for want, args := range map[string][]string{
		"no such file": {"/no/such/file"},
		"nothing is called tokn: did you mean token?":   {descriptionFile(t, strings.Replace(good, "\ntoken =", "\ntokn =", 1))},
		"sign_in: unknown placeholder {passwort}: did":  {descriptionFile(t, strings.Replace(good, "{password}", "{passwort}", 1))},
		"(last key \"token\"): token is there twice":    {descriptionFile(t, good+"token = 't'\n")},
		"there is a file with a description, and --pro": {descriptionFile(t, good), "--protocol", "pocketbase"},
		"is not of the API's origin":                    {descriptionFile(t, good), "--get", "https://elsewhere.example.com/me"},
		"wants {tenant}: set JWTSESSION_EXTRA_TENANT":   {descriptionFile(t, strings.Replace(good, "/login", "/{tenant}/login", 1))},
	} {
		code, _, stderr := commandLine(t, append([]string{"protocol", "try"}, args...)...)
		if code != exitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "hunter2") {
			t.Errorf("got code %d and %q, want %d and one line with %q", code, stderr, exitUsage, want)
		}
	}
}

// A server that puts what it got, and what it issues, wherever it can.
func TestTryingADescriptionShowsNoSecretThatAServerRepeats(t *testing.T) {
	const issued = "ISSUED-token"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			panic(http.ErrAbortHandler)
		}
		password := r.FormValue("p")
		w.Header().Set("Content-Type", "application/json; x="+password)
		w.Header().Set("X-"+password, password)
		w.Header().Add("Set-Cookie", password+"="+password)
		json.NewEncoder(w).Encode(map[string]any{"token": issued, "life": password, password: map[string]any{issued: 7}})
	}))
	defer server.Close()
	b := boxAt(t, server.URL).with("JWTSESSION_PASSWORD=CANARY-password")
	file := descriptionFile(t, "sign_in = 'POST /login?p={password}'\nrefresh = 'POST /refresh?p={password}'\nlog_out = 'DELETE /login?t={token}'\ntoken = 'token'\nexpires_in = 'life'\nsend = ['?sid={token}']\n")
	_, output, stderr := b.run(t, "protocol", "try", file, "--get", "/me", "--verbose")
	if !strings.Contains(output, "no answer: ") || !strings.Contains(output, "3  Log out") || !strings.Contains(output, "left out") {
		t.Errorf("got\n%s%s\nwant all steps, and that something is left out", output, stderr)
	}
	for _, secret := range []string{"CANARY", "Canary", issued, "canary"} {
		if strings.Contains(output+stderr, secret) {
			t.Errorf("%s is in\n%s%s", secret, output, stderr)
		}
	}
}

func TestTryingADescriptionFindsNoCookieThatTheAnswerDeletes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "SID=issued; Path=/")
		w.Header().Add("Set-Cookie", "SID=deleted; Path=/; Max-Age=0")
	}))
	defer server.Close()
	file := descriptionFile(t, "sign_in = 'POST /login'\ntoken = 'cookie:SID'\nexpires_in = '1h'\nsend = ['Cookie: SID={token}']\n")
	code, output, stderr := boxAt(t, server.URL).run(t, "protocol", "try", file)
	want := `missing: token: there is nothing at "cookie:SID" that could be it` + "\n"
	if code != exitFailure || !strings.Contains(output, want) || strings.Contains(output, "<- token") {
		t.Errorf("got code %d, %q and\n%s\nwant %d and %q", code, stderr, output, exitFailure, want)
	}
}

// There is no place to name that the credentials are from.
func TestTheRefusalOfASignInThatSendsNothingSaysSo(t *testing.T) {
	server := sessiontest.NewServer()
	defer server.Close()
	file := descriptionFile(t, "sign_in = 'POST /session'\ntoken = 'x'\n")
	code, _, stderr := boxAt(t, server.URL).run(t, "protocol", "try", file)
	want := "; check the e-mail address and the password; the sign_in of " + file + " sends nothing of the credentials\n"
	if code != exitRejected || !strings.HasSuffix(stderr, want) {
		t.Errorf("got code %d and %q, want %d and at the end %q", code, stderr, exitRejected, want)
	}
}
