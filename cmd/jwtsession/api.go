package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/proxy"
)

// apiRequest is the request that api makes: its flags and arguments.
type apiRequest struct {
	method, path    string
	fields, headers []string
	input           string
	paginate        bool
	patience        time.Duration // with the API, before an answer begins
}

// defaultPatience is the proxy's as well.
const defaultPatience = proxy.DefaultUpstreamTimeout

// methodAndPath is for api.
func methodAndPath(_ *cobra.Command, args []string) error {
	const want = "give METHOD and PATH, as in jwtsession api GET /matters"
	switch n := len(args); {
	case n < 2:
		return fmt.Errorf("the method or the path is missing: %s", want)
	case n > 2:
		return fmt.Errorf("%q is too many: %s, and fields with -f", args[2], want)
	case args[0] == "" || args[1] == "":
		return fmt.Errorf("the method or the path is empty: %s", want)
	}
	return nil
}

func newAPICommand() *cobra.Command {
	var flags accountFlags
	var r apiRequest
	cmd := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Make a request to the API, signed in",
		Long: `Make a request to the API, signed in, and print the body of the answer.

On stdout there are successes (2xx) alone. Any other answer goes to stderr, so
that it is in no file to which the output is appended; the exit code is then 3
for 401 and 403, 4 for 408, 425, 429 and 5xx, and else 1.

The path is below the base URL; a whole URL must be of the API's origin, since
the token goes nowhere else; nor do headers of -H, by a redirect. With
-f NAME=VALUE, a GET, HEAD or DELETE has a query, and any other request an
object in JSON whose values are texts; --input sends a file as it is, or
standard input ("-").

A token that the API rejects is renewed, and the request sent once more. An
answer that does not begin within --answer-timeout is not waited for.

--paginate follows the links to the next page (Link: rel="next") of a GET, and
prints one body after the other.`,
		Example: `  jwtsession api GET /matters -f court=nysd
  jwtsession api POST /notes -f text="call back" | jq .id
  jwtsession api PUT /notes/7 --input note.json -H "If-Match: \"3\""
  jwtsession api GET /changes >>changes.log   # in cron: errors are mailed`,
		Args: methodAndPath,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.method, r.path = strings.ToUpper(args[0]), args[1]
			if r.patience <= 0 {
				return &usageError{fmt.Errorf("--answer-timeout is %v: give more than zero", r.patience)}
			}
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			first, err := r.build(cmd, account)
			if err != nil {
				return &usageError{err}
			}
			return account.send(cmd, first, r)
		},
	}
	flags.register(cmd)
	set := cmd.Flags()
	set.StringArrayVarP(&r.fields, "field", "f", nil, "send a `name=value`; may be repeated")
	set.StringArrayVarP(&r.headers, "header", "H", nil, "send a `header`, as in \"Accept: text/csv\"; may be repeated")
	set.StringVar(&r.input, "input", "", "send the content of this `file`, or - for standard input")
	set.BoolVar(&r.paginate, "paginate", false, "follow the links to the next page")
	set.DurationVar(&r.patience, "answer-timeout", defaultPatience, "how long the API may take to begin an answer")
	cmd.MarkFlagsMutuallyExclusive("input", "paginate")
	cmd.MarkFlagsMutuallyExclusive("input", "password-stdin")
	cmd.RegisterFlagCompletionFunc("field", cobra.NoFileCompletions)
	cmd.RegisterFlagCompletionFunc("header", cobra.NoFileCompletions)
	return cmd
}

