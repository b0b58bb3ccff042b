package proxy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// deepestEscape is how often a path may be escaped over. No client does it more
// than twice.
const deepestEscape = 8

// parameters begin what may not belong to a segment's name any more: parameters
// themselves, and a query and a fragment where they come out of an escape.
const parameters = ";?#"

// canonical reads a path, in its escaped form, as the most lenient of servers
// would, and returns it so: all layers of escapes undone, overlong and
// compatibility forms of characters made plain, accents and what is invisible left
// out, slashes for backslashes, lower case. All that is decided by a path is decided by this
// reading; what goes to the API is the path as it came.
//
// It is not ok if some server might take the path to lead out of where it begins,
// or to end early: if a segment is "..", or if there is a control character. A
// client that means a path inside need not write one.
func canonical(path string) (reading string, ok bool) {
	if !isPlain(path) {
		if path, ok = undone(path, plain); !ok {
			return "", false
		}
	}
	return path, !climbs(path)
}

// readings are two of a path that servers may have: one with bytes that are no UTF-8
// as Latin-1, and one without them, as some decoders leave them out; empty where
// there are none.
type readings [2]string

// readingsOf returns a path's. It is not ok if canonical is not, or were not, of
// either.
func readingsOf(path string) (r readings, ok bool) {
	if r[0], ok = canonical(path); !ok || !strings.Contains(path, "%") && utf8.ValidString(path) {
		return r, ok
	}
	r[1], ok = undone(path, func(s string) string { return plain(strings.ToValidUTF8(s, "")) })
	return r, ok && !climbs(r[1])
}

// isPlain reports whether a path reads the same everywhere.
func isPlain(path string) bool {
	for i := range len(path) {
		c := path[i]
		if c >= utf8.RuneSelf || c < ' ' || c == 0x7f || c == '%' || c == '\\' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// undone takes layer after layer off a path, until there is none left. Escapes
// come off first, all of them: the bytes of one character may have been escaped
// over a different number of times.
func undone(path string, plain func(string) string) (string, bool) {
	for range deepestEscape {
		if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", false
		}
		simpler := unescape(path)
		if simpler == path {
			simpler = plain(path)
		}
		if simpler == path {
			return path, true
		}
		path = simpler
	}
	return "", false
}

// climbs reports whether a segment is ".." in any reading: some servers leave out
// spaces.
func climbs(path string) bool {
	if !strings.Contains(path, ".") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		segment = name(segment)
		dots := strings.Count(segment, ".")
		if strings.Trim(segment, ". +") == "" && (dots == 2 || dots > 2 && dots < len(segment)) {
			return true
		}
	}
	return false
}

// name is a segment without its parameters, and without what names a stream of the
// file on Windows: "session:" and "session::$DATA" are files called session. Many APIs
// have colons in a name itself.
func name(segment string) string {
	if i := strings.IndexAny(segment, parameters); i >= 0 {
		segment = segment[:i]
	}
	if before, stream, found := strings.Cut(segment, ":"); found && (stream == "" || stream[0] == ':' || stream[0] == '$') {
		return before
	}
	return segment
}

// unescape decodes once what can be decoded, %u002e included, and leaves all
// else.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if value, isHex := unhex(s[i+1:], 2); isHex {
				b.WriteByte(byte(value))
				i += 2
				continue
			}
			if i+1 < len(s) && (s[i+1] == 'u' || s[i+1] == 'U') {
				if value, isHex := unhex(s[i+2:], 4); isHex {
					b.WriteRune(value)
					i += 5
					continue
				}
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unhex reads n hexadecimal digits.
func unhex(s string, n int) (value rune, isHex bool) {
	if len(s) < n {
		return 0, false
	}
	for _, c := range []byte(s[:n]) {
		switch {
		case '0' <= c && c <= '9':
			value = value<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			value = value<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			value = value<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return value, true
}

// alike are characters that some conversions to a narrower alphabet, or to one
// case, replace, besides those that Unicode itself calls compatible.
var alike = strings.NewReplacer(`\`, "/", "\u2044", "/", "\u2215", "/", "\u29f8", "/", "\u2216", "/", "\u29f5", "/", "\u29f9", "/",
	"ı", "i", "ß", "ss", "ẞ", "ss", "ł", "l", "Ł", "l", "ø", "o", "Ø", "o", "đ", "d", "Đ", "d", "ħ", "h", "Ħ", "h", "ŧ", "t", "Ŧ", "t")

// plain makes characters that some server takes for others those others.
func plain(s string) string {
	s = alike.Replace(norm.NFKD.String(shortest(s)))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1 // nothing is to be seen of it
		case unicode.Is(unicode.Mn, r):
			return -1 // an accent, which a narrower alphabet has not
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ToLower(unicode.ToUpper(r)) // the long s has the same capital as s
	}, s)
	return s
}

// shortest replaces UTF-8 that is longer than it may be, which lenient decoders
// take for the character meant.
func shortest(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			r, size = overlong(s[i:])
		}
		b.WriteRune(r)
		i += size
	}
	return b.String()
}

// overlong decodes two to six bytes without asking whether fewer would do. A
// byte that begins none stands for itself, as in Latin-1.
func overlong(s string) (r rune, size int) {
	switch c := s[0]; {
	case c&0xe0 == 0xc0:
		r, size = rune(c&0x1f), 2
	case c&0xf0 == 0xe0:
		r, size = rune(c&0x0f), 3
	case c&0xf8 == 0xf0:
		r, size = rune(c&0x07), 4
	case c&0xfc == 0xf8:
		r, size = rune(c&0x03), 5
	case c&0xfe == 0xfc:
		r, size = rune(c&0x01), 6
	}
	if size == 0 || len(s) < size {
		return rune(s[0]), 1
	}
	for _, c := range []byte(s[1:size]) {
		if c&0xc0 != 0x80 {
			return rune(s[0]), 1
		}
		r = r<<6 | rune(c&0x3f)
	}
	return r, size
}
