package exchange

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// IsFor reports whether a request of this method, to this path below the base
// URL's, percent-encoded as it came, is meant as this one.
func (r *Request) IsFor(method, path string) bool {
	return r != nil && method == r.method && r.findPath(path, Values{}) == nil
}

// Match reads a request that came in as a server does that speaks the protocol to
// the letter: what stands where the placeholders are, {basic} as what it is made
// of. An error says what is not as the description has it, and quotes no value.
func (e *Exchange) Match(r *Request, req *http.Request, path string, body []byte) (Values, error) {
	values, query := Values{}, req.URL.Query()
	if r.carries {
		carried, err := e.Carried(req)
		if err != nil {
			return nil, err
		}
		maps.Copy(values, carried)
		for _, s := range e.send {
			if s.isQuery {
				query.Del(parameter(s.name))
			}
		}
	}
	written, _ := url.ParseQuery(r.query.String())
	for _, find := range []func() error{
		func() error { return r.findPath(path, values) },
		func() error { return findForm("query", written, query, values) },
		func() error { return e.findHeader(r, req.Header, values) },
		func() error { return r.findBody(body, values) },
	} {
		if err := find(); err != nil {
			return nil, err
		}
	}
	return values, unfoldBasic(values)
}

// Carried reads what carries the session in a request, as Send says.
func (e *Exchange) Carried(req *http.Request) (Values, error) {
	values := Values{}
	for _, s := range e.send {
		var got []string
		value := s.value
		switch {
		case s.isQuery:
			_, after, _ := strings.Cut(s.value.String(), "=")
			value, got = parseText(after), req.URL.Query()[parameter(s.name)]
		case s.place == inCookie:
			got = cookiePairs(req.Header, s.value)
		default:
			got = req.Header.Values(s.name)
		}
		if len(got) != 1 || !value.find(got[0], values) {
			return nil, fmt.Errorf("it does not carry the session as Send says: %s", s.name)
		}
	}
	return values, nil
}

