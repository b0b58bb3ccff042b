package jwtsession

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redacted stands wherever a secret was.
const redacted = "[redacted]"

// jwtShape finds tokens wherever a server's answer repeats one, its own or
// somebody else's, whole or cut off.
var jwtShape = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}=*(\.[A-Za-z0-9_-]*=*)*`)

// redactor strikes secrets out of what a server says.
type redactor []string

// redact returns a redactor for these secrets, however an answer may spell
// them: as they are, as JSON does, or as a URL does.
func redact(secrets ...string) redactor {
	var all redactor
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret)
		all = append(all, secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret))
	}
	return all
}

// text strikes out the secrets, and whatever looks like a token.
func (r redactor) text(text string) string {
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return jwtShape.ReplaceAllString(text, redacted)
}

// header returns a copy without secrets and without cookies, which are secrets
// of their own.
func (r redactor) header(header http.Header) http.Header {
	clean := make(http.Header, len(header))
	for name, values := range header {
		if name == "Set-Cookie" {
			continue
		}
		for _, value := range values {
			clean.Add(name, r.text(value))
		}
	}
	return clean
}

// printable is the first limit printable characters of a text, its white space
// folded.
func printable(text string, limit int) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(text) {
		if b.Len() > 0 {
			word = " " + word
		}
		for _, r := range word {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				continue
			}
			if limit == 0 {
				return b.String()
			}
			b.WriteRune(r)
			limit--
		}
	}
	return strings.TrimSpace(b.String())
}
