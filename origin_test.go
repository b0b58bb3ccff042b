package jwtsession

import (
	"errors"
	"strings"
	"testing"
)

// S3
func TestOnlyHTTPSAndHTTPToThisMachineAreSecure(t *testing.T) {
	const (
		fine = iota
		insecure
		mistaken // an error of another kind
	)
	cases := map[string]int{
		"":                                     fine, // production
		"https://api.example.com":              fine,
		"HTTPS://API.EXAMPLE.COM/v1":           fine,
		"https://api.example.com:8443/v1/":     fine,
		"https://192.0.2.1":                    fine,
		"https://[2001:db8::1]:8443/v1":        fine,
		"http://localhost:8080/v1":             fine,
		"http://LOCALHOST":                     fine,
		"HTTP://localhost":                     fine,
		"http://127.0.0.1:8080":                fine,
		"http://127.255.255.254":               fine,
		"http://[::1]:8080/v1":                 fine,
		"http://[0:0:0:0:0:0:0:1]":             fine,
		"http://[::ffff:127.0.0.1]":            fine,
		"http://api.example.com":               insecure,
		"HTTP://api.example.com":               insecure,
		"http://127.0.0.1.evil.com":            insecure,
		"http://localhost.evil.com":            insecure,
		"http://evil-localhost":                insecure,
		"http://127.1":                         insecure, // an address to some resolvers only
		"http://2130706433":                    insecure,
		"http://0.0.0.0:8080":                  insecure,
		"http://[::]:8080":                     insecure,
		"http://192.168.0.1":                   insecure,
		"http://[2001:db8::1]":                 insecure,
		"http://[::ffff:192.0.2.1]":            insecure,
		"http://user@api.example.com":          insecure,
		"http://localhost@evil.com":            insecure,
		"http://localhost:80@evil.com/v1":      insecure,
		"ftp://localhost":                      insecure,
		"ws://localhost":                       insecure,
		"//api.example.com/v1":                 insecure,
		"http://user:CANARY@localhost":         mistaken,
		"https://user:CANARY@api.example.com":  mistaken,
		"https://CANARY@api.example.com":       mistaken,
		"https://api.example.com/?key=CANARY":  mistaken,
		"https://api.example.com/?":            mistaken,
		"https://api.example.com/#CANARY":      mistaken,
		"https://":                             mistaken,
		"https:///v1":                          mistaken,
		"https://:443/CANARY":                  mistaken,
		"https:api.example.com":                mistaken,
		"api.example.com":                      mistaken,
		"localhost:8080":                       mistaken,
		"https://api.example.com:CANARY":       mistaken,
		"https://api.example.com/%zz?k=CANARY": mistaken,
		"https://[::1":                         mistaken,
		"https://api.example.com\r\nX: CANARY": mistaken,
		"file:///etc/hosts":                    mistaken,
	}
	for u, want := range cases {
		_, clientErr := NewClient(u, canaryCredentials, nil)
		ts, sourceErr := New(Config{BaseURL: u, Credentials: canaryCredentials})
		if ts != nil {
			ts.Close()
		}
		errs := map[string]error{"NewClient": clientErr, "New": sourceErr}
		if u != "" {
			_, errs["New, as one of Origins"] = New(Config{Credentials: canaryCredentials, Origins: []string{strings.Replace(u, "/v1", "", 1)}})
		}
		for from, err := range errs {
			got := fine
			switch {
			case errors.Is(err, ErrInsecureURL):
				got = insecure
			case err != nil:
				got = mistaken
			}
			if got != want {
				t.Errorf("%s with %q: got error %v, want %s", from, u, err, []string{"none", "ErrInsecureURL", "one, but not ErrInsecureURL"}[want])
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s with %q: the error shows what may be a secret: %v", from, u, err)
			}
		}
	}
}

// S3
func TestThePathOfABaseURLIsKept(t *testing.T) {
	for base, want := range map[string]string{
		"":                            "https://api.pacerpro.com/v1/session",
		"https://api.example.com":     "https://api.example.com/session",
		"https://api.example.com/":    "https://api.example.com/session",
		"https://api.example.com/v2":  "https://api.example.com/v2/session",
		"https://api.example.com/v2/": "https://api.example.com/v2/session",
		"https://sdx94nst9f.execute-api.us-east-1.amazonaws.com/qa": "https://sdx94nst9f.execute-api.us-east-1.amazonaws.com/qa/session",
	} {
		if got := clientOf(t, base, nil).baseURL + sessionPath; got != want {
			t.Errorf("the session of %q is at %q, want %q", base, got, want)
		}
	}
}

// H1
func TestAnOriginHasNoPath(t *testing.T) {
	for s, fine := range map[string]bool{
		"https://files.example.com":    true,
		"https://files.example.com/":   true,
		"https://files.example.com/a":  false,
		"https://files.example.com?a":  false,
		"https://files.example.com/#a": false,
	} {
		if _, err := New(Config{Credentials: canaryCredentials, Origins: []string{s}}); (err == nil) != fine {
			t.Errorf("%q as one of Origins: got error %v, want none: %v", s, err, fine)
		}
	}
}
