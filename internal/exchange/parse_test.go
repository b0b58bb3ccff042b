package exchange

import (
	"strings"
	"testing"
	"time"
)

// rotating is a description with all that there may be in one.
var rotating = Description{
	SignIn:       "POST /api/{tenant}/token HTTP/1.1\r\nX-Client: {client}\r\n\r\n{\"user\": \"{email}\", \"password\": \"{password}\", \"otp\": \"{code}\"}",
	Refresh:      "POST /api/token/refresh\n\ngrant_type=refresh_token&refresh_token={refresh}\n",
	LogOut:       "DELETE /api/token?reason=log%20out",
	Token:        "data.0.access",
	ExpiresAt:    "data.0.expires_at",
	ExpiresIn:    "data.0.expires_in",
	Keep:         map[string]string{"refresh": "data.0.refresh", "csrf": "cookie:csrf"},
	RenewableFor: 24 * time.Hour,
	Send:         []string{"X-Auth-Token: {token}", "X-CSRF: {csrf}", "Cookie: SID={token}", "?sid={token}"},
	Rejects:      []int{401, 403},
}

// with is a copy of rotating that differs in what change does.
func with(change func(d *Description)) Description {
	d := rotating
	change(&d)
	return d
}

// O2: each error names the field and what is wrong with it, in one line.
func TestADescriptionThatCannotWorkIsAnErrorThatNamesItsField(t *testing.T) {
	const secret = "CANARY"
	signIn := func(s string) Description { return with(func(d *Description) { d.SignIn = s }) }
	refresh := func(s string) Description { return with(func(d *Description) { d.Refresh = s }) }
	send := func(s ...string) Description { return with(func(d *Description) { d.Send = s }) }
	keep := func(name, path string) Description {
		return with(func(d *Description) { d.Refresh, d.Send, d.Keep = "", nil, map[string]string{name: path} })
	}
	cases := []struct {
		name string
		d    Description
		want string
	}{
		{"no sign-in", signIn(""), "Protocol.SignIn: there is none"},
		{"white space", signIn(" \r\n"), "Protocol.SignIn: there is none"},
		{"comments only", signIn("# POST /login\n// no more"), "Protocol.SignIn: there is no request line"},
		{"no method", signIn("/login"), `Protocol.SignIn: the first line is no request line`},
		{"a method in lower case", signIn("post /login"), `Protocol.SignIn: "post" is no method`},
		{"a URL in place of a path", signIn("POST https://" + secret + "/login"), "Protocol.SignIn: the request line has no path"},
		{"a body in place of a request", signIn(`{"email": "{email}"}`), "Protocol.SignIn: the first line is no request line"},
		{"another version", signIn("POST /login HTTPS/1.1"), "Protocol.SignIn: the first line is no request line"},
		{"a placeholder for the method", signIn("{method} /login"), "Protocol.SignIn: the first line is no request line"},
		{"a fragment", signIn("POST /login#" + secret), "Protocol.SignIn: the path has a fragment"},
		{"a stray brace", signIn("POST /{e-mail!}"), "Protocol.SignIn: the path has a brace"},
		{"a bad escape", signIn("POST /%zz"), "Protocol.SignIn: the path is not one"},
		{"a path that leads out", signIn("POST /a/%2e%2E/b"), "Protocol.SignIn: the path has a segment of dots"},
		{"a header without a colon", signIn("POST /login\nAccept application/json"), "Protocol.SignIn: what follows the first line"},
		{"no empty line before the body", signIn("POST /login\n{\"password\": \"" + secret + "\"}"), "Protocol.SignIn: what follows the first line"},
		{"a CR in a header", signIn("POST /login\nX-A: a\rb"), "Protocol.SignIn: the header X-A has a control character"},
		{"a placeholder in a header's name", signIn("POST /login\nX-{email}: a"), "Protocol.SignIn: what follows the first line"},
		{"a Host", signIn("POST /login\nhost: example.com"), "Protocol.SignIn: the header Host is not to be set"},
		{"a Content-Length", signIn("POST /login\nContent-Length: 5\n\na=b"), "Protocol.SignIn: the header Content-Length is not to be set"},
		{"a Content-Type that is none", signIn("POST /login\nContent-Type: json;;\n\n{}"), "Protocol.SignIn: the Content-Type"},
		{"two Content-Types", signIn("POST /login\nContent-Type: application/json\ncontent-type: text/xml\n\n{}"), "Protocol.SignIn: the header Content-Type is there twice"},
		{"a Content-Type to fill in", signIn("POST /login\nContent-Type: {kind}\n\n{}"), "Protocol.SignIn: the Content-Type has a placeholder"},
		{"a body that is no JSON", signIn("POST /login\n\n{\"password\": \"{password}\",}"), "Protocol.SignIn: the body is no JSON"},
		{"a placeholder outside of a string", signIn("POST /login\n\n{\"password\": {password}}"), "Protocol.SignIn: the body is no JSON"},
		{"a placeholder behind an escape", signIn(`POST /login` + "\n\n" + `{"password": "\{password}"}`), "Protocol.SignIn: the body is no JSON"},
		{"a form in two lines", signIn("POST /login\n\na={email}\n&b={password}"), "Protocol.SignIn: the body is no form"},
		{"a form with a space", signIn("POST /login\n\na=b c"), "Protocol.SignIn: the body is no form"},
		{"a form with a bad escape", signIn("POST /login\n\na=%zz"), "Protocol.SignIn: the body is no form"},
		{"an unclosed brace in a form", signIn("POST /login\n\nemail={email&p={password}"), "Protocol.SignIn: the body has a brace that is no placeholder's"},
		{"an unopened brace in a form", signIn("POST /login\n\nemail=email}&p={password}"), "Protocol.SignIn: the body has a brace that is no placeholder's"},
		{"a name that is none in a form", signIn("POST /login\n\nemail={e.mail}&p={password}"), "Protocol.SignIn: the body has a brace that is no placeholder's"},
		{"an unclosed brace in JSON", signIn("POST /login\n\n{\"email\": \"{email\", \"p\": \"{password}\"}"), "Protocol.SignIn: the body has a brace that is not closed"},
		{"an unopened brace in JSON", signIn("POST /login\n\n{\"email\": \"email}\", \"p\": \"{password}\"}"), "Protocol.SignIn: the body has a brace that is not closed"},
		{"an unclosed brace in a header", signIn("POST /login\nAuthorization: Basic {basic"), "Protocol.SignIn: the header Authorization has a brace that is not closed"},
		{"an unclosed brace in a query", signIn("POST /login?e={email"), "Protocol.SignIn: the path has a brace that is no placeholder's"},
		{"an unclosed brace in a form of a refresh", refresh("POST /refresh\n\nr={refresh"), "Protocol.Refresh: the body has a brace that is no placeholder's"},
		{"a placeholder in XML", signIn("POST /login\nContent-Type: text/xml\n\n<a>{password}</a>"), "Protocol.SignIn: the body has a placeholder, and a Content-Type of text/xml"},
		{"two braces", signIn("POST /login\n\n{\"a\": \"{{ email }}\"}"), "Protocol.SignIn: {{email}} has a brace too many: write {email}"},
		{"what only a sign-in brings", signIn("POST /login?t={token}"), "Protocol.SignIn: {token} is not known before the sign-in"},
		{"what is kept of a sign-in", signIn("POST /login?t={refresh}"), "Protocol.SignIn: {refresh} is not known before the sign-in"},
		{"a typo", signIn("POST /login?t={passwrod}"), "Protocol.SignIn: unknown placeholder {passwrod}: did you mean {password}?"},
		{"capital letters", signIn("POST /login?t={Email}"), "Protocol.SignIn: unknown placeholder {Email}: did you mean {email}?"},
		{"a typo in a refresh", refresh("POST /refresh?t={refesh}"), "Protocol.Refresh: unknown placeholder {refesh}: did you mean {refresh}?"},
		{"a one-time code in a refresh", refresh("POST /refresh?t={code}"), "Protocol.Refresh: {code} is good for the sign-in only"},
		{"a log-out that is no request", with(func(d *Description) { d.LogOut = "LOGOUT" }), "Protocol.LogOut: the first line is no request line"},
		{"no token", with(func(d *Description) { d.Token = "" }), "Protocol.Token: there is none"},
		{"a token's path with a hole", with(func(d *Description) { d.Token = "data..token" }), `Protocol.Token: "data..token" is no path`},
		{"a token's path in JSONPath", with(func(d *Description) { d.Token = "$.data[0].token" }), `Protocol.Token: "$.data[0].token" is no path`},
		{"a header without a name", with(func(d *Description) { d.Token = "header:" }), `Protocol.Token: "header:" names no header`},
		{"a cookie without a name", with(func(d *Description) { d.Token = "cookie: a" }), `Protocol.Token: "cookie: a" names no cookie`},
		{"an expiry that is no path", with(func(d *Description) { d.ExpiresAt = "in 2 h" }), `Protocol.ExpiresAt: "in 2 h" is no path`},
		{"a life that is no path", with(func(d *Description) { d.ExpiresIn = "two hours" }), `Protocol.ExpiresIn: it is no duration like "2h"`},
		{"a life in words", with(func(d *Description) { d.ExpiresIn = "2 hours" }), `Protocol.ExpiresIn: "2 hours" is no duration`},
		{"a life of nothing", with(func(d *Description) { d.ExpiresIn = "0s" }), `Protocol.ExpiresIn: 0s is no life`},
		{"a life below zero", with(func(d *Description) { d.ExpiresIn = "-2h" }), `Protocol.ExpiresIn: -2h0m0s is no life`},
		{"a life in days", with(func(d *Description) { d.ExpiresIn = "7d" }), `Protocol.ExpiresIn: "7d" is no duration: give one like "2h" or "3600s", or say where the answer has it`},
		{"a life without a unit", with(func(d *Description) { d.ExpiresIn = "3600" }), `Protocol.ExpiresIn: "3600" is no duration`},
		{"a life without a unit, in milliseconds", with(func(d *Description) { d.ExpiresIn = "3600 ms" }), `Protocol.ExpiresIn: "3600 ms" is no duration`},
		{"a life of millions of years", with(func(d *Description) { d.ExpiresIn = "99999999999h" }), `Protocol.ExpiresIn: "99999999999h" is no duration`},
		{"a life of days below zero", with(func(d *Description) { d.ExpiresIn = "-7d" }), `Protocol.ExpiresIn: "-7d" is no duration`},
		{"a prefix that is misspelled", with(func(d *Description) { d.Token = "headr:X-Auth-Token" }), `Protocol.Token: "headr:X-Auth-Token" begins with headr:, and there are header: and cookie: did you mean header:X-Auth-Token?`},
		{"a prefix in capital letters", with(func(d *Description) { d.Token = "Cookie:SID" }), `Protocol.Token: "Cookie:SID" begins with Cookie:, and there are header: and cookie: did you mean cookie:SID?`},
		{"a prefix that there is not", keep("refresh", "query:refresh"), `Protocol.Keep: refresh: "query:refresh" begins with query:, and there are header: and cookie:`},
		{"a life within the token", with(func(d *Description) { d.Token, d.ExpiresIn = "a.b", "a.b.c" }), `Protocol.ExpiresIn: "a.b.c" leads through "a.b", which is Protocol.Token's: no answer has both`},
		{"a token within the expiry", with(func(d *Description) { d.Token, d.ExpiresAt = "a.b", "a" }), `Protocol.Token: "a.b" leads through "a", which is Protocol.ExpiresAt's`},
		{"something kept within the token", with(func(d *Description) { d.Keep = map[string]string{"csrf": "c", "refresh": "data.0.access.refresh"} }),
			`Protocol.Keep: refresh: "data.0.access.refresh" leads through "data.0.access", which is Protocol.Token's`},
		{"two that are kept", with(func(d *Description) { d.Keep = map[string]string{"csrf": "a.b", "refresh": "a"} }), `Protocol.Keep: csrf: "a.b" leads through "a", which is Protocol.Keep's`},
		{"a life in a body that is the token", with(func(d *Description) { d.Token, d.ExpiresAt, d.ExpiresIn = "body", "", "in" }), `Protocol.ExpiresIn: "in" leads through "body", which is Protocol.Token's`},
		{"a kept name that is taken", keep("token", "a"), "Protocol.Keep: {token} is taken"},
		{"a kept name that is none", keep("re fresh", "a"), `Protocol.Keep: "re fresh" is no name`},
		{"a kept path that is none", keep("refresh", ""), `Protocol.Keep: refresh: "" is no path`},
		{"a negative life of renewal", with(func(d *Description) { d.RenewableFor = -1 }), "Protocol.RenewableFor: -1ns is no life"},
		{"nothing that signs in", send("X-Client: abc"), "Protocol.Send: nothing of it names {token}"},
		{"a header without a value", send("X-Auth-Token {token}"), "Protocol.Send: each is a header"},
		{"a line break", send("X-Auth-Token: {token}\nX-A: b"), "Protocol.Send: it has a control character"},
		{"a cookie without a name to send", send("Cookie: {token}"), "Protocol.Send: a Cookie has a name"},
		{"a cookie's name that is none", send("Cookie: a b={token}"), "Protocol.Send: a Cookie has a name"},
		{"two cookies in a line", send("Cookie: a={token}; b={csrf}"), "Protocol.Send: a Cookie has a name"},
		{"a query with a placeholder for its name", send("?{token}=1"), "Protocol.Send: what begins with ? is no part of a query"},
		{"a query without a name", send("?={token}"), "Protocol.Send: what begins with ? is no part of a query"},
		{"a bad escape in a query to send", send("?sid={token}%zz"), "Protocol.Send: what begins with ? is no part of a query"},
		{"an unclosed brace in a header to send", send("X-Auth-Token: {token}", "X-CSRF: {csrf"), "Protocol.Send: the header X-Csrf has a brace that is not closed"},
		{"an unclosed brace in a cookie", send("X-Auth-Token: {token}", "Cookie: SID={token"), "Protocol.Send: the header Cookie has a brace that is not closed"},
		{"an unclosed brace in a query to send", send("X-Auth-Token: {token}", "?sid={token"), "Protocol.Send: what begins with ? is no part of a query"},
		{"two parameters in one", send("?a={token}&b={token}"), "Protocol.Send: what begins with ? is no part of a query"},
		{"the password in each request", send("Authorization: Basic {basic}"), "Protocol.Send: {basic} would send the password with each request"},
		{"a typo in Send", send("X-Auth-Token: {tokne}"), "Protocol.Send: unknown placeholder {tokne}: did you mean {token}?"},
		{"a header twice", send("X-A: {token}", "x-a: {token}"), "Protocol.Send: the header X-A is there twice"},
		{"a header of the transport", send("Host: {token}"), "Protocol.Send: each is a header"},
		{"a status just above those of refusals", with(func(d *Description) { d.Rejects = []int{600} }), "Protocol.Rejects: 600 is no status of a refusal"},
		{"a status that is none", with(func(d *Description) { d.Rejects = []int{401, 200} }), "Protocol.Rejects: 200 is no status of a refusal"},
	}
	for _, c := range cases {
		_, err := Parse(c.d)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want one line that begins with %q", c.name, err, c.want)
		}
	}
	for name, d := range map[string]Description{
		"the description that all of these are made of": rotating,
		"paths that begin alike, and two that are one": with(func(d *Description) {
			d.Token, d.ExpiresAt, d.ExpiresIn = "0.a.b", "0.a.bc", "0.e ms"
			d.Keep = map[string]string{"refresh": "0.a.b", "csrf": "header:0.a"}
		}),
		"a body beside a header and a cookie": with(func(d *Description) {
			d.Token, d.ExpiresAt, d.ExpiresIn = "body", "header:Expires", "2h"
			d.Keep = map[string]string{"refresh": "cookie:r", "csrf": "body"}
		}),
		"colons in names": with(func(d *Description) {
			d.Token, d.ExpiresAt, d.ExpiresIn = "data.ns:token", "dc-1:at", "_x:in"
		}),
		"two cookies, and a header and a query of one name": send("Cookie: A={token}", "Cookie: B={token}", "X-Sid: {token}", "?X-Sid={token}"),
	} {
		if _, err := Parse(d); err != nil {
			t.Errorf("%s: got %v, want none", name, err)
		}
	}
}

