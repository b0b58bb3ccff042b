package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/internal/redaction"
)

// trial is a description that is tried, and what is known so far.
type trial struct {
	*account
	ctx     context.Context
	out     io.Writer
	client  *jwtsession.Client
	http    *http.Client
	record  recorder
	target  *url.URL // of what is requested after each step; nil: nothing
	secrets []string // that have been sent, or received
	step    int
	missing int
}

func (t *trial) say(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

// miss says what is missing.
func (t *trial) miss(format string, args ...any) {
	t.missing++
	t.say("   missing: "+format, args...)
}

// begin shows a request as it is described.
func (t *trial) begin(what string, r *exchange.Request, text string) {
	t.step++
	t.say("\n%d  %s", t.step, what)
	if r.Carries() {
		send := t.protocol.text().Send
		if len(send) == 0 {
			send = []string{"Authorization: Bearer {token}"}
		}
		first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
		text = strings.Join(append(append([]string{first}, send...), rest), "\n")
	}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		t.say("   %s", strings.TrimRight(line, "\r\n"))
	}
}

// do makes a session call, and shows what came back.
func (t *trial) do(call func(context.Context) (jwtsession.Session, error)) (jwtsession.Session, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.timeout)
	defer cancel()
	t.record.answer = nil
	begin := time.Now()
	session, err := call(ctx)
	took := time.Since(begin).Milliseconds()
	answer := t.record.answer
	if answer == nil {
		return session, err
	}
	found, readErr := t.protocol.Read(answer.header, answer.body)
	t.secrets = append(slices.AppendSeq(t.secrets, maps.Values(found.Kept)), found.Token)
	content := "no body"
	if len(answer.body) > 0 {
		content = fmt.Sprintf("%s, %d bytes", cmp.Or(t.quote(answer.header.Get("Content-Type")), "of no type"), len(answer.body))
	}
	t.say("\n   %s, %s, in %d ms", statusLine(answer.status), content, took)
	isSession := answer.status/100 == 2 && (err != nil || session.Token != "")
	if !isSession {
		return session, err
	}
	t.showAnswer(answer)
	if readErr != nil {
		t.miss("the answer is not one that the token could be in, which is looked for at %q", t.protocol.text().Token)
		return session, err
	}
	t.showMissing(found, session, answer)
	return session, err
}

// showMissing tells what was looked for and is not there.
func (t *trial) showMissing(found exchange.Answer, session jwtsession.Session, answer *recorded) {
	d := t.protocol.text()
	nothing := func(key, at string) {
		advice := ""
		if near := answer.near(at); near != "" && t.quote(near) == near {
			advice = fmt.Sprintf("; did you mean %q?", near)
		}
		t.miss("%s: there is nothing at %q that could be it%s", key, at, advice)
	}
	if found.Token == "" && session.Token == "" {
		nothing("token", d.Token)
	}
	if d.ExpiresAt != "" && found.ExpiresAt == "" && t.step == 1 {
		nothing("expires_at", d.ExpiresAt)
	}
	if d.ExpiresIn != "" && found.Life == 0 && t.step == 1 {
		nothing("expires_in", d.ExpiresIn)
	}
	for _, name := range t.protocol.Keeps() {
		if found.Kept[name] == "" && t.step == 1 {
			nothing("keep."+name, d.Keep[name])
		}
	}
}

// showAnswer shows the names in an answer, what is at each, and what for.
func (t *trial) showAnswer(answer *recorded) {
	purposes := map[string][]string{}
	d := t.protocol.text()
	at, _ := strings.CutSuffix(d.ExpiresIn, " ms")
	for purpose, path := range map[string]string{"token": d.Token, "expires_at": d.ExpiresAt, "expires_in": at} {
		purposes[path] = append(purposes[path], purpose)
	}
	for name, path := range d.Keep {
		purposes[path] = append(purposes[path], "keep."+name)
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, leaf := range answer.leaves() {
		name, what, purpose := t.quote(leaf.path), sizeOf(leaf.value), ""
		if all := purposes[leaf.path]; len(all) > 0 {
			slices.Sort(all)
			name, purpose = leaf.path, "<- "+strings.Join(all, ", ")
			if strings.HasPrefix(all[0], "expires") {
				what = t.quote(fmt.Sprint(leaf.value))
			}
		}
		if purpose != "" {
			what += "\t" + purpose
		}
		fmt.Fprintf(table, "   %s\t%s\n", name, what)
	}
}

// statusLine is a status in words, if there are any for it.
func statusLine(status int) string {
	return strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status)))
}

