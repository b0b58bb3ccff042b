package redaction

import (
	"encoding/base64"
	"encoding/hex"
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readings are the ways to read a text in which a secret may have been written:
// as it is, or its characters escaped as in JSON or in a URL, or as hexadecimal
// digits or base64, which may have begun before it. Each reading is one pass. A
// text that was written in two of these ways, one over the other, is not undone.
func readings(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(text) {
			return
		}
		if strings.Contains(text, `\`) && !yield(unescapeJSON(text)) {
			return
		}
		if strings.Contains(text, "%") && !yield(unescapeURL(text)) {
			return
		}
		if strings.Contains(text, "+") && !yield(unescapeURL(strings.ReplaceAll(text, "+", " "))) {
			return
		}
		for _, digits := range strings.FieldsFunc(text, func(c rune) bool { return !isHex(c) }) {
			for skip := range min(2, len(digits)) {
				even := digits[skip:]
				decoded, _ := hex.DecodeString(even[:len(even)/2*2])
				if !yield(string(decoded)) {
					return
				}
			}
		}
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(text)
		for _, digits := range strings.FieldsFunc(standard, func(c rune) bool { return !isBase64(c) }) {
			for skip := range min(4, len(digits)) {
				if !yield(decodeBase64(digits[skip:])) {
					return
				}
			}
		}
	}
}

func isHex(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isBase64(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '+' || c == '/'
}

// decodeBase64 reads what makes whole bytes.
func decodeBase64(digits string) string {
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1]
	}
	decoded, _ := base64.RawStdEncoding.DecodeString(digits)
	return string(decoded)
}

// unescapeURL reads percent-encoding (RFC 3986, section 2.1), and lets stand what
// is none.
func unescapeURL(text string) string {
	var b strings.Builder
	for at := 0; at < len(text); at++ {
		if text[at] == '%' && at+3 <= len(text) {
			if c, err := strconv.ParseUint(text[at+1:at+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				at += 2
				continue
			}
		}
		b.WriteByte(text[at])
	}
	return b.String()
}

// unescapeJSON reads the escapes of a JSON string (RFC 8259, section 7), and lets
// stand what is none.
func unescapeJSON(text string) string {
	var b strings.Builder
	for at := 0; at < len(text); {
		if c, length := escaped(text[at:]); length > 0 {
			b.WriteRune(c)
			at += length
			continue
		}
		b.WriteByte(text[at])
		at++
	}
	return b.String()
}

// escaped returns the character whose escape a text begins with, and how long
// that is; zero if it begins with none.
func escaped(text string) (rune, int) {
	if len(text) < 2 || text[0] != '\\' {
		return 0, 0
	}
	if at := strings.IndexByte(`"\/bfnrt`, text[1]); at >= 0 {
		return rune("\"\\/\b\f\n\r\t"[at]), 2
	}
	c, ok := codeUnit(text)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(c) {
		if low, ok := codeUnit(text[6:]); ok {
			if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return c, 6
}

// codeUnit reads the four digits after a \u.
func codeUnit(text string) (rune, bool) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, false
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(unit), err == nil
}
