package exchange

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// matched is a description with every place in it.
var matched = Description{
	SignIn:       "POST /a/{tenant}/in?u={email}&fixed=1\nX-Code: {code}\nAuthorization: Basic {basic}\n\n" + `{"who": ["{email}", {"p": "{password}!", "n": 1}], "k": true}`,
	Refresh:      "POST /renew\n\ngrant=refresh&r={refresh}",
	LogOut:       "DELETE /s/{id}",
	Token:        "data.0.token",
	ExpiresAt:    "data.0.at",
	ExpiresIn:    "in ms",
	Keep:         map[string]string{"refresh": "header:X-Refresh", "id": "cookie:ID"},
	Send:         []string{"X-Auth: {token}", "Cookie: SID={id}", "?t={tenant}"},
	RenewableFor: time.Hour,
}

func requestFor(t *testing.T, e *Exchange, r *Request, values Values) (*http.Request, string, []byte) {
	t.Helper()
	c, err := e.Carrier("a token", `{"id":"1","tenant":"t&t","refresh":"r"}`)
	if err != nil {
		t.Fatal(err)
	}
	req, err := r.New(t.Context(), "https://h", values, c)
	if err != nil {
		t.Fatal(err)
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	return req, req.URL.EscapedPath(), body
}

func TestARequestIsReadAsItWasFilledIn(t *testing.T) {
	e, err := Parse(matched)
	if err != nil {
		t.Fatal(err)
	}
	hard := ` "\/?&=%41+{token};` + "é\u2028<"
	for _, c := range []struct {
		name    string
		request *Request
		values  Values
		want    Values
	}{
		{"a sign-in", e.SignIn, Values{"tenant": hard, "email": "x" + strings.ReplaceAll(hard, ":", "") + "@", "password": hard, "code": "a{b}"}, nil},
		{"a refresh", e.Refresh, Values{"refresh": hard}, nil},
		{"a log-out", e.LogOut, Values{"id": "1"}, Values{"id": "1"}},
	} {
		req, path, body := requestFor(t, e, c.request, c.values)
		got, err := e.Match(c.request, req, path, body)
		want := maps.Clone(c.values)
		for _, other := range []*Request{e.SignIn, e.Refresh, e.LogOut, nil} {
			if is := other == c.request; other.IsFor(req.Method, path) != is {
				t.Errorf("%s: it is for another request of the description: got %v, want %v", c.name, !is, is)
			}
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, want)
		}
	}
}

func TestARequestThatIsNotAsDescribedIsToldApart(t *testing.T) {
	e, err := Parse(matched)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(req *http.Request, path *string, body *[]byte)
		want  string
	}{
		"nothing":           {func(*http.Request, *string, *[]byte) {}, ""},
		"another path":      {func(_ *http.Request, path *string, _ *[]byte) { *path += "/" }, "its path is not as it is described"},
		"a query too many":  {func(req *http.Request, _ *string, _ *[]byte) { req.URL.RawQuery += "&more=1" }, "its query has 1 names too many"},
		"another query":     {func(req *http.Request, _ *string, _ *[]byte) { req.URL.RawQuery = "u=e&fixed=2" }, "fixed in its query is not as it is described"},
		"a header too many": {func(req *http.Request, _ *string, _ *[]byte) { req.Header.Set("X-More", "1") }, "it has a header X-More, and none is described"},
		"a session":         {func(req *http.Request, _ *string, _ *[]byte) { req.Header.Set("X-Auth", "t") }, "it has a header X-Auth, and none is described"},
		"a header missing":  {func(req *http.Request, _ *string, _ *[]byte) { req.Header.Del("X-Code") }, "its header X-Code is not as it is described"},
		"another user":      {func(req *http.Request, _ *string, _ *[]byte) { req.URL.RawQuery = "u=other&fixed=1" }, "its body.who.0 is not as it is described"},
		"no Basic":          {func(req *http.Request, _ *string, _ *[]byte) { req.Header.Set("Authorization", "Basic !") }, "its Basic credentials are none"},
		"half of a pair": {func(req *http.Request, _ *string, _ *[]byte) {
			req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("e")))
		}, "its Basic credentials are none"},
		"a pair that breaks off": {func(req *http.Request, _ *string, _ *[]byte) {
			req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("e:secret"))+"!")
		}, "its Basic credentials are none"},
		"another text": {func(_ *http.Request, _ *string, body *[]byte) {
			*body = []byte(strings.Replace(string(*body), `secret!`, `secret?`, 1))
		}, "its body.who.1.p is not as it is described"},
		"an element too many": {func(_ *http.Request, _ *string, body *[]byte) {
			*body = []byte(strings.Replace(string(*body), `"n": 1}]`, `"n": 1}, 2]`, 1))
		}, "its body.who is not as it is described"},
		"an element missing": {func(_ *http.Request, _ *string, body *[]byte) { *body = []byte(`{"who": ["e"], "k": true}`) }, "its body.who is not as it is described"},
		"no JSON":            {func(_ *http.Request, _ *string, body *[]byte) { *body = []byte("{") }, "its body is no JSON"},
		"a member too many":  {func(_ *http.Request, _ *string, body *[]byte) { *body = append([]byte(`{"more":1,`), (*body)[1:]...) }, "its body is not as it is described"},
		"another number": {func(_ *http.Request, _ *string, body *[]byte) {
			*body = []byte(strings.Replace(string(*body), `"n": 1`, `"n": 2`, 1))
		}, "its body.who.1.n is not as it is described"},
	} {
		req, path, body := requestFor(t, e, e.SignIn, Values{"tenant": "t", "email": "e", "password": "secret", "code": "c"})
		c.spoil(req, &path, &body)
		got := ""
		if _, err := e.Match(e.SignIn, req, path, body); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	req, path, body := requestFor(t, e, e.LogOut, Values{"id": "1"})
	req.Header.Del("X-Auth")
	if _, err := e.Match(e.LogOut, req, path, body); err != nil {
		t.Errorf("a log-out that names what was kept: got %v, want none", err)
	}
}