// O2: what only the provider's answer tells.
func TestTheNamesOfExtraAreComparedWithTheDescription(t *testing.T) {
	e, err := Parse(rotating)
	if err != nil {
		t.Fatal(err)
	}
	for want, extra := range map[string]map[string]string{
		"": {"tenant": "", "client": "CANARY", "unused": "CANARY"},
		"Protocol.SignIn: unknown placeholder {tenant}: did you mean {tennant}? Else set it in Credentials.Extra": {"tennant": "CANARY", "client": "CANARY"},
		"Protocol.SignIn: unknown placeholder {client}: set it in Credentials.Extra":                              {"tenant": "CANARY"},
		"Credentials.Extra: {refresh} is taken: give it another name":                                             {"tenant": "CANARY", "client": "CANARY", "refresh": "CANARY"},
		"Credentials.Extra: {basic} is taken: give it another name":                                               {"tenant": "CANARY", "client": "CANARY", "basic": "CANARY"},
	} {
		got := ""
		if err := e.CheckExtra(extra); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("with %d names: got %q, want %q", len(extra), got, want)
		}
	}
}

// O2: a typo is told from another name.
func TestANameThatIsNearlyAnotherIsATypo(t *testing.T) {
	for _, c := range []struct {
		name, meant string
		typo        bool
	}{
		{"tennant", "tenant", true},
		{"tenatn", "tenant", true},
		{"Tenant", "tenant", true},
		{"cenant", "tenant", false},
		{"tenancy", "tenant", false},
		{"tkoen", "token", true},
		{"tkoenn", "token", false},
		{"b", "a", false},
	} {
		if got := isTypo(c.name, c.meant); got != c.typo {
			t.Errorf("%s for %s: a typo: got %v, want %v", c.name, c.meant, got, c.typo)
		}
	}
}

