package exchange

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Values are what the placeholders stand for. They have what is known at the
// time; {basic} is made of others.
type Values map[string]string

// of returns a placeholder's value.
func (v Values) of(name string) (string, error) {
	if name == Basic {
		if strings.Contains(v[Email], ":") {
			return "", errors.New("{basic} cannot be made: a user's name in it has no colon (RFC 7617)")
		}
		return base64.StdEncoding.EncodeToString([]byte(v[Email] + ":" + v[Password])), nil
	}
	value, known := v[name]
	if !known {
		return "", fmt.Errorf("{%s}: %w", name, ErrUnknown)
	}
	return value, nil
}

// ErrUnknown means that there is no value for a placeholder: the answers so far
// did not bring what was to be kept of them.
var ErrUnknown = errors.New("no answer has brought it")

var (
	placeholder = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9_-]*)\}`)
	braced      = regexp.MustCompile(`\{\{\s*([A-Za-z][A-Za-z0-9_-]*)\s*\}\}`)
)

// IsName reports whether a placeholder may be called so.
func IsName(s string) bool { return placeholder.FindString("{"+s+"}") == "{"+s+"}" }

// text is a text with placeholders: literal parts, each followed by the
// placeholder of the same index, if there is one.
type text struct{ literals, names []string }

func parseText(s string) text {
	var t text
	at := 0
	for _, found := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		t.literals = append(t.literals, s[at:found[0]])
		t.names = append(t.names, s[found[2]:found[3]])
		at = found[1]
	}
	t.literals = append(t.literals, s[at:])
	return t
}

// fill puts the values in, each written as the place demands.
func (t text) fill(p place, values Values) (string, error) {
	var b strings.Builder
	for i, literal := range t.literals {
		b.WriteString(literal)
		if i == len(t.names) {
			break
		}
		value, err := values.of(t.names[i])
		if err != nil {
			return "", err
		}
		written, err := p.write(value)
		if err != nil {
			return "", fmt.Errorf("{%s} cannot stand in %s: %w", t.names[i], p, err)
		}
		b.WriteString(written)
	}
	return b.String(), nil
}

// sample is the text with a letter for each placeholder. A letter is of no
// meaning in any of the places, and so as good as what will be put in.
func (t text) sample() string { return strings.Join(t.literals, "x") }

// closesBraces reports whether all braces that are no placeholders' make pairs. In
// JSON and in headers there may be some: a brace without its other one is a
// placeholder that was not written to its end.
func (t text) closesBraces() bool {
	return strings.Count(t.sample(), "{") == strings.Count(t.sample(), "}")
}

var errNotClosed = errors.New("a brace that is not closed, or not opened: write a placeholder like {email}")

// place is where a value stands.
type place int

const (
	inPath place = iota
	inQuery
	inForm
	inJSON
	inHeader
	inCookie
	inOtherBody
)

func (p place) String() string {
	return [...]string{"a path", "a query", "a form", "a JSON string", "a header", "a cookie", "a body that is neither JSON nor a form"}[p]
}

// write returns the value as it is written in the place, from where it can be
// read unchanged.
func (p place) write(value string) (string, error) {
	switch p {
	case inPath, inQuery, inForm:
		if p == inPath && value == "" {
			return "", errors.New("it is empty")
		}
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
	case inJSON:
		if !utf8.ValidString(value) {
			return "", errors.New("it is not UTF-8")
		}
		quoted, err := json.Marshal(value)
		return strings.TrimSuffix(strings.TrimPrefix(string(quoted), `"`), `"`), err
	case inOtherBody:
		return "", errors.New("nobody can tell how to write it there")
	}
	switch {
	case strings.ContainsFunc(value, isControl):
		return "", errors.New("it has a control character")
	case strings.Trim(value, " ") != value:
		return "", errors.New("it begins or ends with a space")
	case p == inCookie && strings.Contains(value, ";"):
		return "", errors.New("it has a semicolon")
	}
	return value, nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// namesOf returns the placeholders of the texts, each once.
func namesOf(texts ...text) []string {
	names := map[string]bool{}
	for _, t := range texts {
		for _, name := range t.names {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
