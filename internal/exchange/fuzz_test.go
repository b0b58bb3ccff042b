package exchange

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever somebody writes is a description or one line that says what is wrong
// with it, and no value that is put into it leads the request elsewhere.
func FuzzADescriptionIsGoodOrItsErrorIsOneLine(f *testing.F) {
	f.Add(rotating.SignIn, rotating.Refresh, rotating.Token, rotating.ExpiresIn, rotating.Send[0], "refresh", "v")
	f.Add("POST /{a}?b={c}\nX-D: {email}\n\ne={password}", "", "body", "2h", "?sid={token}", "k", "../..?#\r\n")
	f.Add("POST /login\n\n[\"{a}\"]", "GET /login", "cookie:SID", "in ms", "Cookie: SID={token}", "csrf", `"],["`)
	f.Fuzz(func(t *testing.T, signIn, refresh, token, life, send, kept, value string) {
		d := Description{SignIn: signIn, Refresh: refresh, Token: token, ExpiresIn: life, Send: []string{send}, Keep: map[string]string{kept: "a"}}
		e, err := Parse(d)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "Protocol.") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %q, want one line that names the field", err)
			}
			return
		}
		values := Values{}
		for _, r := range []*Request{e.SignIn, e.Refresh} {
			if r == nil {
				continue
			}
			for _, name := range r.names {
				values[name] = value
			}
			req, err := r.New(t.Context(), "https://api.example.com/v1", values, nil)
			if err != nil {
				continue
			}
			if req.URL.Host != "api.example.com" || !strings.HasPrefix(req.URL.EscapedPath(), "/v1/") || strings.Contains(req.URL.EscapedPath(), "/../") {
				t.Errorf("%q with %q leads to %s", signIn, value, req.URL)
			}
			for name, all := range req.Header {
				for _, v := range all {
					if strings.ContainsAny(name+v, "\r\n\x00") {
						t.Errorf("%q with %q has a header %q: %q", signIn, value, name, v)
					}
				}
			}
		}
		if carrier, err := e.Carrier(value, e.State("", Answer{Kept: map[string]string{kept: value}}, values)); err == nil {
			req := &http.Request{URL: &url.URL{}}
			carrier.Sign(req)
		}
	})
}

// A value is read as what it was, in each place that it can stand in.
func FuzzAValueArrivesUnchanged(f *testing.F) {
	for _, s := range []string{"", "a", `"\`, "a&b=c", "%2f/../", "é 漢 𝄞", "\x00\x1f\x7f", "\xff", "+ ", "\u2028"} {
		f.Add(s)
	}
	r, err := parseRequest("POST /a/{password}/b?q={password}&r\n\n{\"a\": [\"<{password}>\"]}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		req, err := r.New(t.Context(), "https://h", Values{Password: value}, nil)
		if err != nil {
			return
		}
		var body struct{ A []string }
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil || len(body.A) != 1 || body.A[0] != "<"+value+">" {
			t.Errorf("%q in JSON: got %q, %v", value, body.A, err)
		}
		if got := req.URL.Query()["q"]; len(got) != 1 || got[0] != value {
			t.Errorf("%q in a query: got %q", value, got)
		}
		if req.URL.Path != "/a/"+value+"/b" {
			t.Errorf("%q in a path: got %q", value, req.URL.Path)
		}
		form, err := (text{[]string{"a=1&p=", "&b"}, []string{Password}}).fill(inForm, Values{Password: value})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := url.ParseQuery(form); err != nil || len(got["p"]) != 1 || got["p"][0] != value {
			t.Errorf("%q in a form: got %q, %v", value, got["p"], err)
		}
	})
}

// Whatever a server answers is read or refused.
func FuzzAnAnswerIsReadOrRefused(f *testing.F) {
	f.Add("data.0.access", `{"data":[{"access":"t","expires_in":12,"refresh":"r"}]}`, "SID=a; Path=/")
	f.Add("body", `"t"`, "SID")
	f.Add("cookie:SID", "", `SID="a=b"; SID=c`)
	f.Fuzz(func(t *testing.T, token, body, cookie string) {
		e, err := Parse(Description{SignIn: "POST /login", Token: token, ExpiresAt: token, ExpiresIn: "data.0.expires_in", Keep: map[string]string{"kept": "cookie:SID"}})
		if err != nil {
			return
		}
		a, err := e.Read(http.Header{"Set-Cookie": {cookie}}, []byte(body))
		if err != nil {
			return
		}
		if a.Life < 0 {
			t.Errorf("%q: got a life of %v", body, a.Life)
		}
		state := e.State("", a, nil)
		if kept := e.Kept(state); len(kept) != len(a.Kept) {
			t.Errorf("%q: got %q of the state, want %q", cookie, kept, a.Kept)
		}
	})
}
