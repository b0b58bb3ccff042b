package redaction

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const password = `Tr0ub4dor&3`

// spellings are the forms in which no text may have a part of a secret.
func spellings(secret string) map[string]string {
	var ascii, percent strings.Builder
	for _, unit := range utf16.Encode([]rune(secret)) {
		fmt.Fprintf(&ascii, `\u%04X`, unit)
	}
	for _, b := range []byte(secret) {
		fmt.Fprintf(&percent, "%%%02x", b)
	}
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.Encode(secret)
	forHTML, _ := json.Marshal(secret)
	all := map[string]string{
		"as it is":                    secret,
		"JSON, as Go writes it":       string(forHTML),
		"JSON, in upper case":         strings.ReplaceAll(string(forHTML), `\u003c`, `\u003C`),
		"JSON, not for HTML":          strings.TrimSpace(plain.String()),
		"JSON, slashes escaped":       strings.ReplaceAll(plain.String(), "/", `\/`),
		"JSON in ASCII":               `"` + ascii.String() + `"`,
		"JSON in ASCII, lower case":   strings.ToLower(ascii.String()),
		"a URL's query":               url.QueryEscape(secret),
		"a URL's path":                url.PathEscape(secret),
		"percent-encoded":             percent.String(),
		"percent-encoded, upper case": strings.ToUpper(percent.String()),
		"hexadecimal":                 hex.EncodeToString([]byte(secret)),
		"hexadecimal, upper case":     strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"hexadecimal, amidst others":  "f" + hex.EncodeToString([]byte(secret)) + "f",
		"with NULs":                   strings.Join(strings.Split(secret, ""), "\x00"),
	}
	for before := range 4 {
		inside := []byte("abc"[:before%4] + secret + ":more")
		if before == 3 {
			inside = []byte(secret)
		}
		all[fmt.Sprint("base64, as byte ", before)] = base64.StdEncoding.EncodeToString(inside)
		all[fmt.Sprint("base64 for URLs, as byte ", before)] = base64.RawURLEncoding.EncodeToString(inside)
		all[fmt.Sprint("base64, amidst others, as byte ", before)] = "Zg" + base64.RawStdEncoding.EncodeToString(inside) + "Zg"
	}
	return all
}

// X4
func TestATextWithASecretIsLeftOutHoweverTheSecretIsWritten(t *testing.T) {
	for _, secret := range []string{password, "four", "C%41NARY%%+ +", `C\\u0041\NARY"`, "<<a>>&&<<b>>", "/a/?b+c~d", "p w\td\np", "漢字漢字 \U0001D11Eé", "\U0001D11E\U0001F600\U0001D11E\U0001F600", `"1"2"`, "CANARY-" + strings.Repeat("opaque-", 2000)} {
		for name, spelled := range spellings(secret) {
			if len(spelled) > LongestText {
				spelled = spelled[:LongestText-100]
			}
			for _, text := range []string{spelled, "before " + spelled + " after", `wrong: {"password":"` + spelled + `"}`} {
				if got := Of("other secret", secret).Quote(text); got != LeftOut {
					t.Errorf("%.20q %s: got %q, want %q", secret, name, got, LeftOut)
				}
				if name == "with NULs" && strings.Contains(secret, "\t") {
					continue // unprinted, it has other white space
				}
				if got := Of(secret).Text(text); got != LeftOut {
					t.Errorf("%.20q %s, as a text: got %q, want %q", secret, name, got, LeftOut)
				}
				if !Of(secret).Shows(text) {
					t.Errorf("%.20q %s: it is said to show nothing", secret, name)
				}
			}
		}
	}
}

// X4: what was escaped over and over still has four letters or digits in a row.
func TestAnEscapeAtTheEndOfATextIsUndone(t *testing.T) {
	for text, secret := range map[string]string{`at last \u0061bc\n`: "abc\n", `at last \u0061bc\t`: "abc\t", `at last \u0061bc\/`: "abc/"} {
		if !Of(secret).Shows(text) {
			t.Errorf("%s: got it shown, want it to be left out: it ends in the secret %q", text, secret)
		}
	}
}

func TestATextThatWasEscapedTwiceIsLeftOut(t *testing.T) {
	text := `{"email":"clerk@example.com","password":` + jsonOf(password) + `}`
	for depth := range 5 {
		text = jsonOf(text)
		for name, escaped := range map[string]string{"JSON": text, "and percent-encoded": url.QueryEscape(text), "and for HTML": strings.ReplaceAll(text, `"`, "&#34;")} {
			if got := Of(password).Quote(escaped); got != LeftOut {
				t.Errorf("%d times JSON %s: got %q, want %q", depth+1, name, got, LeftOut)
			}
		}
	}
}

