package exchange

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Request is one of the requests of a description.
type Request struct {
	method      string
	path, query text
	hasQuery    bool
	header      []field
	body        text
	bodyPlace   place
	names       []string // of all placeholders
	carries     bool     // what Send says
}

// field is a header line.
type field struct {
	name  string
	value text
	place place
}

var (
	method     = regexp.MustCompile(`^[A-Z]+$`)
	version    = regexp.MustCompile(`^HTTP/[0-9](\.[0-9])?$`)
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// ofTheTransport are headers that are not a description's to set.
var ofTheTransport = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Te", "Upgrade", "Accept-Encoding"}

// parseRequest reads a request as one writes it in an .http file. Lines that begin
// with # or // stand in front of it as comments.
func parseRequest(s string) (*Request, error) {
	if found := braced.FindStringSubmatch(s); found != nil {
		return nil, fmt.Errorf("{{%s}} has a brace too many: write {%s}", found[1], found[1])
	}
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for len(lines) > 0 && isComment(lines[0]) {
		lines = lines[1:]
	}
	r := &Request{}
	if len(lines) == 0 {
		return nil, errors.New("there is no request line")
	}
	if err := r.parseLine(lines[0]); err != nil {
		return nil, err
	}
	lines = lines[1:]
	for len(lines) > 0 && strings.TrimSpace(lines[0]) != "" {
		f, err := parseField(lines[0])
		if err != nil {
			return nil, err
		}
		if f.name == "Content-Type" && len(f.value.names) > 0 {
			return nil, errors.New("the Content-Type has a placeholder in it: write out what the body is")
		}
		if f.name == "Content-Type" && slices.ContainsFunc(r.header, func(o field) bool { return o.name == f.name }) {
			return nil, errors.New("the header Content-Type is there twice: leave the one that says what the body is")
		}
		r.header = append(r.header, f)
		lines = lines[1:]
	}
	if err := r.parseBody(strings.TrimSpace(strings.Join(lines, "\n"))); err != nil {
		return nil, err
	}
	texts := []text{r.path, r.query, r.body}
	for _, f := range r.header {
		texts = append(texts, f.value)
	}
	r.names = namesOf(texts...)
	return r, nil
}

func isComment(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//")
}

// parseLine reads the request line.
func (r *Request) parseLine(line string) error {
	words := strings.Fields(line)
	if len(words) == 3 && version.MatchString(words[2]) {
		words = words[:2]
	}
	switch {
	case len(words) == 2 && method.MatchString(strings.ToUpper(words[0])) && !method.MatchString(words[0]):
		return fmt.Errorf("%q is no method: write it in capital letters", words[0])
	case len(words) != 2 || !method.MatchString(words[0]):
		return errors.New(`the first line is no request line: write one like "POST /login"`)
	case !strings.HasPrefix(words[1], "/"):
		return errors.New("the request line has no path that begins with /: the host, and what all paths have in common, is BaseURL's")
	case strings.Contains(words[1], "#"):
		return errors.New("the path has a fragment, which is not sent: leave out what begins with #")
	}
	r.method = words[0]
	before, after, hasQuery := strings.Cut(words[1], "?")
	r.path, r.query, r.hasQuery = parseText(before), parseText(after), hasQuery
	if strings.ContainsAny(r.path.sample()+r.query.sample(), "{}") {
		return errors.New("the path has a brace that is no placeholder's: write a placeholder like {email}")
	}
	if _, err := url.ParseRequestURI(r.path.sample() + "?" + r.query.sample()); err != nil {
		return errors.New("the path is not one that a URL may have: percent-encode what is not ASCII")
	}
	return checkSegments(r.path.sample())
}

// checkSegments refuses a path that leads elsewhere than it says.
func checkSegments(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		if decoded, _ := url.PathUnescape(segment); decoded == "." || decoded == ".." {
			return errors.New("the path has a segment of dots, which leads out of it")
		}
	}
	return nil
}

