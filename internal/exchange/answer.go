package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// path says where an answer has something: steps into its JSON, or else a header,
// a cookie or the body.
type path struct {
	kind  string // "json", "header", "cookie" or "body"; empty: nowhere
	name  string // of the header or the cookie
	steps []string
}

// colonPrefix begins what is meant as another place than the JSON.
var colonPrefix = regexp.MustCompile(`^[A-Za-z]+:`)

func parsePath(s string) (path, error) {
	if name, found := strings.CutPrefix(s, "header:"); found {
		if !headerName.MatchString(name) {
			return path{}, fmt.Errorf("%q names no header", s)
		}
		return path{kind: "header", name: textproto.CanonicalMIMEHeaderKey(name)}, nil
	}
	if name, found := strings.CutPrefix(s, "cookie:"); found {
		if !headerName.MatchString(name) {
			return path{}, fmt.Errorf("%q names no cookie", s)
		}
		return path{kind: "cookie", name: name}, nil
	}
	if s == "body" {
		return path{kind: "body"}, nil
	}
	if prefix := colonPrefix.FindString(s); prefix != "" {
		advice := ""
		if near := nearest(prefix, []string{"header:", "cookie:"}); near != "" {
			advice = " did you mean " + near + s[len(prefix):] + "?"
		}
		return path{}, fmt.Errorf("%q begins with %s, and there are header: and cookie:%s", s, prefix, advice)
	}
	steps := strings.Split(s, ".")
	if slices.Contains(steps, "") || strings.ContainsAny(s, " \t\r\n{}[]$/") {
		return path{}, fmt.Errorf(`%q is no path into an answer: write one like "data.access_token", "errors.0.code", "header:X-Auth-Token", "cookie:SID" or "body"`, s)
	}
	return path{kind: "json", steps: steps}, nil
}

// String is the path as one writes it.
func (p path) String() string {
	switch p.kind {
	case "json":
		return strings.Join(p.steps, ".")
	case "body":
		return p.kind
	}
	return p.kind + ":" + p.name
}

// leadsThrough reports whether there can be nothing at p where there is a text or
// a number at q: p goes on from there, or into the body that q is.
func (p path) leadsThrough(q path) bool {
	if p.kind != "json" {
		return false
	}
	return q.kind == "body" || q.kind == "json" && len(p.steps) > len(q.steps) && slices.Equal(p.steps[:len(q.steps)], q.steps)
}

// checkPaths finds two of which no answer can have both.
func (e *Exchange) checkPaths(Description) error {
	type place struct {
		path
		field, name string
	}
	places := []place{{e.token, "Protocol.Token", ""}, {e.expiresAt, "Protocol.ExpiresAt", ""}, {e.expiresIn, "Protocol.ExpiresIn", ""}}
	for _, name := range e.Keeps() {
		places = append(places, place{e.keep[name], "Protocol.Keep", name + ": "})
	}
	for _, p := range places {
		for _, q := range places {
			if p.leadsThrough(q.path) {
				return fmt.Errorf("%s: %s%q leads through %q, which is %s's: no answer has both", p.field, p.name, p, q, q.field)
			}
		}
	}
	return nil
}

// Answer is what a description finds in an answer.
type Answer struct {
	Token     string            // empty: none
	ExpiresAt string            // as it is written, a number as well; empty: none
	Life      time.Duration     // zero: not told
	Kept      map[string]string // without those that the answer does not have
}

// ErrNoSession means that an answer cannot be a session, whatever is in it.
var ErrNoSession = errors.New("is not a session")

// Read reads an answer. The token is a string; all else may be a number. Where
// all sessions live equally long an answer may be empty, and has no token then.
func (e *Exchange) Read(header http.Header, body []byte) (Answer, error) {
	r := reader{header: header, body: body}
	if err := r.parse(e.token); err != nil && (e.fixed == 0 || len(bytes.TrimSpace(body)) > 0) {
		return Answer{}, err
	}
	a := Answer{Life: e.fixed, Kept: map[string]string{}}
	a.Token, _ = r.at(e.token).(string)
	a.ExpiresAt = written(r.at(e.expiresAt))
	if e.expiresIn.kind != "" {
		a.Life = life(written(r.at(e.expiresIn)), e.unit)
	}
	for name, p := range e.keep {
		if value := written(r.at(p)); value != "" {
			a.Kept[name] = value
		}
	}
	return a, nil
}

