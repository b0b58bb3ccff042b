package exchange

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// sent is a line of Send: a header, or what is added to the query.
type sent struct {
	field
	isQuery bool
}

func (e *Exchange) parseSend(d Description) error {
	lines := d.Send
	if len(lines) == 0 {
		lines = []string{"Authorization: Bearer {token}"}
	}
	for _, line := range lines {
		s, err := parseSent(line)
		if err == nil {
			err = e.checkNames("Send", s.value.names)
		}
		if err == nil && !s.isQuery && s.name != "Cookie" && slices.ContainsFunc(e.send, func(o sent) bool { return o.name == s.name }) {
			err = fmt.Errorf("the header %s is there twice", s.name)
		}
		if err != nil {
			return fmt.Errorf("Protocol.Send: %w", err)
		}
		e.send = append(e.send, s)
	}
	if !slices.ContainsFunc(e.sentNames(), e.issued) {
		return errors.New("Protocol.Send: nothing of it names {token}, nor anything of Keep: requests would not be signed in")
	}
	return nil
}

func parseSent(line string) (sent, error) {
	if found := braced.FindStringSubmatch(line); found != nil {
		return sent{}, fmt.Errorf("{{%s}} has a brace too many: write {%s}", found[1], found[1])
	}
	if query, isQuery := strings.CutPrefix(line, "?"); isQuery {
		value := parseText(query)
		name, _, _ := strings.Cut(query, "=")
		if _, err := url.ParseQuery(value.sample()); err != nil || name == "" || placeholder.MatchString(name) || strings.ContainsAny(value.sample(), " #&{}") {
			return sent{}, errors.New("what begins with ? is no part of a query: write one like ?sid={token}")
		}
		return sent{field{name, value, inQuery}, true}, nil
	}
	if strings.ContainsFunc(line, isControl) {
		return sent{}, errors.New("it has a control character: write one header in each")
	}
	f, err := parseField(line)
	if errors.Is(err, errNotClosed) {
		return sent{}, err
	}
	if err != nil {
		return sent{}, errors.New(`each is a header like "X-Auth-Token: {token}", or a part of the query like ?sid={token}, and none that is the transport's to set`)
	}
	if name, _, found := strings.Cut(f.value.literals[0], "="); f.name == "Cookie" && (!found || !headerName.MatchString(name) || strings.Contains(f.value.sample(), ";")) {
		return sent{}, errors.New("a Cookie has a name: write one like Cookie: SID={token}, each in a line of its own")
	}
	return sent{f, false}, nil
}

// sentNames are the placeholders in Send.
func (e *Exchange) sentNames() []string {
	var all []text
	for _, s := range e.send {
		all = append(all, s.value)
	}
	return namesOf(all...)
}

// Headers are those that have a session in them, but for cookies: of requests that
// carry one, and of answers that bring one. A Location may say where a session is to
// be ended, and where else a client is to go.
func (e *Exchange) Headers() (names []string) {
	for _, s := range e.send {
		if s.place == inHeader && len(s.value.names) > 0 {
			names = append(names, s.name)
		}
	}
	for _, p := range append(slices.Collect(maps.Values(e.keep)), e.token) {
		if p.kind == "header" && p.name != "Location" {
			names = append(names, p.name)
		}
	}
	return names
}

// Cookies are the names of those that have a session in them, likewise.
func (e *Exchange) Cookies() (names []string) {
	for _, s := range e.send {
		if s.place == inCookie && len(s.value.names) > 0 {
			name, _, _ := strings.Cut(s.value.literals[0], "=")
			names = append(names, name)
		}
	}
	for _, p := range append(slices.Collect(maps.Values(e.keep)), e.token) {
		if p.kind == "cookie" {
			names = append(names, p.name)
		}
	}
	return names
}

// Scheme is how an Authorization header begins that has nothing but a space and
// the token after it; empty if Send has none.
func (e *Exchange) Scheme() string {
	for _, s := range e.send {
		scheme, found := strings.CutSuffix(s.value.literals[0], " ")
		if s.name == "Authorization" && found && slices.Equal(s.value.names, []string{Token}) && s.value.literals[1] == "" {
			return scheme
		}
	}
	return ""
}

// SendsBearer reports whether requests carry "Authorization: Bearer {token}", and
// nothing else.
func (e *Exchange) SendsBearer() bool { return len(e.send) == 1 && e.Scheme() == "Bearer" }

// Carrier is what a session puts into requests. It is built once for a session,
// and never changed.
type Carrier struct {
	Header  []Field // each replaces a caller's header of the name
	Cookies []Field // each joins a caller's cookies, and replaces one of the name
	Query   []Field // likewise; the values are percent-encoded
}

