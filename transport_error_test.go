package jwtsession

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// X1, X4: a base may quote the request that it was given, with all that carries the
// session.
func TestABasesErrorShowsNothingOfTheSession(t *testing.T) {
	const secret = "CANARY-0123456789"
	issuer := &issuerFuncs{create: func(context.Context) (Session, error) { return Session{Token: secret}, nil }}
	protocol := &Protocol{SignIn: "POST /login\n\n" + `{"user": "{email}", "password": "{password}"}`, Token: "token", Send: []string{"?sid={token}", "X-Session: {token}"}}
	signIn := roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: newBody(`{"token": "` + secret + `"}`)}, nil
	})
	for name, config := range map[string]Config{
		"a bearer token": {Issuer: issuer, BaseURL: "https://api.example.com"},
		"a description": {
			Protocol: protocol, BaseURL: "https://api.example.com", HTTPClient: &http.Client{Transport: signIn},
			Credentials: Credentials{Email: "clerk", Password: "none of it"},
		},
	} {
		ts := newSourceOf(t, config)
		quoted := false
		base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			err := fmt.Errorf("giving up on %s with %v", req.URL, req.Header)
			quoted = strings.Contains(err.Error(), secret)
			return nil, err
		})
		_, err := (&http.Client{Transport: &Transport{Source: ts, Base: base}}).Get("https://api.example.com/")
		if !quoted || err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			t.Errorf("%s: the base quoted the session: %v; got %v, want an error without it", name, quoted, err)
		}
	}
}