// build makes the request.
func (r apiRequest) build(cmd *cobra.Command, a *account) (*http.Request, error) {
	target, err := a.target(r.path)
	if err != nil {
		return nil, err
	}
	if r.paginate && r.method != http.MethodGet {
		return nil, errors.New("--paginate is for GET")
	}
	var body []byte
	contentType := ""
	fields, err := r.readFields()
	switch hasQuery := r.method == http.MethodGet || r.method == http.MethodHead || r.method == http.MethodDelete; {
	case err != nil:
		return nil, err
	case r.input != "" && len(fields) > 0 && !hasQuery:
		return nil, errors.New("there are both --input and -f: a request has one body")
	case hasQuery:
		query := target.Query()
		for name, value := range fields {
			query.Set(name, value)
		}
		target.RawQuery = query.Encode()
	case len(fields) > 0:
		body, _ = json.Marshal(fields)
		contentType = "application/json"
	}
	if r.input != "" {
		if body, err = readInput(cmd, r.input); err != nil {
			return nil, err
		}
		contentType = "application/json"
	}
	req, err := http.NewRequestWithContext(cmd.Context(), r.method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "jwtsession/"+jwtsession.Version)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req, r.addHeaders(req.Header)
}

// isToken is what a header's name may be (RFC 9110).
var isToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// addHeaders takes those of -H in place of the request's own.
func (r apiRequest) addHeaders(to http.Header) error {
	given := http.Header{}
	for i, header := range r.headers { // whose values no error repeats: they may be secret
		name, value, found := strings.Cut(header, ":")
		value = strings.TrimSpace(value)
		switch {
		case !found || !isToken.MatchString(name) || strings.ContainsFunc(value, func(c rune) bool { return c != '\t' && unicode.IsControl(c) }):
			return fmt.Errorf("-H number %d is no header: give a name, a colon and a value", i+1)
		case slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding"}, http.CanonicalHeaderKey(name)):
			return fmt.Errorf("-H is %s: the URL and the body decide that", name) // net/http takes none
		}
		given.Add(name, value)
	}
	maps.Copy(to, given)
	return nil
}

func (r apiRequest) readFields() (map[string]string, error) {
	fields := map[string]string{}
	for _, field := range r.fields {
		name, value, found := strings.Cut(field, "=")
		if _, isTwice := fields[name]; !found || name == "" || isTwice {
			return nil, fmt.Errorf("-f is %q: give a name, = and a value, and each name once", field)
		}
		fields[name] = value
	}
	return fields, nil
}

func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

// target is the URL of a path below the base URL, or a URL of the API's origin.
func (a *account) target(path string) (*url.URL, error) {
	target, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	if target.IsAbs() {
		return target, a.mustOwn(target)
	}
	return url.Parse(a.baseURL.value + "/" + strings.TrimLeft(path, "/"))
}

// mustOwn is the error of a URL that the token may not go to.
func (a *account) mustOwn(target *url.URL) error {
	if own := a.origin(); target.Scheme+"://"+target.Host != own {
		return fmt.Errorf("%s is not of the API's origin, %s, and gets no token", target.Redacted(), own)
	}
	return nil
}

