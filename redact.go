package jwtsession

import (
	"errors"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

const (
	// redacted stands wherever a secret was.
	redacted = "[redacted]"

	longestQuote = 200      // characters of what a server says, in an error
	longestScan  = 64 << 10 // bytes of it that are looked through for them
	shortestStub = 12       // characters of a secret that a text ends in the middle of
)

// jwtShape finds tokens wherever a server's answer repeats one, its own or
// somebody else's, whole or cut off.
var jwtShape = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}=*(\.[A-Za-z0-9_-]*=*)*`)

// issuedToken finds the token of a session in an answer that should have none.
var issuedToken = regexp.MustCompile(`(?i)("jwtToken"\s*:\s*")(?:[^"\\]|\\.)*`)

// emailShape finds e-mail addresses, of which a log has the domain only. It
// finds the password of a URL, too.
var emailShape = regexp.MustCompile(`[^\s"'<>()\[\]\\,;:=&?%/@]+(@|%40)([A-Za-z0-9-]+\.)`)

// redactor strikes secrets out of what is not ours to word: a server's answers,
// and the errors of a transport or an issuer.
type redactor []string

func redact(secrets ...string) redactor {
	var all redactor
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		all = append(all, secret)
		if shown := printable(secret); shown != secret && shown != "" {
			all = append(all, shown)
		}
	}
	return all
}

// text strikes out the secrets, whatever looks like a token, and the names of
// e-mail addresses.
func (r redactor) text(text string) string {
	text = r.strike(text)
	text = jwtShape.ReplaceAllString(text, redacted)
	text = issuedToken.ReplaceAllString(text, "${1}"+redacted)
	return emailShape.ReplaceAllString(text, redacted+"${1}${2}")
}

// quote is the first printable characters of a text, without secrets. What is
// left out of a text may join the parts of a secret, so it is looked through
// once more without it.
func (r redactor) quote(text string) string {
	text = text[:min(len(text), longestScan)]
	text = r.text(printable(r.text(text)))
	n := 0
	for at := range text {
		if n++; n > longestQuote {
			return strings.TrimSpace(text[:at])
		}
	}
	return text
}

// strike replaces the secrets.
func (r redactor) strike(text string) string {
	var b strings.Builder
	for at := 0; at < len(text); {
		length := 0
		for _, secret := range r {
			length = max(length, spelledAt(text[at:], secret))
		}
		if length == 0 {
			b.WriteByte(text[at])
			at++
			continue
		}
		b.WriteString(redacted)
		at += length
	}
	return b.String()
}

// spelledAt returns how long a secret is at the start of a text, in which it may
// stand as it is or escaped, wholly or in part; zero if it is not there. A text
// that ends within a secret counts as well.
func spelledAt(text, secret string) int {
	ends, characters := []int{0}, 0 // all places where the characters so far may end
	for _, c := range secret {
		var further []int
		for _, end := range ends {
			if end == len(text) && characters >= shortestStub {
				return end
			}
			for _, length := range spelled(text[end:], c) {
				if length > 0 && !slices.Contains(further, end+length) {
					further = append(further, end+length)
				}
			}
		}
		if len(further) == 0 {
			return 0
		}
		ends = further
		characters++
	}
	return slices.Max(ends)
}

// spelled returns how many bytes at the start of a text stand for c: as the
// character itself, and as its escape in a URL, in JSON or in HTML.
func spelled(text string, c rune) (lengths [2]int) {
	if text == "" {
		return lengths
	}
	if got, length := utf8.DecodeRuneInString(text); got == c {
		lengths[0] = length
	}
	switch text[0] {
	case '%':
		if raw := string(c); len(text) >= 3*len(raw) && percentDecodes(text[:3*len(raw)], raw) {
			lengths[1] = 3 * len(raw)
		}
	case '+':
		if c == ' ' {
			lengths[1] = 1
		}
	case '\\':
		lengths[1] = escaped(text, c)
	case '&':
		end := strings.IndexByte(text[:min(len(text), 12)], ';') + 1
		if end > 0 && html.UnescapeString(text[:end]) == string(c) {
			lengths[1] = end
		}
	}
	return lengths
}

// percentDecodes reports whether text is raw with each byte percent-encoded.
func percentDecodes(text, raw string) bool {
	for i := range len(raw) {
		b, err := strconv.ParseUint(text[3*i+1:3*i+3], 16, 8)
		if text[3*i] != '%' || err != nil || byte(b) != raw[i] {
			return false
		}
	}
	return true
}

// escaped returns how long c's escape in a JSON string is.
func escaped(text string, c rune) int {
	if len(text) >= 2 {
		if at := strings.IndexByte(`"\/bfnrt`, text[1]); at >= 0 && rune("\"\\/\b\f\n\r\t"[at]) == c {
			return 2
		}
	}
	length := 0
	for _, unit := range utf16.Encode([]rune{c}) {
		rest := text[length:]
		if len(rest) < 6 || rest[:2] != `\u` {
			return 0
		}
		if got, err := strconv.ParseUint(rest[2:6], 16, 16); err != nil || uint16(got) != unit {
			return 0
		}
		length += 6
	}
	return length
}

// shownHeaders are those of a failed answer that help to find out why, and that
// no server puts a secret into.
var shownHeaders = []string{
	"Content-Type", "Content-Length", "Date", "Age", "Retry-After", "Allow", "Www-Authenticate", "Server", "Via",
	"X-Request-Id", "X-Amzn-Requestid", "X-Amzn-Errortype", "X-Amz-Apigw-Id", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Cache",
}

// header returns a copy of the headers that may be shown.
func (r redactor) header(header http.Header) http.Header {
	clean := http.Header{}
	for _, name := range shownHeaders {
		for _, value := range header[name] {
			clean.Add(name, r.quote(value))
		}
	}
	return clean
}

// error returns err itself if its text holds no secret.
func (r redactor) error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := jwtShape.ReplaceAllString(r.strike(text), redacted)
	if clean == text {
		return err
	}
	return &redactedError{
		text: clean,
		is:   func(target error) bool { return errors.Is(err, target) },
		as:   func(target any) bool { return r.as(err, target) },
	}
}

// as offers what tells whether an attempt is worth repeating, without secrets.
func (r redactor) as(err error, target any) bool {
	switch target := target.(type) {
	case **APIError:
		var api *APIError
		if !errors.As(err, &api) {
			return false
		}
		clean := *api
		clean.Type, clean.Message = r.quote(api.Type), r.quote(api.Message)
		clean.header = r.header(api.header)
		*target = &clean
		return true
	case **oauth2.RetrieveError:
		var clean *APIError
		return r.as(err, &clean) && clean.As(target)
	case **unusableError:
		var unusable *unusableError
		if !errors.As(err, &unusable) {
			return false
		}
		*target = &unusableError{r.error(unusable.err), unusable.local}
		return true
	}
	return false
}

// redactedError stands for an error whose text holds a secret. It still Is what
// that was, but does not let go of it. What it knows is in functions, which
// nobody can print.
type redactedError struct {
	text string
	is   func(error) bool
	as   func(any) bool
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return e.is(target) }
func (e *redactedError) As(target any) bool   { return e.as(target) }

// printable is the printable characters of a text, its white space folded.
func printable(text string) string {
	shown := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(shown), " ")
}