// X4: four characters are a part, three are none.
func TestAPartOfASecretHasFourCharacters(t *testing.T) {
	for at := range len(password) - 3 {
		four := password[at : at+4]
		for name, spelled := range spellings(four) {
			if got := Of(password).Text("bad: " + spelled); got != LeftOut {
				t.Errorf("%q %s: got %q, want %q", four, name, got, LeftOut)
			}
		}
	}
	for at := range len(password) - 2 {
		text := "bad: " + password[at:at+3] + "!"
		if got := Of(password).Text(text); got != text {
			t.Errorf("%q: got %q, want it as it is", text, got)
		}
	}
	if got := Of("x7!", password).Text(password); got != LeftOut {
		t.Errorf("beside a short secret: got %q, want %q", got, LeftOut)
	}
	for secret, texts := range map[string]map[string]bool{
		"":    {"anything": true, "": true},
		"x7!": {"is x7! here": false, "is x7 here": true, "%78%37%21": false, `\u00787!`: false, "783721": false},
		"é😀ñ": {"é😀ñ": false, "é😀n": true, "%C3%A9%F0%9F%98%80%C3%B1": false},
	} {
		for text, fine := range texts {
			if got := Of(secret).Text(text); (got == text) != fine {
				t.Errorf("%q of the secret %q: got %q, want it shown: %v", text, secret, got, fine)
			}
		}
	}
}

// What a server says in its own words is shown, and what finds its log entry.
func TestATextWithoutASecretIsShown(t *testing.T) {
	token := "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJjMGI1MDdhNy0yNzE2LTRmM2UtYWY2YS00NmIyNmZkYzI0ZTIiLCJzdWIiOjEsImV4cCI6MTUwMDMzNDk5Mywic2NwIjoidXNlciJ9.c2lnbmF0dXJl"
	s := OfAccount("clerk@example.com", password, token)
	for _, text := range []string{
		"", "Invalid email or password.", "Tue, 03 Feb 2026 04:06:06 GMT", "8f14e45f-ceea-467f-a0e6-0ba6d1f0a1c5", "application/json; charset=utf-8",
		"<html> <h1>502 Bad Gateway</h1>", `{"a":"\u00e9\n"}`, "100% of 50%zz", "at 5 @ noon, eyJ is short", "the token has expired", `Bearer realm="example", error="invalid_token"`,
		"example.com: clerks only",
	} {
		if got := s.Quote(text); got != text {
			t.Errorf("%q: got %q, want it as it is", text, got)
		}
		if got := s.Text(text); got != text || s.Shows(text) {
			t.Errorf("%q, as a text: got %q, want it as it is", text, got)
		}
	}
}

