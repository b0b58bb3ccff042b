package exchange

import (
	"errors"
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

// O1: what an answer deletes it does not bring.
func TestACookieThatTheAnswerDeletesIsNone(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"SID=T; Max-Age=0"}, ""},
		{[]string{"SID=T; Path=/; max-age = -1 ; HttpOnly"}, ""},
		{[]string{"SID=T; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, ""},
		{[]string{"SID=T; expires=Thu, 01-Jan-1970 00:00:10 GMT; Path=/"}, ""},
		{[]string{"SID=T; Expires=Thursday, 01-Jan-70 00:00:00 GMT"}, ""},
		{[]string{"SID=T; Expires=Wed Dec 31 23:59:59 1969"}, ""},
		{[]string{"SID=T; Path=/", "SID=deleted; Expires=Fri, 31 Dec 1999 23:59:59 GMT"}, ""},
		{[]string{"SID=; Max-Age=0", "SID=T; Path=/"}, "T"},
		{[]string{"SID=T", "other=; Max-Age=0"}, "T"},
		{[]string{"nonsense", "SID=T"}, "T"},
		{[]string{"SID=T; Max-Age=3600; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "T"}, // Max-Age goes first
		{[]string{"SID=T; Max-Age=0; Max-Age=60"}, "T"},                               // the last one counts
		{[]string{"SID=T; Max-Age=0; Expires=Fri, 01 Jan 2038 00:00:00 GMT"}, ""},
		{[]string{"SID=T; Max-Age=00"}, ""},
		{[]string{"SID=T; Max-Age=+0"}, "T"}, // is read over, as what is no number
		{[]string{"SID=T; Max-Age"}, "T"},
		{[]string{"SID=T; Max-Age=-"}, "T"},
		{[]string{"SID=T; Max-Age=99999999999999999999"}, "T"},
		{[]string{"SID=T; Expires=0"}, "T"}, // no date
		{[]string{"SID=T; Expires=Sat, 01 Jan 2000 00:00:00 GMT"}, "T"},
		{[]string{"SID=T; Expires=Thu, 31 Jan 2070 19:59:58 -0800"}, "T"},
	} {
		e, err := Parse(Description{SignIn: "POST /login", Token: "cookie:SID", Keep: map[string]string{"sid": "cookie:SID"}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Read(http.Header{"Set-Cookie": c.lines}, nil)
		if err != nil || got.Token != c.want || got.Kept["sid"] != c.want {
			t.Errorf("%q: got the token %q and %q kept, %v; want %q", c.lines, got.Token, got.Kept["sid"], err, c.want)
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