// O2: a name that is not Extra's may be one that an answer has, or the account's.
func TestAnUnknownPlaceholderIsAdvisedByWhereItStands(t *testing.T) {
	for want, d := range map[string]Description{
		"have Protocol.Keep say where the answer has it, or set it in Credentials.Extra": {Refresh: "POST /r\n\nrefresh={refresh}"},
		"write {email} for who signs in, or set it in Credentials.Extra":                 {SignIn: "POST /s\n\nuser={username}"},
	} {
		if d.SignIn == "" {
			d.SignIn = "POST /s"
		}
		d.Token = "token"
		e, err := Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.CheckExtra(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// O1, O3, O6
func TestWhatADescriptionNeedsIsKnownFromIt(t *testing.T) {
	type facts struct {
		refreshAsks, logOutAsks, rotates, fixed bool
		scheme                                  string
		on403, expiry                           bool
	}
	simple := Description{SignIn: "POST /login\n\nu={email}", Refresh: "GET /login", LogOut: "DELETE /login", Token: "token"}
	change := func(f func(d *Description)) Description { d := simple; f(&d); return d }
	for name, c := range map[string]struct {
		d    Description
		want facts
	}{
		"a simple one":       {simple, facts{scheme: "Bearer"}},
		"all there may be":   {rotating, facts{rotates: true, on403: true, expiry: true}},
		"a password":         {change(func(d *Description) { d.Refresh = "POST /x\nAuthorization: Basic {basic}" }), facts{refreshAsks: true, scheme: "Bearer"}},
		"Extra":              {change(func(d *Description) { d.LogOut = "POST /x\n\n{\"client\":\"{client}\"}" }), facts{logOutAsks: true, scheme: "Bearer"}},
		"a life":             {change(func(d *Description) { d.ExpiresIn = "2h" }), facts{fixed: true, expiry: true, scheme: "Bearer"}},
		"a life in answers":  {change(func(d *Description) { d.ExpiresIn = "expires_in" }), facts{expiry: true, scheme: "Bearer"}},
		"an expiry":          {change(func(d *Description) { d.ExpiresAt = "expires_at" }), facts{expiry: true, scheme: "Bearer"}},
		"a scheme":           {change(func(d *Description) { d.Send = []string{"X-A: b", "authorization: Token {token}"} }), facts{scheme: "Token"}},
		"no scheme":          {change(func(d *Description) { d.Send = []string{"Authorization: {token}"} }), facts{}},
		"a scheme with more": {change(func(d *Description) { d.Send = []string{`Authorization: MediaBrowser Token="{token}"`} }), facts{}},
	} {
		e, err := Parse(c.d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := facts{e.NamesCredentials(e.Refresh), e.NamesCredentials(e.LogOut), e.Rotates(), e.FixedLife() > 0, e.Scheme(), e.Rejects(403), e.TellsExpiry()}
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		if !e.Rejects(401) || e.Rejects(500) {
			t.Errorf("%s: 401 rejects: %v, 500: %v; want true and false", name, e.Rejects(401), e.Rejects(500))
		}
	}
}

func TestWhatADescriptionWantsOfTheCredentialsIsKnownFromIt(t *testing.T) {
	for want, d := range map[string]Description{
		"email password":       PacerPro,
		"email password scope": {SignIn: "POST /t\nAuthorization: Basic {basic}\n\nscope={scope}", LogOut: "POST /r\nAuthorization: Basic {basic}\n\nt={token}", Token: "t"},
		"code key":             {SignIn: "POST /t\n\nc={code}", Refresh: "POST /r\n\nr={refresh}", Token: "t", Keep: map[string]string{"refresh": "r"}, Send: []string{"X-T: {token}", "X-K: {key}"}},
		"":                     {SignIn: "POST /t", Token: "t"},
	} {
		e, err := Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(e.Needs(), " "); got != want {
			t.Errorf("%s: got %q, want %q", d.SignIn, got, want)
		}
	}
}

// O4
func TestEveryFieldIsPartOfTheIdentity(t *testing.T) {
	seen := map[string]bool{}
	for i, change := range []func(d *Description){
		func(*Description) {},
		func(d *Description) { d.SignIn += " " },
		func(d *Description) { d.Refresh = "" },
		func(d *Description) { d.LogOut = "" },
		func(d *Description) { d.Token = "token" },
		func(d *Description) { d.ExpiresAt = "" },
		func(d *Description) { d.ExpiresIn = "" },
		func(d *Description) { d.Keep = map[string]string{"refresh": "data.0.refresh", "csrf": "cookie:x"} },
		func(d *Description) { d.RenewableFor = 0 },
		func(d *Description) { d.Send = d.Send[1:] },
		func(d *Description) { d.Rejects = nil },
	} {
		e, err := Parse(with(change))
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Parse(with(change)); again.Identity() != e.Identity() {
			t.Errorf("change %d: got two identities of one description", i)
		}
		if seen[e.Identity()] {
			t.Errorf("change %d: got the identity of another description", i)
		}
		seen[e.Identity()] = true
	}
}

func TestAnAPIMayHaveALogOutAndNoRefreshAndRejectWithAnyStatusOfARefusal(t *testing.T) {
	e, err := Parse(Description{SignIn: "POST /login", LogOut: "DELETE /login", Token: "token", Rejects: []int{300, 599}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Refresh != nil || e.LogOut == nil {
		t.Errorf("got a refresh: %v, and a log-out: %v; want the latter alone", e.Refresh != nil, e.LogOut != nil)
	}
	if !e.Rejects(300) || !e.Rejects(599) {
		t.Error("300 and 599 reject nothing, want them to")
	}
}