// X2: who it is about.
func TestTheNameInAnEMailAddressIsNotShown(t *testing.T) {
	for text, want := range map[string]string{
		"no user clerk@example.com":                   "no user [redacted]@example.com",
		"no user Clerk@Example.com":                   "no user [redacted]@Example.com",
		"?email=clerk%40example.com&a=1":              "?email=[redacted]%40example.com&a=1",
		"no user other@example.com":                   "no user [redacted]@example.com",
		"https://user:word@example.com/":              "https://user:[redacted]@example.com/",
		"parse \"http://user:w%zz@proxy:80\": no URL": "parse \"http://user:[redacted]@proxy:80\": no URL",
		"redis://:word@localhost, http://a:1/b@c:2":   "redis://:[redacted]@localhost, http://a:1/b@c:2",
		"no user CLERK":                               LeftOut,
		"no user 'clerk' here":                        LeftOut,
		`no user \u0063lerk`:                          LeftOut,
		"user " + hex.EncodeToString([]byte("clerk")): LeftOut,
		"no clerks at example.com":                    "no clerks at example.com",
	} {
		if got := OfAccount("clerk@example.com", password).Quote(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := OfAccount("anna@example.com").Text("no user anna"); got != LeftOut {
		t.Errorf("of a name of four characters: got %q, want %q", got, LeftOut)
	}
	for account, text := range map[string]string{"me@example.com": "tell me", "worker-7": "worker-7 is unknown", "@example.com": "no address"} {
		if got := OfAccount(account).Text(text); got != text {
			t.Errorf("%q of the account %q: got %q, want it as it is", text, account, got)
		}
	}
}

// X1: tokens that nobody knew of.
func TestATextWithWhatLooksLikeATokenIsLeftOut(t *testing.T) {
	for _, text := range []string{
		"bad token eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.CANARY_-x!", "cut eyJ0eXAiOiJKV1QiLCJhbGc", "e\x00yJ0eXAiOiJKV1Qi",
		`{"jwtToken": "CANARY\"opaque", "a": 1}`, `{"JWTTOKEN":"CANARY`, `{"access_token" : "CANARY"}`, `"{\"token\":\"CANARY\"}"`,
	} {
		if got := Of().Quote(text); got != LeftOut {
			t.Errorf("%q: got %q, want %q", text, got, LeftOut)
		}
	}
}

func TestAQuoteIsTwoHundredPrintableCharactersOfTheFirst4KiB(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("é", 300):                      strings.Repeat("é", 200),
		" two\n\tlines\x00\x1b[31m\u202e ":            "two lines[31m",
		strings.Repeat(" ", LongestText) + "beyond":   "",
		strings.Repeat("x", LongestText) + password:   strings.Repeat("x", 200),
		strings.Repeat("x", LongestText-4) + password: LeftOut,
		strings.Repeat("x", LongestText-3) + password: strings.Repeat("x", 200),
		strings.Repeat("a b ", 1<<20):                 strings.TrimSpace(strings.Repeat("a b ", 50)),
	} {
		if got := Of(password).Quote(text); got != want {
			t.Errorf("%.20q (%d bytes): got %.300q, want %.300q", text, len(text), got, want)
		}
	}
	if !Of(password).Shows(strings.Repeat("x", LongestText+1)) {
		t.Error("a text that is too long to tell is said to show nothing")
	}
}

// X4: linear, whatever a server sends. Some of these took seconds each where escapes
// were undone in all ways.
func TestNoTextTakesLong(t *testing.T) {
	token := strings.Repeat(`&%25\u005c\\+a`, 1170) // 16 KiB
	s := OfAccount("clerk@example.com", token, strings.Repeat("a", 16<<10), "%%%%%%%%", `\\\\\\\\`)
	start := time.Now()
	for _, piece := range []string{"%25", `\\`, `\u005c`, "&#38;", "aaa ", "%", "Zg-_", "ff", "@", "a@b.", "eyJ", "clerk1", "\x00", "\xff"} {
		s.Quote(strings.Repeat(piece, 1<<20))
		s.Text(strings.Repeat(piece, 1<<20))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("28 crafted texts took %v, want some milliseconds each", took)
	}
}

// naive finds a run by comparing everything with everything.
func naive(text, secret string) bool {
	runes := []rune(secret)
	if len(runes) < run {
		return secret != "" && strings.Contains(text, secret)
	}
	for at := range len(runes) - run + 1 {
		if strings.Contains(text, string(runes[at:at+run])) {
			return true
		}
	}
	return false
}

// X4: whatever the secret and the text, what is shown has no part of it.
func FuzzNoTextShowsAPartOfASecret(f *testing.F) {
	for _, text := range []string{"", "wrong: Tr0ub4dor\\u00263", "%54r0u%62", "5472307562", "VHIwdWI0ZG9yJjM", "clerk@example.com", "\xff\x00T\x00r\x000\x00u", "\\ud834\\udd1e"} {
		f.Add(password, text, uint8(3), uint8(4), uint8(7))
		f.Add("é漢ñ\x00\xff \U0001D11E", text, uint8(0), uint8(9), uint8(1))
		f.Add("abc", text, uint8(0), uint8(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, secret, text string, from, length, form uint8) {
		s := OfAccount("clerk@example.com", secret)
		for how, shown := range map[string]string{"quoted": s.Quote(text), "as a text": s.Text(text)} {
			if shown == LeftOut {
				continue
			}
			if len(shown) > 4*LongestText || !strings.Contains(shown, Redacted) && (naive(shown, secret) || utf8.ValidString(shown) && naive(Printable(shown), secret)) {
				t.Errorf("the secret %q, %q %s: got %q, which has a part of it", secret, text, how, shown)
			}
		}
		// A part of it, somewhere in the text, in some form.
		runes := []rune(secret)
		if !utf8.ValidString(secret) || len(runes) == 0 {
			return
		}
		start := int(from) % len(runes)
		part := string(runes[start:min(len(runes), start+int(length))])
		if !naive(part, secret) {
			return
		}
		coded := [...]string{part, hex.EncodeToString([]byte(part)), base64.StdEncoding.EncodeToString([]byte("xyz"[:form/8%4] + part)), url.QueryEscape(part), url.PathEscape(part), jsonOf(part), `\u0020` + jsonOf(part)}[int(form)%7]
		at := int(from) % (len(text) + 1)
		within := text[:at] + " " + coded + " " + text[at:]
		if at+len(coded)+2 > LongestText {
			return
		}
		if got := s.Text(within); got != LeftOut {
			t.Errorf("the secret %q in %q: got %q, want %q", secret, within, got, LeftOut)
		}
	})
}

func jsonOf(text string) string {
	encoded, _ := json.Marshal(text)
	return string(encoded)
}