// Names are the paths of the texts and numbers in a JSON answer, to say which
// there are in place of the one that was described: the first few, and nothing of
// what stands there. Names come from outside, too.
func Names(body []byte) []string {
	r := reader{body: body}
	r.parse(path{})
	var names []string
	var collect func(prefix string, value any)
	collect = func(prefix string, value any) {
		object, ok := value.(map[string]any)
		if !ok {
			if written(value) != "" {
				names = append(names, prefix)
			}
			return
		}
		if prefix != "" {
			prefix += "."
		}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			collect(prefix+name, object[name])
		}
	}
	collect("", r.json)
	return names[:min(len(names), mostNames)]
}

const mostNames = 12

// reader finds things in one answer.
type reader struct {
	header http.Header
	body   []byte
	json   any // nil: the body is none
}

// parse reads the body. That a page made for people came in place of an answer is
// an error, and so is a body that is no JSON where the token is looked for in it.
func (r *reader) parse(token path) error {
	if json.Valid(r.body) {
		decoder := json.NewDecoder(bytes.NewReader(r.body))
		decoder.UseNumber()
		decoder.Decode(&r.json)
	}
	if token.kind != "json" && IsPage(r.header) {
		return ErrNoSession
	}
	if token.kind == "json" {
		if _, fits := step(r.json, token.steps[0]); !fits {
			return ErrNoSession
		}
	}
	return nil
}

// IsPage reports whether an answer is made for people: of a proxy, or of a network
// that wants to be paid first.
func IsPage(header http.Header) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html"
}

// step goes one step into JSON. It reports whether there could be such a step at
// all.
func step(value any, name string) (next any, fits bool) {
	switch value := value.(type) {
	case map[string]any:
		return value[name], true
	case []any:
		index, err := strconv.ParseUint(name, 10, 31)
		if err == nil && index < uint64(len(value)) {
			next = value[index]
		}
		return next, err == nil
	}
	return nil, false
}

// at returns what is at the path: a string, a json.Number, or what is of no use.
func (r *reader) at(p path) any {
	switch p.kind {
	case "header":
		return r.header.Get(p.name)
	case "cookie":
		return cookie(r.header, p.name)
	case "body":
		switch value := r.json.(type) {
		case string:
			return value
		case map[string]any, []any:
			return nil // something else than a token
		}
		return strings.TrimSpace(string(r.body))
	case "json":
		value := r.json
		for _, name := range p.steps {
			value, _ = step(value, name)
		}
		return value
	}
	return nil
}

// written returns a string or a number as it is written in the answer, and nothing
// for what is neither.
func written(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}

// longestLife is beyond all lives, and far from where durations end.
const longestLife = 100 * 365 * 24 * time.Hour

// life reads how long a session lives. Zero is not told.
func life(number string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n > float64(longestLife/unit) {
		return 0
	}
	return time.Duration(n * float64(unit))
}

// State returns what is to be known of a session besides its token, in one text:
// what was kept, of which an answer's replaces the old session's, and what Send
// names of the credentials.
func (e *Exchange) State(old string, a Answer, credentials Values) string {
	state := e.Kept(old)
	maps.Copy(state, a.Kept)
	for _, name := range e.sentNames() {
		if value, known := credentials[name]; known && !e.issued(name) {
			state[name] = value
		}
	}
	if len(state) == 0 {
		return ""
	}
	text, _ := json.Marshal(state) // strings only, in order
	return string(text)
}

// Kept returns what State put into the text, by name.
func (e *Exchange) Kept(state string) Values {
	kept := Values{}
	if state != "" && json.Unmarshal([]byte(state), &kept) != nil || kept == nil {
		return Values{}
	}
	return kept
}
