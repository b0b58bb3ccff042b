// Package redaction decides which texts from outside may be shown: what a server
// says, and the errors of a transport, a provider or an issuer, into which any
// of them may have put what it was sent.
//
// A text that has a part of a secret in it is left out whole. To strike out the
// part alone would take knowledge of all that a server may do to a text, and to
// find a part takes none: four characters in a row survive what is done to the
// others.
package redaction

import (
	"iter"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	// LeftOut stands for a text that is left out.
	LeftOut = "[left out: it has a part of a secret in it]"

	// Redacted stands for the name in an e-mail address, of which only the domain
	// is shown.
	Redacted = "[redacted]"

	// LongestText is how many bytes of a text are looked at. What is beyond them is
	// shown to nobody.
	LongestText = 4 << 10

	// LongestQuote is how many characters a quote has.
	LongestQuote = 200
)

// run is how many characters in a row a text may not have in common with a
// secret. A shorter secret may not be in it as a whole.
const run = 4

var (
	// tokenShape finds tokens that nobody knew of: a server may answer with
	// somebody else's.
	tokenShape = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8}|(?i:token\\?"\s*:\s*\\?"[^"\\])`)

	// urlShape finds the password in a URL: that of a proxy is none that a call knows.
	urlShape = regexp.MustCompile(`(://[^/?#@\s"]*:)[^/?#@\s"]+@`)

	// emailShape finds e-mail addresses.
	emailShape = regexp.MustCompile(`[^\s"'<>()\[\]\\,;:=&?%/@]+(@|%40)([A-Za-z0-9-]+\.)`)
)

// Secrets are what no text from outside may have a part of. Made by [Of] or
// [OfAccount], they are safe for concurrent use.
type Secrets struct {
	name  string // in lower case; empty: none
	parts func() parts
}

// parts are what is looked for.
type parts struct {
	runs  map[string]bool
	whole []string // secrets that are shorter than a run
}

// Of returns the secrets of one call. Empty ones are none.
func Of(secrets ...string) *Secrets { return OfAccount("", secrets...) }

// OfAccount returns the secrets of one call, made for an account. Where the
// account is an e-mail address, its name, the part before the @, is not shown
// either; it is looked for as a word, since it may be one, and one of fewer than
// four characters is looked for in front of an @ only.
func OfAccount(account string, secrets ...string) *Secrets {
	s := &Secrets{parts: sync.OnceValue(func() parts { return partsOf(secrets) })}
	if at := strings.LastIndexByte(account, '@'); at >= 0 && utf8.RuneCountInString(account[:at]) >= run {
		s.name = strings.ToLower(account[:at])
	}
	return s
}

// Text returns what may be shown of a text: its first 4 KiB, in which the names
// of e-mail addresses and the passwords in URLs are struck out, or [LeftOut].
func (s *Secrets) Text(text string) string {
	text = text[:min(len(text), LongestText)]
	struck := urlShape.ReplaceAllString(text, "${1}"+Redacted+"@")
	struck = emailShape.ReplaceAllString(struck, Redacted+"${1}${2}")
	if s.shown(text, false) || s.shown(struck, true) {
		return LeftOut
	}
	return struck
}

// Quote returns what may be shown of a text in an error: the first 200 printable
// characters, with white space folded, or [LeftOut].
func (s *Secrets) Quote(text string) string {
	text = s.Text(Printable(text[:min(len(text), LongestText)]))
	shown := 0
	for at := range text {
		if shown++; shown > LongestQuote {
			return strings.TrimSpace(text[:at])
		}
	}
	return text
}

// Shows reports whether a text, or the printable characters of it, have a part
// of a secret, or a URL with a password, or are too long to tell.
func (s *Secrets) Shows(text string) bool {
	return len(text) > LongestText || urlShape.MatchString(text) || s.shown(text, false)
}

func (s *Secrets) shown(text string, names bool) bool {
	if tokenShape.MatchString(text) || s.found(text, names) {
		return true
	}
	printable := Printable(text)
	return printable != text && (tokenShape.MatchString(printable) || s.found(printable, names))
}

func (s *Secrets) found(text string, names bool) bool {
	for reading := range readings(text) {
		if s.parts().in(reading) || names && s.name != "" && hasWord(strings.ToLower(reading), s.name) {
			return true
		}
	}
	return false
}

// partsOf returns the parts of secrets, as these are and as they are printed.
func partsOf(secrets []string) parts {
	p := parts{runs: map[string]bool{}}
	for _, secret := range secrets {
		if secret != "" && utf8.RuneCountInString(secret) < run {
			p.whole = append(p.whole, secret)
			continue
		}
		for each := range runs(secret) {
			p.runs[each] = true
		}
		for each := range runs(Printable(secret)) {
			p.runs[each] = true
		}
	}
	return p
}

func (p parts) in(text string) bool {
	for _, secret := range p.whole {
		if strings.Contains(text, secret) {
			return true
		}
	}
	if len(p.runs) == 0 {
		return false
	}
	for each := range runs(text) {
		if p.runs[each] {
			return true
		}
	}
	return false
}

// runs are all runs of a text.
func runs(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var starts [run]int // of the latest characters, in turn
		count := 0
		for at := 0; at < len(text); count++ {
			starts[count%run] = at
			_, width := utf8.DecodeRuneInString(text[at:])
			at += width
			if count >= run-1 && !yield(text[starts[(count+1)%run]:at]) {
				return
			}
		}
	}
}

// hasWord reports whether a word stands in a text with no letter or digit next
// to it.
func hasWord(text, word string) bool {
	for {
		at := strings.Index(text, word)
		if at < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(word):])
		if !isOfWord(before) && !isOfWord(after) {
			return true
		}
		text = text[at+len(word):]
	}
}

func isOfWord(c rune) bool { return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c)) }

// Printable is the printable characters of a text, its white space folded.
func Printable(text string) string {
	shown := strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return ' '
		}
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, text)
	return strings.Join(strings.Fields(shown), " ")
}
