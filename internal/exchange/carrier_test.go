package exchange

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func TestACarrierReplacesTheCallersHeadersAndJoinsTheCookies(t *testing.T) {
	e, err := Parse(rotating)
	if err != nil {
		t.Fatal(err)
	}
	carrier, err := e.Carrier("t/1", `{"csrf":"c"}`)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("GET", "https://h/a?b=1&sid=old&c=%20;", nil)
	shared := req.URL
	req.Header = http.Header{"x-auth-token": {"mine"}, "X-Csrf": {"mine", "too"}, "Cookie": {"a=1; SID=old", "b=2"}, "cookie": {"SID=older"}, "Accept": {"*/*"}}
	for range 2 { // once signed, it may be signed again
		carrier.Sign(req)
		want := "GET https://h/a?b=1&c=%20;&sid=t%2F1\nAccept: */*\nCookie: a=1; b=2; SID=t/1\nX-Auth-Token: t/1\nX-Csrf: c\n"
		if got := shape(t, req); got != want {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
	}
	if shared.RawQuery != "b=1&sid=old&c=%20;" {
		t.Errorf("the URL that others may share has the query %q now", shared.RawQuery)
	}
	if _, err := e.Carrier("t", ""); !errors.Is(err, ErrUnknown) || fmt.Sprint(err) != "Protocol.Send: {csrf}: no answer has brought it" {
		t.Errorf("without what it sends: got %v, want ErrUnknown", err)
	}
	if _, err := e.Carrier("CANARY;t", `{"csrf":"c"}`); err == nil || fmt.Sprint(err) != "Protocol.Send: {token} cannot stand in a cookie: it has a semicolon" {
		t.Errorf("with a token that is no cookie's: got %v", err)
	}
}

// O1: a server undoes the escapes of a name before it looks for it.
func TestACallersOwnParameterIsReplacedHoweverItsNameIsWritten(t *testing.T) {
	for send, queries := range map[string]map[string]string{
		"?sid={token}": {
			"s%69d=old":           "sid=t",
			"a=1&%73%69%64=old":   "a=1&sid=t",
			"s%69d":               "sid=t",
			"%2573id=1&sid%=2":    "%2573id=1&sid%=2&sid=t", // another name, and none
			"sid[]=1&SID=2&sid+=": "sid[]=1&SID=2&sid+=&sid=t",
		},
		"?s%69d={token}":  {"sid=old&a=1": "a=1&s%69d=t", "s%69d=old": "s%69d=t"},
		"?my+sid={token}": {"my%20sid=old&my+sid=older": "my+sid=t"},
	} {
		e, err := Parse(with(func(d *Description) { d.Send = []string{send} }))
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.Carrier("t", "")
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range queries {
			if got := c.JoinQuery(query); got != want {
				t.Errorf("%s into %q: got %q, want %q", send, query, got, want)
			}
			req, _ := http.NewRequest("GET", "https://h/a?"+want, nil)
			if values, err := e.Carried(req); err != nil || values[Token] != "t" {
				t.Errorf("%s in %q: got %q (%v), want the token", send, want, values[Token], err)
			}
		}
	}
}

func TestACarrierOfAHeaderLeavesCookiesAndQueryAlone(t *testing.T) {
	e, err := Parse(Description{SignIn: "POST /login", Token: "token", Send: []string{"X-Token: {token}"}})
	if err != nil {
		t.Fatal(err)
	}
	carrier, err := e.Carrier("t", "")
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("GET", "https://h/a?b=1;2", nil)
	before := req.URL
	carrier.Sign(req)
	if _, has := req.Header["Cookie"]; has {
		t.Errorf("got a header Cookie: %q, want none", req.Header["Cookie"])
	}
	if req.URL != before {
		t.Error("got a copy of the URL, want the URL that was there: a copy costs an allocation for each request")
	}
}

// O6, P6: who has a session of their own way must know.
func TestWhatCarriesASessionIsKnownFromTheDescription(t *testing.T) {
	for _, c := range []struct {
		send    []string
		bearer  bool
		headers []string
		cookies []string
	}{
		{nil, true, []string{"Authorization", "X-Kept"}, []string{"csrf"}},
		{[]string{"Authorization: Bearer {token}", "X-Client: a"}, false, []string{"Authorization", "X-Kept"}, []string{"csrf"}},
		{[]string{"X-Client: {client}", "X-Token: {token}"}, false, []string{"X-Client", "X-Kept", "X-Token"}, []string{"csrf"}},
		{[]string{"X-Token: {token}"}, false, []string{"X-Kept", "X-Token"}, []string{"csrf"}},
		{[]string{"Authorization: Token {token}"}, false, []string{"Authorization", "X-Kept"}, []string{"csrf"}},
		{[]string{"Cookie: SID={token}", "Cookie: lang=en"}, false, []string{"X-Kept"}, []string{"SID", "csrf"}},
		{[]string{"?sid={token}"}, false, []string{"X-Kept"}, []string{"csrf"}},
	} {
		keep := map[string]string{"kept": "header:X-Kept", "place": "header:Location", "inside": "a.b", "csrf": "cookie:csrf"}
		e, err := Parse(Description{SignIn: "POST /login", Token: "token", Send: c.send, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.SendsBearer(); got != c.bearer {
			t.Errorf("%q: sends a bearer: got %v, want %v", c.send, got, c.bearer)
		}
		if got := slices.Sorted(slices.Values(e.Headers())); !slices.Equal(got, c.headers) {
			t.Errorf("%q: got the headers %q, want %q", c.send, got, c.headers)
		}
		if got := slices.Sorted(slices.Values(e.Cookies())); !slices.Equal(got, c.cookies) {
			t.Errorf("%q: got the cookies %q, want %q", c.send, got, c.cookies)
		}
	}
}

func TestACarrierReplacesWhatItSendsAndNothingElse(t *testing.T) {
	for send, replaced := range map[string]string{"X-Token: {token}": "x-token", "Cookie: SID={token}": "cookie", "?sid={token}": ""} {
		e, err := Parse(Description{SignIn: "POST /login", Token: "token", Send: []string{send}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.Carrier("t", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"x-token", "X-Tokens", "X-Taken", "cookie", "cookies"} {
			if got := c.Replaces(name); got != (name == replaced) {
				t.Errorf("%s: %s is replaced: got %v, want %v", send, name, got, !got)
			}
		}
	}
}

// X4: servers repeat the query of a request in links.
func TestALinkIsShownWithoutTheSessionOfItsRequest(t *testing.T) {
	c := &Carrier{Query: []Field{{"sid", "t%2F1"}}}
	for link, want := range map[string]string{
		"/a?sid=t%2F1":                      "/a",
		"/a?b=1&sid=t%2F1#c":                "/a?b=1#c",
		"/a?b=1":                            "/a?b=1",
		"/a":                                "/a",
		`</a?sid=t%2F1>, </b?c=2>; rel="x"`: `</a>, </b?c=2>; rel="x"`,
	} {
		if got := c.Unsigned(link); got != want {
			t.Errorf("of %s: got %s, want %s", link, got, want)
		}
	}
}
