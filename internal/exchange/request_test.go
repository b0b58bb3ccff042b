package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// parsed is what a request text says.
func parsed(t testing.TB, s string) *Request {
	t.Helper()
	r, err := parseRequest(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return r
}

// shape is a request in one text, with its headers in order.
func shape(t testing.TB, req *http.Request) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.URL)
	req.Header.Write(&b)
	if req.Body != nil {
		body, _ := io.ReadAll(req.Body)
		fmt.Fprintf(&b, "\n%s", body)
	}
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

// O1
func TestARequestIsReadAsItIsWrittenInAnHTTPFile(t *testing.T) {
	values := Values{Email: "a b", Password: `"/\<é>&?%+`, "tenant": "no/1"}
	for text, want := range map[string]string{
		"POST /login": "POST https://h/v1/login\n",
		"\n# sign in\n// with GET\n  GET  /a/  HTTP/2 \n":                                        "GET https://h/v1/a/\n",
		"POST /login\nAccept:text/plain\nx-a : b:c \nX-A: d":                                     "POST https://h/v1/login\nAccept: text/plain\nX-A: b:c\nX-A: d\n",
		"POST /login\r\n\r\n{\r\n  \"e\": \"{email}\", \"o\": {}, \"n\": \"{not one}\"\r\n}\r\n": "POST https://h/v1/login\nContent-Type: application/json\n\n{\n  \"e\": \"a b\", \"o\": {}, \"n\": \"{not one}\"\n}",
		"POST /login\n\n[\"{password}\"]":                                                        "POST https://h/v1/login\nContent-Type: application/json\n\n[\"\\\"/\\\\\\u003cé\\u003e\\u0026?%+\"]",
		"POST /login\n\ne={email}&p={password}\n":                                                "POST https://h/v1/login\nContent-Type: application/x-www-form-urlencoded\n\ne=a%20b&p=%22%2F%5C%3C%C3%A9%3E%26%3F%25%2B",
		"PUT /t/{tenant}/{email}?p={password}&q":                                                 "PUT https://h/v1/t/no%2F1/a%20b?p=%22%2F%5C%3C%C3%A9%3E%26%3F%25%2B&q\n",
		"POST /login\nAuthorization: Basic {basic}":                                              "POST https://h/v1/login\nAuthorization: Basic YSBiOiIvXDzDqT4mPyUr\n",
		"POST /l\ncontent-type: application/vnd.api+json\n\n\"{email}\"":                         "POST https://h/v1/l\nContent-Type: application/vnd.api+json\n\n\"a b\"",
		"POST /l\nContent-Type: text/xml\n\n<a>\r\n</a>":                                         "POST https://h/v1/l\nContent-Type: text/xml\n\n<a>\n</a>",
		"POST /l\nCookie: a={tenant}; b=1":                                                       "POST https://h/v1/l\nCookie: a=no/1; b=1\n",
		"POST /l\nCookie: a=1\ncookie: b={tenant}; c=2":                                          "POST https://h/v1/l\nCookie: a=1; b=no/1; c=2\n",
		"POST /l?": "POST https://h/v1/l?\n",
	} {
		req, err := parsed(t, text).New(t.Context(), "https://h/v1", values, nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := shape(t, req); got != want {
			t.Errorf("%q: got\n%q, want\n%q", text, got, want)
		}
	}
}

// O1: a value that cannot stand where it should is an error that says so, and
// does not quote it.
func TestAValueThatCannotStandInItsPlaceIsAnError(t *testing.T) {
	for _, c := range []struct{ text, value, want string }{
		{"POST /l\nX-A: {password}", "CANARY\nX-B: c", "{password} cannot stand in a header: it has a control character"},
		{"POST /l\nX-A: {password}", "CANARY\r", "{password} cannot stand in a header: it has a control character"},
		{"POST /l\nX-A: {password}", "CANARY\x00", "{password} cannot stand in a header: it has a control character"},
		{"POST /l\nX-A: {password}", "CANARY ", "{password} cannot stand in a header: it begins or ends with a space"},
		{"POST /l\nCookie: a={password}", "CANARY;b=c", "{password} cannot stand in a cookie: it has a semicolon"},
		{"POST /l\n\n[\"{password}\"]", "CANARY\xff", "{password} cannot stand in a JSON string: it is not UTF-8"},
		{"POST /{password}", "", "{password} cannot stand in a path: it is empty"},
		{"POST /a/{password}/b", "..", "the path has a segment of dots, which leads out of it"},
		{"POST /a/.{password}", ".", "the path has a segment of dots, which leads out of it"},
		{"POST /l\nX-A: {refresh}", "", "{refresh}: no answer has brought it"},
	} {
		_, err := parsed(t, c.text).New(t.Context(), "https://h", Values{Password: c.value}, nil)
		if fmt.Sprint(err) != c.want {
			t.Errorf("%q with %d bytes: got %v, want %q", c.text, len(c.value), err, c.want)
		}
	}
	_, err := parsed(t, "POST /l\nAuthorization: Basic {basic}").New(t.Context(), "https://h", Values{Email: "CANARY:a"}, nil)
	if want := "{basic} cannot be made: a user's name in it has no colon (RFC 7617)"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// O1: Refresh and LogOut carry what Send says, unless they name it themselves.
func TestARequestCarriesWhatSendSaysUnlessItNamesItItself(t *testing.T) {
	d := with(func(d *Description) {
		d.Refresh, d.LogOut = "GET /session?a=1\nX-CSRF: none\nAccept: text/plain", "POST /logout\nX-Other: {csrf}"
	})
	e, err := Parse(d)
	if err != nil {
		t.Fatal(err)
	}
	state := e.State("", Answer{Kept: map[string]string{"csrf": "c", "refresh": "r"}}, nil)
	carrier, err := e.Carrier("t", state)
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[*Request]string{
		e.Refresh: "GET https://h/session?a=1&sid=t\nAccept: text/plain\nCookie: SID=t\nX-Auth-Token: t\nX-Csrf: none\n",
		e.LogOut:  "POST https://h/logout\nX-Other: c\n",
	} {
		req, err := r.New(t.Context(), "https://h", e.Kept(state), carrier)
		if err != nil {
			t.Fatal(err)
		}
		if got := shape(t, req); got != want {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
	}
}

// O1: a cookie of Send joins those that the request has itself, as it joins a
// caller's.
func TestACookieOfSendJoinsThoseOfTheDescription(t *testing.T) {
	for _, c := range []struct{ refresh, want string }{
		{"GET /l\nCookie: lang=en", "lang=en; SID=t"},
		{"GET /l\nCookie: lang=en; a=1\ncookie: b=2", "lang=en; a=1; b=2; SID=t"},
		{"GET /l\nCookie: lang=en; t={token}", "lang=en; t=t"},
	} {
		e, err := Parse(with(func(d *Description) { d.Refresh, d.Send = c.refresh, []string{"Cookie: SID={token}"} }))
		if err != nil {
			t.Fatal(err)
		}
		carrier, err := e.Carrier("t", "")
		if err != nil {
			t.Fatal(err)
		}
		req, err := e.Refresh.New(t.Context(), "https://h", Values{Token: "t"}, carrier)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(req.Header["Cookie"], " | "); got != c.want {
			t.Errorf("%q: got the cookies %q, want %q", c.refresh, got, c.want)
		}
		if _, err := e.Match(e.Refresh, req, "/l", nil); err != nil {
			t.Errorf("%q: got %v from a server that reads it to the letter, want nothing wrong", c.refresh, err)
		}
	}
}

// everyCharacter has each character from U+0001 to U+FFFF that there is.
func everyCharacter() string {
	var b strings.Builder
	for c := rune(1); c <= 0xFFFF; c++ {
		if utf8.ValidRune(c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// inHeaders has each of them that may stand in a header.
func inHeaders() string {
	return strings.Map(func(c rune) rune {
		if isControl(c) {
			return -1
		}
		return c
	}, "["+everyCharacter()+"]")
}

// O1
func TestEveryCharacterArrivesUnchanged(t *testing.T) {
	reading := map[string]func(r *http.Request) string{
		"POST /login\n\n{\"p\": \"{password}\"}": func(r *http.Request) string {
			var body struct{ P string }
			json.NewDecoder(r.Body).Decode(&body)
			return body.P
		},
		"POST /login\n\ne=1&p={password}&q=2": func(r *http.Request) string { return r.PostFormValue("p") },
		"POST /login?e=1&p={password}&q=2":    func(r *http.Request) string { return r.URL.Query().Get("p") },
		"POST /login/{password}/end": func(r *http.Request) string {
			return strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/login/"), "/end")
		},
		"POST /login\nAuthorization: Basic {basic}": func(r *http.Request) string { _, p, _ := r.BasicAuth(); return p },
		"POST /login\nX-Password: {password}":       func(r *http.Request) string { return r.Header.Get("X-Password") },
	}
	got := make(chan string, 1)
	var read func(r *http.Request) string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- read(r) }))
	server.Config.MaxHeaderBytes = 2 << 20
	server.Start()
	defer server.Close()
	for text, reader := range reading {
		want := everyCharacter()
		if strings.Contains(text, "X-Password") {
			want = inHeaders()
		}
		read = reader
		req, err := parsed(t, text).New(context.Background(), server.URL, Values{Email: "clerk", Password: want}, nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%q: got status %d before anything was read", text, res.StatusCode)
			continue
		}
		if value := <-got; value != want {
			t.Errorf("%q: %d bytes arrived changed, as %d", text, len(want), len(value))
		}
	}
}