// send makes the request, and those to the next pages.
func (a *account) send(cmd *cobra.Command, req *http.Request, r apiRequest) error {
	credentials, err := a.Retrieve(cmd.Context())
	if err != nil {
		return err
	}
	provider := &given{Credentials: credentials}
	var asked counter
	ts, closeAll, err := a.open(cmd.Context(), asked.countIn, func(c *jwtsession.Config) { c.Credentials = provider }, a.warnOfCache(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer closeAll()
	if _, err := a.tokenOf(cmd.Context(), ts, provider); err != nil {
		return a.explainRemembered(err, &asked, askAgainByHand)
	}
	seen := map[string]bool{}
	client := ts.Client()
	client.CheckRedirect = a.followed
	for {
		seen[req.URL.String()] = true
		next, err := a.exchange(cmd, client, req, r.patience)
		if err != nil || !r.paginate || next == nil {
			return err
		}
		if err := a.mustOwn(next); err != nil {
			return fmt.Errorf("the next page: %w", err)
		}
		if seen[next.String()] {
			return fmt.Errorf("the next page, %s, has been there already: the API's links lead round in a circle", printable(next.Redacted()))
		}
		req = req.Clone(req.Context())
		req.URL, req.Host = next, ""
	}
}

// mostRedirects are as many as net/http follows.
const mostRedirects = 10

// followed sees to it that a redirect takes nothing of -H to another origin, nor in
// the Referer what was asked of this one.
func (a *account) followed(req *http.Request, via []*http.Request) error {
	if len(via) >= mostRedirects {
		return fmt.Errorf("stopped after %d redirects", mostRedirects)
	}
	if a.mustOwn(req.URL) != nil {
		req.Header = http.Header{"User-Agent": req.Header["User-Agent"], "Content-Type": req.Header["Content-Type"]}
	}
	return nil
}

// exchange makes a request, prints its answer, and returns what that says the next
// page is.
func (a *account) exchange(cmd *cobra.Command, client *http.Client, req *http.Request, patience time.Duration) (next *url.URL, err error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	wait := newAnswerWait(req.WithContext(ctx), patience, cancel)
	res, err := client.Do(wait.request)
	wait.answered.Store(true)
	if cause := context.Cause(ctx); errors.Is(cause, errNoAnswer) {
		return nil, &codedError{fmt.Errorf("%s %s at %s: %w within %v (see --answer-timeout)", req.Method, printable(req.URL.Path), a.host(), cause, patience), exitUnreachable}
	}
	if err != nil {
		return nil, a.explain(withoutQuery(req.Method, err))
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return nil, failedRequest(cmd.ErrOrStderr(), req, res)
	}
	if _, err = io.Copy(cmd.OutOrStdout(), res.Body); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return nextPage(res), nil
}

// withoutQuery is an error of http.Client's that says what was asked for, and where,
// but not with which fields: they may be secret.
func withoutQuery(method string, err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	where := ""
	if target, err := url.Parse(failed.URL); err == nil {
		where = fmt.Sprintf(" %s at %s", printable(target.Path), target.Host)
	}
	return fmt.Errorf("%s%s: %w", method, where, failed.Err)
}

var errNoAnswer = errors.New("the API has not begun an answer")

// answerWait ends a request that is not answered: some time after the last part of
// its body has been sent.
type answerWait struct {
	request  *http.Request
	answered atomic.Bool
	longest  time.Duration
	timer    *time.Timer
}

func newAnswerWait(req *http.Request, longest time.Duration, cancel context.CancelCauseFunc) *answerWait {
	w := &answerWait{request: req, longest: longest}
	w.timer = time.AfterFunc(longest, func() {
		if !w.answered.Load() {
			cancel(errNoAnswer)
		}
	})
	if content := req.GetBody; req.ContentLength > 0 {
		req.Body = sentBody{req.Body, w}
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := content()
			return sentBody{body, w}, err
		}
	}
	return w
}

// sentBody is a request's body. What is read of it is sent.
type sentBody struct {
	io.ReadCloser
	*answerWait
}

// Read begins the wait for an answer anew.
func (b sentBody) Read(buffer []byte) (int, error) {
	b.timer.Reset(b.longest)
	return b.ReadCloser.Read(buffer)
}

// largestError bounds what is shown of an answer that is no success.
const largestError = 1 << 20

// failedRequest shows an answer that is no success.
func failedRequest(stderr io.Writer, req *http.Request, res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, largestError))
	if text := bytes.TrimRight(body, "\r\n"); len(text) > 0 {
		stderr.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	code := exitFailure
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		code = exitRejected
	case (&jwtsession.APIError{StatusCode: status}).Temporary():
		code = exitUnreachable
	}
	err = fmt.Errorf("%s %s: %d %s", req.Method, printable(req.URL.Path), res.StatusCode, http.StatusText(res.StatusCode))
	return &codedError{err, code}
}

// nextLink finds the target of a link in a Link header (RFC 8288), and its
// parameters.
var nextLink = regexp.MustCompile(`<([^>]*)>([^<]*)`)

var isNext = regexp.MustCompile(`(?i);\s*rel\s*=\s*("([^"]*\s)?next(\s[^"]*)?"|next)\s*([;,]|$)`)

// nextPage is what the answer says the next page is; nil if there is none.
func nextPage(res *http.Response) *url.URL {
	for _, header := range res.Header.Values("Link") {
		for _, link := range nextLink.FindAllStringSubmatch(header, -1) {
			if !isNext.MatchString(link[2]) {
				continue
			}
			if next, err := res.Request.URL.Parse(link[1]); err == nil {
				return next
			}
		}
	}
	return nil
}