// A body that is neither JSON nor a form has no placeholders.
func TestABodyOfAnotherKindIsAsItIsWritten(t *testing.T) {
	e, err := Parse(Description{SignIn: "POST /in\nContent-Type: text/xml\n\n<a/>", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for body, fits := range map[string]bool{"<a/>": true, "<b/>": false} {
		req, path, _ := requestFor(t, e, e.SignIn, nil)
		if _, err := e.Match(e.SignIn, req, path, []byte(body)); (err == nil) != fits {
			t.Errorf("%s: got %v, want it to fit: %v", body, err, fits)
		}
	}
}

func TestARequestThatCarriesTheSessionIsReadWithIt(t *testing.T) {
	e, err := Parse(PacerPro)
	if err != nil {
		t.Fatal(err)
	}
	for authorization, fits := range map[string]bool{"Bearer a token": true, "Basic a token": false} {
		req, path, body := requestFor(t, e, e.Refresh, nil)
		req.Header.Set("Authorization", authorization)
		got, err := e.Match(e.Refresh, req, path, body)
		if fits && (err != nil || got[Token] != "a token") || !fits && err == nil {
			t.Errorf("with %s: got %q, %v; want the token to be read: %v", authorization, got, err, fits)
		}
	}
}

func TestWhatCarriesASessionIsReadAsItWasWritten(t *testing.T) {
	e, err := Parse(matched)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("GET", "https://h/a", nil)
	c, err := e.Carrier("a token", `{"id":"1","tenant":"t&t"}`)
	if err != nil {
		t.Fatal(err)
	}
	c.Sign(req)
	if got, err := e.Carried(req); err != nil || !maps.Equal(got, Values{"token": "a token", "id": "1", "tenant": "t&t"}) {
		t.Errorf("got %q, %v; want what was sent", got, err)
	}
	for _, spoil := range []func(){
		func() { req.Header.Add("Cookie", "SID=2") },
		func() { req.Header.Del("Cookie") },
		func() { req.Header.Del("X-Auth") },
	} {
		spoil()
		if _, err := e.Carried(req); err == nil {
			t.Errorf("got no error of %v, want one", req.Header)
		}
	}
}

// A number is written as one where that says the same.
func TestAnAnswerHasNumbersAndTextsAndNothingThatWasNotGiven(t *testing.T) {
	e, err := Parse(Description{SignIn: "POST /in", Token: "t", ExpiresAt: "at", ExpiresIn: "in"})
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[string]Answer{
		`{"at":1900000000,"in":90,"t":"x"}`: {Token: "x", ExpiresAt: "1900000000", Life: 90 * time.Second},
		`{"at":"0190","t":"x"}`:             {Token: "x", ExpiresAt: "0190"},
		`{"at":"soon","t":"x"}`:             {Token: "x", ExpiresAt: "soon"},
	} {
		if _, body := e.Write(a); string(body) != want {
			t.Errorf("got %s, want %s", body, want)
		}
	}
}

func TestAnAnswerIsReadAsItWasWritten(t *testing.T) {
	e, err := Parse(matched)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Answer{
		{Token: "t", ExpiresAt: "2030-01-02T03:04:05Z", Life: 90 * time.Second, Kept: map[string]string{"refresh": "r", "id": "i=="}},
		{Token: "t", ExpiresAt: "1900000000123", Kept: map[string]string{}},
	} {
		header, body := e.Write(want)
		got, err := e.Read(header, body)
		if err != nil || got.Token != want.Token || got.ExpiresAt != want.ExpiresAt || got.Life != want.Life || !maps.Equal(got.Kept, want.Kept) {
			t.Errorf("got %+v, %v from %s; want %+v", got, err, body, want)
		}
	}
	whole, err := Parse(Description{SignIn: "POST /", Token: "body", Keep: map[string]string{"csrf": "header:X-CSRF"}})
	if err != nil {
		t.Fatal(err)
	}
	if header, body := whole.Write(Answer{Token: "t", Kept: map[string]string{"csrf": "c"}}); string(body) != `"t"` || header.Get("X-CSRF") != "c" {
		t.Errorf("got %s and %v", body, header)
	}
}