// parseField reads a header line.
func parseField(line string) (field, error) {
	name, value, found := strings.Cut(line, ":")
	name, value = strings.TrimSpace(name), strings.Trim(value, " \t")
	switch {
	case !found || !headerName.MatchString(name):
		return field{}, errors.New(`what follows the first line, up to an empty one, is no header: write lines like "Accept: application/json", and an empty line before the body`)
	case strings.ContainsFunc(value, isControl):
		return field{}, fmt.Errorf("the header %s has a control character in it", name)
	}
	f := field{textproto.CanonicalMIMEHeaderKey(name), parseText(value), inHeader}
	switch {
	case slices.Contains(ofTheTransport, f.name):
		return field{}, fmt.Errorf("the header %s is not to be set: leave it out", f.name)
	case !f.value.closesBraces():
		return field{}, fmt.Errorf("the header %s has %w", f.name, errNotClosed)
	}
	if f.name == "Cookie" {
		f.place = inCookie
	}
	return f, nil
}

// parseBody reads the body, and adds a Content-Type if there is none.
func (r *Request) parseBody(body string) error {
	if body == "" {
		return nil
	}
	written := ""
	for _, f := range r.header {
		if f.name == "Content-Type" {
			written = f.value.sample()
		}
	}
	if written == "" {
		kind := "application/x-www-form-urlencoded"
		if body[0] == '{' || body[0] == '[' {
			kind = "application/json"
		}
		r.header = append(r.header, field{"Content-Type", parseText(kind), inHeader})
		written = kind
	}
	kind, _, err := mime.ParseMediaType(written)
	if err != nil {
		return fmt.Errorf("the Content-Type %q is none", written)
	}
	r.body = parseText(body)
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		r.bodyPlace = inJSON
		if !json.Valid([]byte(r.body.sample())) {
			return errors.New("the body is no JSON once it is filled in: check its commas and quotes; a placeholder stands inside the quotes of a string")
		}
		if !r.body.closesBraces() {
			return fmt.Errorf("the body has %w", errNotClosed)
		}
	case kind == "application/x-www-form-urlencoded":
		r.bodyPlace = inForm
		if _, err := url.ParseQuery(r.body.sample()); err != nil || strings.ContainsFunc(body, func(c rune) bool { return c <= ' ' }) {
			return errors.New("the body is no form once it is filled in: write it in one line, as a=1&b={email}, percent-encoded")
		}
		if strings.ContainsAny(r.body.sample(), "{}") {
			return errors.New("the body has a brace that is no placeholder's: write a placeholder like {email}, and a brace of a form as %7B or %7D")
		}
	default:
		r.bodyPlace = inOtherBody
		if len(r.body.names) > 0 {
			return fmt.Errorf("the body has a placeholder, and a Content-Type of %s: nobody can tell how to write a value there, only in JSON or a form", kind)
		}
	}
	return nil
}

// New builds the request for the API at baseURL, which has no slash at its end.
// The carrier may be nil; it is put in if the request carries what Send says. Its
// cookies join those that the description has written; another header of the
// description's stays as it is.
func (r *Request) New(ctx context.Context, baseURL string, values Values, c *Carrier) (*http.Request, error) {
	target, err := r.target(values)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if len(r.body.literals) > 0 {
		body, err := r.body.fill(r.bodyPlace, values)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader([]byte(body))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, baseURL+target, content)
	if err != nil {
		return nil, errors.New("the request's URL cannot be made: check BaseURL and the path") // its error quotes the URL
	}
	written, err := r.fillHeader(values)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, written)
	if r.carries && c != nil {
		c.Sign(req)
		delete(written, "Cookie")
		maps.Copy(req.Header, written)
	}
	return req, nil
}

// fillHeader returns the header as it is described. Cookies are one line, however
// many they are written in (RFC 6265, section 5.4).
func (r *Request) fillHeader(values Values) (http.Header, error) {
	header := http.Header{}
	for _, f := range r.header {
		value, err := f.value.fill(f.place, values)
		if err != nil {
			return nil, err
		}
		if before := header[f.name]; f.place == inCookie && before != nil {
			before[0] += "; " + value
		} else {
			header.Add(f.name, value)
		}
	}
	return header, nil
}

// target returns the path and the query.
func (r *Request) target(values Values) (string, error) {
	path, err := r.path.fill(inPath, values)
	if err == nil {
		err = checkSegments(path)
	}
	if err != nil || !r.hasQuery {
		return path, err
	}
	query, err := r.query.fill(inQuery, values)
	return path + "?" + query, err
}

// Path is the path below BaseURL's, with the placeholders in it.
func (r *Request) Path() string { return cmp.Or(r.path.String(), "/") }

// Carries reports whether the request carries what Send says.
func (r *Request) Carries() bool { return r.carries }
