package jwtsession

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/sessiontest"
)

var (
	_ CredentialsProvider = Credentials{}
	_ CredentialsProvider = CredentialsProviderFunc(nil)
)

// What cannot work is an error that says what to set, and sends nothing.
func TestIncompleteCredentialsAreAnErrorBeforeAnyCall(t *testing.T) {
	for want, c := range map[string]Credentials{
		"no e-mail address": {Password: canaryPassword},
		"no password":       {Email: canaryEmail},
		"not UTF-8":         {Email: canaryEmail, Password: "CANARY\xff"},
		"are not UTF-8":     {Email: "caf\xe9@example.com", Password: canaryPassword},
	} {
		box := sessiontest.NewServer()
		// Known from the start, they are an error of New; else of the sign-in.
		_, early := New(Config{BaseURL: box.URL, Credentials: c})
		ts := newSource(t, box, func(config *Config) {
			config.Credentials = CredentialsProviderFunc(func(context.Context) (Credentials, error) { return c, nil })
		})
		_, late := ts.Token()
		client, _ := NewClient(box.URL, c, box.Client())
		_, alone := client.Create(t.Context())
		for from, err := range map[string]error{"New": early, "Token": late, "Create": alone} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s with %v: got %v, want an error that says %q", from, c, err, want)
			}
			if errors.Is(err, ErrInvalidCredentials) {
				t.Errorf("%s with %v: the error is ErrInvalidCredentials, but no server has judged them", from, c)
			}
		}
		expectCalls(t, box, 0, 0, 0)
		box.Close()
	}
}

// Credentials can be read from a configuration file, and never written to one.
func TestCredentialsAreReadFromJSONButNotWrittenToIt(t *testing.T) {
	var c Credentials
	if err := json.Unmarshal([]byte(`{"email":"clerk@example.com","password":"secret"}`), &c); err != nil || c.Email != "clerk@example.com" || c.Password != "secret" {
		t.Errorf("got %q and %q, %v; want what the file has", c.Email, c.Password, err)
	}
	if got, want := jsonOf(c), `{"Email":"clerk@example.com","Password":"[redacted]"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// X2
func TestAnAccountIsNamedByTheDomainOfItsAddress(t *testing.T) {
	for account, want := range map[string]string{
		"clerk@example.com": "example.com", `"a@b"@example.com`: "example.com", "@example.com": "example.com", "clerk@": "",
		"worker-7": "worker-7", "": "",
	} {
		if got := accountDomain(account); got != want {
			t.Errorf("%q: got %q, want %q", account, got, want)
		}
	}
	for email, want := range map[string]string{
		"clerk@example.com": "example.com", `"a@b"@xn--bcher-kva.xn--p1ai`: "xn--bcher-kva.xn--p1ai", "clerk@localhost": "localhost",
		"correct horse battery staple": "", "p@ssw0rd": "", "p@ss.w0rd": "", "p@ss word.com": "", "clerk": "", "clerk@": "", "": "",
	} {
		if got := emailDomain(email); got != want {
			t.Errorf("%q in the place of an address: got %q, want %q: it may be a password", email, got, want)
		}
	}
	if got := fmt.Sprint(canaryCredentials.LogValue()); strings.Contains(got, "canary") || !strings.Contains(got, "example.com") {
		t.Errorf("credentials are logged as %q, want their domain only", got)
	}
}

// T10: which credentials were refused is known by their fingerprint.
func TestTheFingerprintsOfTwoCredentialsDiffer(t *testing.T) {
	all := map[core.Fingerprint]Credentials{}
	for _, c := range []Credentials{
		{}, {Email: "a", Password: "b"}, {Email: "ab"}, {Password: "ab"}, {Email: "a", Password: "c"}, {Email: "b", Password: "b"},
		{Email: "a\x01", Password: "b"}, {Email: "a", Password: "\x01b"}, {Email: "a", Password: "b", Extra: map[string]string{"": ""}},
		{Email: "a", Password: "b", Extra: map[string]string{"c": "d"}}, {Email: "a", Password: "b", Extra: map[string]string{"c": "d", "e": "f"}},
		{Email: "a", Password: "b", Extra: map[string]string{"c": "f", "e": "d"}}, {Email: "a", Password: "b\x01c\x01d"},
	} {
		if other, taken := all[c.fingerprint()]; taken {
			t.Errorf("%q/%q/%q has the fingerprint of %q/%q/%q", c.Email, c.Password, c.Extra, other.Email, other.Password, other.Extra)
		}
		all[c.fingerprint()] = c
		same := c
		same.Extra, same.OneTimeCode = maps.Clone(c.Extra), "123456"
		if c.fingerprint() != same.fingerprint() {
			t.Errorf("%q/%q/%q has two fingerprints", c.Email, c.Password, c.Extra)
		}
	}
}
