package jwtsession

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"
)

// spellings are the ways in which a server may repeat a text.
func spellings(secret string) map[string]string {
	var ascii, hex, decimal, utf16LE strings.Builder
	for _, unit := range utf16.Encode([]rune(secret)) {
		fmt.Fprintf(&ascii, `\u%04X`, unit)
		utf16LE.WriteString(string([]byte{byte(unit), byte(unit >> 8)}))
	}
	for _, b := range []byte(secret) {
		fmt.Fprintf(&hex, "%%%02x", b)
	}
	for _, r := range secret {
		fmt.Fprintf(&decimal, "&#%d;", r)
	}
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.Encode(secret)
	return map[string]string{
		"as it is":              secret,
		"JSON":                  jsonOf(secret),
		"JSON, not for HTML":    strings.TrimSpace(plain.String()),
		"JSON, slashes escaped": strings.ReplaceAll(plain.String(), "/", `\/`),
		"JSON in ASCII":         `"` + ascii.String() + `"`,
		"a URL's query":         url.QueryEscape(secret),
		"a URL's path":          url.PathEscape(secret),
		"percent-encoded":       hex.String(),
		"HTML":                  html.EscapeString(secret),
		"HTML by numbers":       decimal.String(),
		"UTF-16":                utf16LE.String(),
		"with NULs":             strings.Join(strings.Split(secret, ""), "\x00"),
	}
}

// X1
func TestASecretIsStruckOutHoweverItIsSpelled(t *testing.T) {
	for _, secret := range []string{"CANARY", canaryPassword, canaryOpaque, "C%41NARY%%+ +", `C\\u0041\NARY"`, "CANARY&amp;&#65;", "CANARY\t CANARY", "CANARY漢字\U0001D11E"} {
		for name, spelled := range spellings(secret) {
			if name == "UTF-16" && strings.ContainsFunc(secret, func(r rune) bool { return r > 0xff }) {
				continue // its halves are no characters of the secret, and are not shown as such
			}
			for _, text := range []string{spelled, "before " + spelled + " after", "wrong: {" + spelled + "}", spelled + spelled} {
				got := redact(secret).quote(text)
				if !strings.Contains(got, redacted) || strings.Contains(strings.ReplaceAll(got, redacted, ""), "NARY") {
					t.Errorf("%q %s: got %q, want it struck out", secret, name, got)
				}
				if strings.Contains(text, "before") && (!strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after")) {
					t.Errorf("%q %s: got %q, want what stands around it", secret, name, got)
				}
			}
		}
	}
}

// X1: a server may cut a message off, and so do we.
func TestASecretThatATextEndsInIsStruckOut(t *testing.T) {
	for length := shortestStub; length < len(canaryOpaque); length++ {
		if got := redact(canaryOpaque).quote("bad token " + canaryOpaque[:length]); got != "bad token "+redacted {
			t.Errorf("cut off after %d characters: got %q, want it struck out", length, got)
		}
	}
	scanned := strings.Repeat("\x00", longestScan-30) + canaryOpaque
	if got := redact(canaryOpaque).quote(scanned); got != redacted {
		t.Errorf("at the end of what is looked through: got %q, want it struck out", got)
	}
}

// X1: tokens that nobody knew of.
func TestWhatLooksLikeATokenIsStruckOut(t *testing.T) {
	const token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.CANARY_-x"
	for text, want := range map[string]string{
		"bad token " + token + "!":               "bad token [redacted]!",
		"cut eyJ0eXAiOiJKV1QiLCJhbGc":            "cut [redacted]",
		`{"jwtToken": "CANARY\"opaque", "a": 1}`: `{"jwtToken": "[redacted]", "a": 1}`,
		`{"JWTTOKEN":"CANARY`:                    `{"JWTTOKEN":"[redacted]`,
		"no user clerk@example.com":              "no user [redacted]@example.com",
		"?email=clerk%40example.com&a=1":         "?email=[redacted]%40example.com&a=1",
		"https://user:CANARY@example.com/":       "https://user:[redacted]@example.com/",
		"at 5 @ noon, eyJ is short":              "at 5 @ noon, eyJ is short",
	} {
		if got := redact().quote(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// X1: an error that shows a secret is known by what it is, and gives nothing
// away.
func TestAnErrorThatShowsASecretKeepsItsMeaningOnly(t *testing.T) {
	plain := errors.New("nothing in it")
	if got := redact(canaryOpaque).error(plain); got != plain {
		t.Errorf("got %v, want the error itself", got)
	}
	if got := redact(canaryOpaque).error(nil); got != nil {
		t.Errorf("got %v, want nil", got)
	}
	api := &APIError{Op: "refresh", StatusCode: 401, Message: "token " + canaryOpaque, Type: canaryOpaque}
	chatty := fmt.Errorf("refresh with %s: %w", canaryOpaque, &unusableError{err: api})
	err := fmt.Errorf("outer: %w", redact(canaryOpaque).error(chatty))
	if !errors.Is(err, ErrUnauthorized) {
		t.Errorf("got %v, want one that Is ErrUnauthorized as before", err)
	}
	var own *unusableError
	var clean *APIError
	if !errors.As(err, &own) || !errors.As(err, &clean) || clean.StatusCode != 401 || clean.Op != "refresh" {
		t.Errorf("got %v, want an *APIError of a 401 that is not worth repeating", err)
	}
	var other interface{ NotThere() }
	if errors.As(err, &other) {
		t.Error("it is something that it never was")
	}
	for layer := err; layer != nil; layer = errors.Unwrap(layer) {
		shownNowhere(t, "an error's layer", layer)
	}
	shownNowhere(t, "its APIError", clean)
	shownNowhere(t, "its mark", own)
}
