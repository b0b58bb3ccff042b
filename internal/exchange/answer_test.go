package exchange

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"
)

// O1, and the fields Token, ExpiresAt, ExpiresIn and Keep
func TestAnAnswerIsReadWhereTheDescriptionSays(t *testing.T) {
	const signIn = "POST /login"
	header := http.Header{
		"X-Subject-Token": {"from-header"},
		"Set-Cookie":      {"SID=old; Path=/", `SID="a+b/c,d="; HttpOnly; Path=/`, "gone=; Max-Age=0", "csrf=c=1"},
	}
	for name, c := range map[string]struct {
		d    Description
		body string
		want Answer
	}{
		"a member":                          {Description{Token: "token"}, `{"token":"t"}`, Answer{Token: "t"}},
		"in depth":                          {Description{Token: "imdata.0.aaaLogin.attributes.token"}, `{"imdata":[{"aaaLogin":{"attributes":{"token":"t"}}}]}`, Answer{Token: "t"}},
		"an array":                          {Description{Token: "1.token"}, `[{}, {"token":"t"}]`, Answer{Token: "t"}},
		"a numeral":                         {Description{Token: "0"}, `{"0":"t"}`, Answer{Token: "t"}},
		"not there":                         {Description{Token: "data.5.token"}, `{"data":[{"token":"t"}]}`, Answer{}},
		"the one after the last":            {Description{Token: "data.1"}, `{"data":["t"]}`, Answer{}},
		"a number":                          {Description{Token: "token"}, `{"token":12}`, Answer{}},
		"an object":                         {Description{Token: "token"}, `{"token":{"a":1}}`, Answer{}},
		"a header":                          {Description{Token: "header:x-subject-token"}, ``, Answer{Token: "from-header"}},
		"a cookie":                          {Description{Token: "cookie:SID"}, `no JSON`, Answer{Token: `"a+b/c,d="`}},
		"no cookie":                         {Description{Token: "cookie:gone"}, ``, Answer{}},
		"the body":                          {Description{Token: "body"}, " t\n", Answer{Token: "t"}},
		"the body, in JSON":                 {Description{Token: "body"}, `"t\u002f"`, Answer{Token: "t/"}},
		"a body that is an object":          {Description{Token: "body", ExpiresIn: "2h"}, `{"user":"e"}`, Answer{Life: 2 * time.Hour}},
		"seconds":                           {Description{Token: "t", ExpiresIn: "in"}, `{"t":"t","in":3600}`, Answer{Token: "t", Life: time.Hour}},
		"a fraction":                        {Description{Token: "t", ExpiresIn: "in"}, `{"t":"t","in":"1.5"}`, Answer{Token: "t", Life: 1500 * time.Millisecond}},
		"milliseconds":                      {Description{Token: "t", ExpiresIn: "in ms"}, `{"t":"t","in":900000}`, Answer{Token: "t", Life: 15 * time.Minute}},
		"no life":                           {Description{Token: "t", ExpiresIn: "in"}, `{"t":"t","in":0}`, Answer{Token: "t"}},
		"a life below zero":                 {Description{Token: "t", ExpiresIn: "in"}, `{"t":"t","in":-5}`, Answer{Token: "t"}},
		"a life that is none":               {Description{Token: "t", ExpiresIn: "in"}, `{"t":"t","in":1e99}`, Answer{Token: "t"}},
		"a fixed life":                      {Description{Token: "t", ExpiresIn: "2h"}, `{"t":"t"}`, Answer{Token: "t", Life: 2 * time.Hour}},
		"a fixed life, and an empty answer": {Description{Token: "t", ExpiresIn: "2h"}, " \n", Answer{Life: 2 * time.Hour}},
		"a time":                            {Description{Token: "t", ExpiresAt: "at"}, `{"t":"t","at":"2030-01-02T03:04:05Z"}`, Answer{Token: "t", ExpiresAt: "2030-01-02T03:04:05Z"}},
		"a large number":                    {Description{Token: "t", ExpiresAt: "at"}, `{"t":"t","at":1893553445123456789}`, Answer{Token: "t", ExpiresAt: "1893553445123456789"}},
		"more to keep": {Description{Token: "t", Keep: map[string]string{"id": "id", "csrf": "cookie:csrf", "none": "none", "refresh": "r"}},
			`{"t":"t","id":90071992547409931,"r":"r"}`, Answer{Token: "t", Kept: map[string]string{"id": "90071992547409931", "csrf": "c=1", "refresh": "r"}}},
	} {
		c.d.SignIn = signIn
		e, err := Parse(c.d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := e.Read(header, []byte(c.body))
		if err != nil || got.Token != c.want.Token || got.ExpiresAt != c.want.ExpiresAt || got.Life != c.want.Life || !maps.Equal(got.Kept, c.want.Kept) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

// T8: what judges nothing is no session, whatever its status.
func TestAPageInPlaceOfAnAnswerIsNoSession(t *testing.T) {
	page := http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Set-Cookie": {"SID=guest"}}
	for body, d := range map[string]Description{
		"<html></html>": {Token: "token"}, "<html>1</html>": {Token: "token", ExpiresIn: "2h"}, "<html>2</html>": {Token: "body"},
		"<html>3</html>": {Token: "cookie:SID", ExpiresIn: "2h"}, "": {Token: "token"}, `"t"`: {Token: "token"}, `["t"]`: {Token: "token"},
		`{"token":"t"`: {Token: "token"}, `{"token":"t"}{}`: {Token: "token"},
	} {
		d.SignIn = "POST /login"
		e, err := Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Read(page, []byte(body)); !errors.Is(err, ErrNoSession) {
			t.Errorf("%q at %s: got %+v, %v; want ErrNoSession", body, d.Token, got, err)
		}
	}
}

// O3: a new kept value takes the old one's place, and none keeps it.
func TestTheStateIsWhatWasKeptLast(t *testing.T) {
	e, err := Parse(with(func(d *Description) { d.Send = append(d.Send, "X-Tenant: {tenant}", "X-User: {email}") }))
	if err != nil {
		t.Fatal(err)
	}
	credentials := Values{Email: "e", Password: "p", "tenant": "x", "client": "y"}
	first := e.State("", Answer{Kept: map[string]string{"refresh": "r1", "csrf": "c1"}}, credentials)
	second := e.State(first, Answer{Kept: map[string]string{"refresh": "r2"}}, nil)
	third := e.State(second, Answer{}, nil)
	for got, want := range map[string]string{
		first:  `{"csrf":"c1","email":"e","refresh":"r1","tenant":"x"}`,
		second: `{"csrf":"c1","email":"e","refresh":"r2","tenant":"x"}`,
		third:  second,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	simple, _ := Parse(Description{SignIn: "POST /login", Token: "token"})
	if got := simple.State("", Answer{}, credentials); got != "" {
		t.Errorf("a description that keeps nothing: got %q, want no state", got)
	}
	for _, foreign := range []string{"opaque", `["a"]`, "null", `{"a":1}`} {
		if got := e.Kept(foreign); got == nil || len(got) != 0 {
			t.Errorf("%q: got %v, want nothing kept", foreign, got)
		}
	}
}

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