// Field is a name and a value.
type Field struct{ Name, Value string }

// Carrier builds what carries a session.
func (e *Exchange) Carrier(token, state string) (*Carrier, error) {
	values := e.Kept(state)
	values[Token] = token
	c := &Carrier{}
	for _, s := range e.send {
		value, err := s.value.fill(s.place, values)
		if err != nil {
			return nil, fmt.Errorf("Protocol.Send: %w", err)
		}
		switch {
		case s.isQuery:
			_, after, _ := strings.Cut(value, "=")
			c.Query = append(c.Query, Field{s.name, after})
		case s.place == inCookie:
			name, after, _ := strings.Cut(value, "=")
			c.Cookies = append(c.Cookies, Field{name, after})
		default:
			c.Header = append(c.Header, Field{s.name, value})
		}
	}
	return c, nil
}

// Sign puts the session into a request, which is the caller's own with its header
// and nobody else's; its URL may be shared.
func (c *Carrier) Sign(req *http.Request) {
	if req.Header == nil {
		req.Header = http.Header{}
	}
	for _, f := range c.Header {
		removeFold(req.Header, f.Name)
		req.Header[f.Name] = []string{f.Value}
	}
	if len(c.Cookies) > 0 {
		joined := c.JoinCookies(req.Header)
		removeFold(req.Header, "Cookie")
		req.Header["Cookie"] = []string{joined}
	}
	if len(c.Query) > 0 {
		signed := *req.URL
		signed.RawQuery = c.JoinQuery(signed.RawQuery)
		req.URL = &signed
	}
}

// removeFold removes a header however it is spelled: as it is spelled it would be
// sent along.
func removeFold(header http.Header, name string) {
	maps.DeleteFunc(header, func(spelled string, _ []string) bool {
		return len(spelled) == len(name) && strings.EqualFold(spelled, name)
	})
}

// Replaces reports whether what is carried takes the place of a caller's header.
func (c *Carrier) Replaces(name string) bool {
	if len(c.Cookies) > 0 && strings.EqualFold(name, "Cookie") {
		return true
	}
	for _, f := range c.Header {
		if len(f.Name) == len(name) && strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// JoinCookies returns the value of a Cookie header that has the caller's cookies,
// but for those of the same names, and the session's.
func (c *Carrier) JoinCookies(header http.Header) string {
	var pairs []string
	for name, lines := range header {
		if !strings.EqualFold(name, "Cookie") {
			continue
		}
		for _, line := range lines {
			for pair := range strings.SplitSeq(line, ";") {
				if pair = strings.TrimSpace(pair); pair != "" && !named(c.Cookies, pair, strings.TrimSpace) {
					pairs = append(pairs, pair)
				}
			}
		}
	}
	return strings.Join(appendPairs(pairs, c.Cookies), "; ")
}

// JoinQuery does the same for a query.
func (c *Carrier) JoinQuery(query string) string {
	var pairs []string
	for pair := range strings.SplitSeq(query, "&") {
		if pair != "" && !named(c.Query, pair, parameter) {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(appendPairs(pairs, c.Query), "&")
}

// Unsigned returns links, a URL or the value of a Link header, without what JoinQuery
// has added to the query of the request that they answer: servers repeat it there.
func (c *Carrier) Unsigned(links string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(links, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := strings.IndexAny(rest+"#", "#>")
		if pairs := slices.DeleteFunc(strings.Split(rest[:end], "&"), c.added); len(pairs) > 0 {
			b.WriteString("?" + strings.Join(pairs, "&"))
		}
		links = rest[end:]
	}
}

// added reports whether a pair is one of the session's, and not another one of its
// name.
func (c *Carrier) added(pair string) bool {
	return slices.ContainsFunc(c.Query, func(f Field) bool { return parameter(f.Name+"="+f.Value) == parameter(pair) })
}

// named reports whether a pair has the name of one of the fields, as a server
// reads names.
func named(fields []Field, pair string, read func(string) string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = read(name)
	return slices.ContainsFunc(fields, func(f Field) bool { return read(f.Name) == name })
}

// parameter is a name in a query without its escapes.
func parameter(name string) string {
	if decoded, err := url.QueryUnescape(name); err == nil {
		return decoded
	}
	return name
}

func appendPairs(pairs []string, fields []Field) []string {
	for _, f := range fields {
		pairs = append(pairs, f.Name+"="+f.Value)
	}
	return pairs
}
