package proxy

import "strings"

// deepestEscape is how often a path may be escaped over. No client does it more
// than twice.
const deepestEscape = 8

// escapes reports whether any server might take a path, in its escaped form, to
// lead out of where it begins. A server may resolve ".." before or after it
// decodes the path, decode it once or more often, take a backslash for a slash
// and leave out what follows a semicolon; so no segment may be ".." in any of
// these readings. A client that means a path inside need not write one. The same
// goes for control characters, at which a server may cut the path off.
func escapes(path string) bool {
	if !strings.ContainsAny(path, `%\`) && !strings.Contains(path, "..") {
		return false
	}
	for range deepestEscape {
		if climbs(path) {
			return true
		}
		decoded := unescape(path)
		if decoded == path {
			return false
		}
		path = decoded
	}
	return true
}

// climbs reports whether a path has a control character, or a segment that is
// "..", with or without parameters.
func climbs(path string) bool {
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return true
	}
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); strings.TrimSpace(name) == ".." {
			return true
		}
	}
	return false
}

// unescape decodes once what can be decoded, and leaves all else.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
