package jwtsession

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// O4
func TestTheIdentityIsTheWholeDescriptionAndAllOfTheCredentials(t *testing.T) {
	other := rotating
	other.RenewableFor++
	seen := map[string]string{}
	for name, c := range map[string]struct {
		p Protocol
		c Credentials
	}{
		"PacerPro":           {Protocol{}, Credentials{Email: "e", Password: "p"}},
		"PacerPro and Extra": {Protocol{}, Credentials{Email: "e", Password: "p", Extra: map[string]string{"a": "b"}}},
		"another":            {rotating, Credentials{Email: "e", Password: "p"}},
		"yet another":        {other, Credentials{Email: "e", Password: "p"}},
		"a tenant":           {rotating, Credentials{Email: "e", Password: "p", Extra: map[string]string{"tenant": "x"}}},
		"another tenant":     {rotating, Credentials{Email: "e", Password: "p", Extra: map[string]string{"tenant": "y"}}},
		"another password":   {rotating, Credentials{Email: "e", Password: "q", Extra: map[string]string{"tenant": "x"}}},
		"another name":       {rotating, Credentials{Email: "f", Password: "p", Extra: map[string]string{"tenant": "x"}}},
		"a shifted name":     {rotating, Credentials{Email: "e", Password: "p", Extra: map[string]string{"tenan": "tx"}}},
	} {
		client, err := c.p.NewClient("https://h", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		account, secret := client.identity(c.c)
		if taken, is := seen[account+"\x00"+secret]; is {
			t.Errorf("%s is the same as %s", name, taken)
		}
		seen[account+"\x00"+secret] = name
		c.c.OneTimeCode, c.c.Extra = "123456", maps.Clone(c.c.Extra)
		if again, same := client.identity(c.c); again != account || same != secret {
			t.Errorf("%s has another identity with a one-time code", name)
		}
		if name == "PacerPro" && (account != "e" || secret != "p") {
			t.Errorf("PacerPro's is %q and %q, want e and p, by which caches are sealed", account, secret)
		}
	}
}

// O6
func TestTheTokenTypeIsTheSchemeOfTheAuthorizationHeader(t *testing.T) {
	for send, want := range map[string]string{
		"":                                     "Bearer",
		"Authorization: Token {token}":         "Token",
		"Authorization: Token token= {token}":  "Token token=",
		"Authorization: {token}":               "",
		"Authorization: Token token={token}":   "",
		"Authorization: Token {token}; v=1":    "",
		"Authorization: Token {token} {token}": "",
		"X-Auth-Token: {token}":                "",
	} {
		p := Protocol{SignIn: "POST /token\n\nu={email}", Token: "token"}
		if send != "" {
			p.Send = []string{send}
		}
		client, err := p.NewClient("https://h", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := client.tokenType()
		if got != want {
			t.Errorf("%q: got the type %q, want %q", send, got, want)
		}
		ours, theirs := httptest.NewRequest("GET", "https://h/", nil), httptest.NewRequest("GET", "https://h/", nil)
		client.Sign(ours, Session{Token: "abc"})
		(&oauth2.Token{AccessToken: "abc", TokenType: got}).SetAuthHeader(theirs)
		if ours, theirs := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != "" && ours != theirs {
			t.Errorf("%q: oauth2 sends %q, want %q as we do", send, theirs, ours)
		}
	}
}

// O2
func TestADescriptionThatCannotWorkIsAnErrorOfNewClient(t *testing.T) {
	for want, change := range map[string]func(*Protocol){
		"jwtsession: Protocol.Refresh: unknown placeholder {refesh}: did you mean {refresh}?": func(p *Protocol) { p.Refresh = "POST /r?t={refesh}" },
		"jwtsession: Protocol.SignIn: there is none":                                          func(p *Protocol) { p.SignIn = "" },
		"jwtsession: Protocol.Token: there is none":                                           func(p *Protocol) { p.Token = "" },
	} {
		p := rotating
		change(&p)
		if _, err := p.NewClient("https://h", canaryTenant, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := rotating.NewClient("", canaryTenant, nil); err == nil || !strings.Contains(err.Error(), "Config.BaseURL") {
		t.Errorf("without a URL: got %v, want an error that says what to set", err)
	}
	if _, err := rotating.NewClient("http://example.com", canaryTenant, nil); !errors.Is(err, ErrInsecureURL) {
		t.Errorf("without TLS: got %v, want ErrInsecureURL", err)
	}
}

// O2: what the credentials lack is an error of the sign-in, and sends nothing.
func TestWhatTheDescriptionNamesAndTheCredentialsLackIsAnErrorBeforeAnyCall(t *testing.T) {
	p := rotating
	p.SignIn = "POST /{tenant}\nAuthorization: Basic {basic}\nX-Code: {code}"
	full := Credentials{Email: canaryEmail, Password: canaryPassword, OneTimeCode: "CANARY", Extra: map[string]string{"tenant": "CANARY"}}
	for want, change := range map[string]func(*Credentials){
		"no e-mail address":              func(c *Credentials) { c.Email = "" },
		"no password":                    func(c *Credentials) { c.Password = "" },
		ErrOneTimeCode.Error():           func(c *Credentials) { c.OneTimeCode = "" },
		"unknown placeholder {tenant}":   func(c *Credentials) { c.Extra = nil },
		"Extra: {csrf} is taken":         func(c *Credentials) { c.Extra = map[string]string{"tenant": "CANARY", "csrf": "CANARY"} },
		"it has a control character":     func(c *Credentials) { c.OneTimeCode = "CANARY\r\n" },
		"the path has a segment of dots": func(c *Credentials) { c.Extra = map[string]string{"tenant": ".."} },
		"":                               func(*Credentials) {},
	} {
		c := full
		change(&c)
		var calls atomic.Int32
		client := speaking(t, p, c, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			w.Header().Set("Set-Cookie", "csrf=c")
			io.WriteString(w, `{"data":{"access":"a"}}`)
		})
		_, err := client.Create(t.Context())
		if want == "" {
			if err != nil || calls.Load() != 1 {
				t.Errorf("with all of it: got %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "CANARY") || !isLocal(err) {
			t.Errorf("got %v, want an error of ours with %q", err, want)
		}
		if n := calls.Load(); n != 0 {
			t.Errorf("%s: the server got %d calls, want none", want, n)
		}
	}
}

// X4: a server that repeats what it got.
func TestAServerThatRepeatsWhatItGotGivesNothingAway(t *testing.T) {
	p := rotating
	p.SignIn = "POST /{tenant}?c={code}\nAuthorization: Basic {basic}"
	c := Credentials{Email: canaryEmail, Password: canaryPassword, OneTimeCode: "CANARY-code", Extra: map[string]string{"tenant": "CANARY-tenant"}}
	s := Session{Token: canaryOpaque, State: `{"refresh":"CANARY-refresh","csrf":"CANARY-csrf","tenant":"CANARY-tenant","email":"e"}`}
	for _, status := range []int{200, 302, 400, 401, 500} {
		client := speaking(t, p, c, func(w http.ResponseWriter, r *http.Request) {
			text := seen(r) + fmt.Sprint(r.Header)
			w.Header().Set("Location", "https://h/"+text)
			w.Header().Set("Content-Type", text)
			w.WriteHeader(status)
			io.WriteString(w, text)
		})
		_, err1 := client.Create(t.Context())
		_, err2 := client.Refresh(t.Context(), s)
		for _, err := range []error{err1, err2, client.Revoke(t.Context(), s)} {
			shownNowhere(t, fmt.Sprint("an error with ", status), err)
		}
	}
	shownNowhere(t, "Credentials", c)
	shownNowhere(t, "Session", s)
	client := speaking(t, p, c, func(http.ResponseWriter, *http.Request) {})
	shownNowhere(t, "a client", client)
	shownNowhere(t, "a hidden client", struct{ c *Client }{client})
}

// A person is asked for a code only once it is known that there is a sign-in.
func TestASessionInTheCacheNeedsNoOneTimeCode(t *testing.T) {
	box := sessiontest.NewServer(sessiontest.WithProtocol(withCode))
	defer box.Close()
	store := cache.NewMemory()
	token := func(code string) (*oauth2.Token, error) {
		ts := newSourceOf(t, Config{BaseURL: box.URL, Protocol: &withCode, Cache: store, Credentials: Credentials{Email: sessiontest.Email, Password: sessiontest.Password, OneTimeCode: code}})
		return ts.Token()
	}
	if _, err := token(""); !errors.Is(err, ErrOneTimeCode) || box.Counts().Creates != 0 {
		t.Errorf("nothing cached: got %v, want that a code is missing, and no call", err)
	}
	first, err := token(box.NewOneTimeCode(sessiontest.Email))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := token(""); err != nil || again.AccessToken != first.AccessToken {
		t.Errorf("a cached session: got %v, want the same token", err)
	}
}

var withCode = Protocol{SignIn: "POST /login\n\nu={email}&p={password}&c={code}", Token: "token"}

// O6
func TestASourcesTokenHasTheTypeThatItsIssuerSendsItWith(t *testing.T) {
	described := Protocol{SignIn: "POST /token\n\nu={email}", Token: "token", Send: []string{"Authorization: Token {token}"}}
	for want, config := range map[string]Config{
		"Token":  {BaseURL: "https://api.example.com", Protocol: &described, Credentials: Credentials{Email: "clerk@example.com", Password: "secret"}},
		"Bearer": {BaseURL: "https://api.example.com", Issuer: &issuerFuncs{}},
	} {
		if got := newSourceOf(t, config).tokenType(); got != want {
			t.Errorf("got the type %q, want %q", got, want)
		}
	}
}

// O2: half a description is a mistake, and not PacerPro's.
func TestADescriptionOfOneFieldIsNoneOfPacerPros(t *testing.T) {
	for field, p := range map[string]Protocol{
		"SignIn": {SignIn: "POST /login"}, "Refresh": {Refresh: "GET /login"}, "LogOut": {LogOut: "DELETE /login"}, "Token": {Token: "token"},
		"ExpiresAt": {ExpiresAt: "until"}, "ExpiresIn": {ExpiresIn: "in"}, "Keep": {Keep: map[string]string{"a": "b"}},
		"RenewableFor": {RenewableFor: time.Hour}, "Send": {Send: []string{"X-Token: {token}"}}, "Rejects": {Rejects: []int{403}},
	} {
		if _, err := p.NewClient("https://api.example.com", nil, nil); err == nil {
			t.Errorf("with %s alone: got no error, want one that says what is missing", field)
		}
	}
}