// findHeader finds the lines that the request has, and those that nobody has
// written.
func (e *Exchange) findHeader(r *Request, header http.Header, values Values) error {
	belongs := []string{"User-Agent", "Accept", "Accept-Encoding", "Content-Length", "Connection"} // net/http's, and the library's
	if r.carries {
		for _, s := range e.send {
			belongs = append(belongs, s.name)
		}
	}
	for _, f := range r.header {
		belongs = append(belongs, f.name)
		got, written := [][]string{header.Values(f.name)}, []text{f.value}
		if f.place == inCookie {
			got, written = nil, nil
			for pair := range strings.SplitSeq(f.value.String(), ";") {
				written = append(written, parseText(strings.TrimSpace(pair)))
				got = append(got, cookiePairs(header, written[len(written)-1]))
			}
		}
		if !findEach(written, got, values) {
			return fmt.Errorf("its header %s is not as it is described", f.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !slices.Contains(belongs, name) {
			return fmt.Errorf("it has a header %s, and none is described", name)
		}
	}
	return nil
}

// findEach reads what has to be there once each.
func findEach(written []text, got [][]string, values Values) bool {
	for i, t := range written {
		if len(got[i]) != 1 || !t.find(got[i][0], values) {
			return false
		}
	}
	return true
}

// cookiePairs are the pairs of a Cookie header that have the name of a written
// one.
func cookiePairs(header http.Header, written text) (pairs []string) {
	name, _, _ := strings.Cut(written.literals[0], "=")
	for pair := range strings.SplitSeq(strings.Join(header.Values("Cookie"), ";"), ";") {
		if pair = strings.TrimSpace(pair); strings.HasPrefix(pair, name+"=") {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

func (r *Request) findPath(path string, values Values) error {
	written, got := strings.Split(r.path.String(), "/"), strings.Split(path, "/")
	fits := len(written) == len(got)
	for i := 0; fits && i < len(got); i++ {
		literal, _ := url.PathUnescape(written[i])
		segment, err := url.PathUnescape(got[i])
		fits = err == nil && parseText(literal).find(segment, values)
	}
	if !fits {
		return errors.New("its path is not as it is described")
	}
	return nil
}

func (r *Request) findBody(body []byte, values Values) error {
	switch {
	case r.body.String() == "" && len(body) > 0:
		return fmt.Errorf("it has a body of %d bytes, and none is described", len(body))
	case r.body.String() == "":
		return nil
	case r.bodyPlace == inJSON:
		var written, got any
		json.Unmarshal([]byte(r.body.String()), &written)
		if err := json.Unmarshal(body, &got); err != nil {
			return errors.New("its body is no JSON")
		}
		return findJSON("body", written, got, values)
	case r.bodyPlace == inForm:
		written, _ := url.ParseQuery(r.body.String())
		got, err := url.ParseQuery(string(body))
		if err != nil {
			return errors.New("its body is no form")
		}
		return findForm("form", written, got, values)
	case r.body.String() != string(body):
		return errors.New("its body is not as it is described")
	}
	return nil
}

func findForm(what string, written, got url.Values, values Values) error {
	for _, name := range slices.Sorted(maps.Keys(written)) {
		fits := len(got[name]) == len(written[name])
		for i := 0; fits && i < len(got[name]); i++ {
			fits = parseText(written[name][i]).find(got[name][i], values)
		}
		if !fits {
			return fmt.Errorf("%s in its %s is not as it is described", name, what)
		}
	}
	if len(got) > len(written) {
		return fmt.Errorf("its %s has %d names too many", what, len(got)-len(written))
	}
	return nil
}

func findJSON(at string, written, got any, values Values) error {
	fits := false
	switch written := written.(type) {
	case string:
		s, ok := got.(string)
		fits = ok && parseText(written).find(s, values)
	case map[string]any:
		members, ok := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(written)) {
			if err := findJSON(at+"."+name, written[name], members[name], values); err != nil {
				return err
			}
		}
		fits = ok && len(members) == len(written)
	case []any:
		elements, ok := got.([]any)
		if fits = ok && len(elements) == len(written); fits {
			for i := range written {
				if err := findJSON(fmt.Sprint(at, ".", i), written[i], elements[i], values); err != nil {
					return err
				}
			}
		}
	default:
		fits = reflect.DeepEqual(written, got)
	}
	if !fits {
		return fmt.Errorf("its %s is not as it is described", at)
	}
	return nil
}

// unfoldBasic puts what {basic} was made of in its place.
func unfoldBasic(values Values) error {
	encoded, found := values[Basic]
	if !found {
		return nil
	}
	delete(values, Basic)
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	email, password, isPair := strings.Cut(string(decoded), ":")
	if err != nil || !isPair {
		return errors.New("its Basic credentials are none")
	}
	values[Email], values[Password] = email, password
	return nil
}

// String is the text as it was written.
func (t text) String() string {
	var b strings.Builder
	for i, literal := range t.literals {
		b.WriteString(literal)
		if i < len(t.names) {
			b.WriteString("{" + t.names[i] + "}")
		}
	}
	return b.String()
}

// find reads the values out of a text that was filled in, without what its place
// demands. It reports whether the rest is the same, and a name's value the same
// wherever it stands.
func (t text) find(filled string, values Values) bool {
	pattern := "(?s)^"
	for i, literal := range t.literals {
		pattern += regexp.QuoteMeta(literal)
		if i < len(t.names) {
			pattern += "(.*?)"
		}
	}
	found := regexp.MustCompile(pattern + "$").FindStringSubmatch(filled)
	if found == nil {
		return false
	}
	for i, name := range t.names {
		if before, known := values[name]; known && before != found[i+1] {
			return false
		}
		values[name] = found[i+1]
	}
	return true
}