// quote is what may be shown of a text from outside.
func (t *trial) quote(text string) string { return redaction.Of(t.secrets...).Quote(text) }

// sizeOf is what is shown of a value.
func sizeOf(value any) string {
	switch value := value.(type) {
	case string:
		if claimsOf(value) != nil {
			return fmt.Sprintf("a JWT of %d characters", len(value))
		}
		return fmt.Sprintf("a text of %d characters", len(value))
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case nil:
		return "null"
	}
	return "empty"
}

// recorder keeps the last answer.
type recorder struct {
	http.RoundTripper
	answer *recorded
}

// recorded is an answer.
type recorded struct {
	status int
	header http.Header
	body   []byte
}

// longestRecord bounds what is kept of an answer, as the library does.
const longestRecord = 1 << 20

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.RoundTripper.RoundTrip(req)
	if err != nil {
		return res, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, longestRecord))
	res.Body.Close()
	res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	r.answer = &recorded{res.StatusCode, res.Header, body}
	return res, nil
}

// failing is a reader that has come to its end, or met with an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// leaf is a value in an answer, and where it is, as a description says that.
type leaf struct {
	path  string
	value any
}

// mostLeaves bounds the picture of an answer.
const mostLeaves = 40

// usual are headers that are nobody's session.
var usual = []string{
	"Age", "Alt-Svc", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "Etag", "Expires", "Keep-Alive", "Last-Modified",
	"Pragma", "Retry-After", "Server", "Set-Cookie", "Strict-Transport-Security", "Transfer-Encoding", "Vary", "Via", "X-Frame-Options", "X-Content-Type-Options",
}

// leaves are the values of the body, the cookies and the headers that may matter.
func (r *recorded) leaves() (all []leaf) {
	var body any
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	switch err := decoder.Decode(&body); body := body.(type) {
	case map[string]any, []any:
		all = appendLeaves(all, "", body)
	case string:
		all = append(all, leaf{"body", body})
	default:
		if text := strings.TrimSpace(string(r.body)); err != nil && text != "" {
			all = append(all, leaf{"body", text})
		}
	}
	for _, cookie := range exchange.Cookies(r.header) {
		all = append(all, leaf{"cookie:" + cookie.Name, cookie.Value})
	}
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		if !slices.Contains(usual, name) {
			all = append(all, leaf{"header:" + name, r.header.Get(name)})
		}
	}
	return all[:min(len(all), mostLeaves)]
}

// near is where the answer has what somebody may have meant who wrote the path:
// the name at its end counts.
func (r *recorded) near(path string) string {
	last := func(path string) string { return path[strings.LastIndexAny(path, ".:")+1:] }
	paths := map[string]string{}
	for _, leaf := range r.leaves() {
		if name := last(leaf.path); paths[name] == "" {
			paths[name] = leaf.path
		}
	}
	return paths[nearest(last(path), slices.Sorted(maps.Keys(paths)))]
}

func appendLeaves(all []leaf, path string, value any) []leaf {
	below := func(step string) string { return strings.TrimPrefix(path+"."+step, ".") }
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			all = appendLeaves(all, below(name), value[name])
		}
		if len(value) > 0 {
			return all
		}
	case []any:
		for i, each := range value {
			all = appendLeaves(all, below(fmt.Sprint(i)), each)
		}
		if len(value) > 0 {
			return all
		}
	}
	return append(all, leaf{path, value})
}
