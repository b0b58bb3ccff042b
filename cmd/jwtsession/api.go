package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
)

// apiRequest is the request that api makes: its flags and arguments.
type apiRequest struct {
	method, path    string
	fields, headers []string
	input           string
	paginate        bool
}

func newAPICommand() *cobra.Command {
	var flags accountFlags
	var r apiRequest
	cmd := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Make a request to the API, signed in",
		Long: `Make a request to the API, signed in, and print the body of the answer.

The path is below the base URL; a whole URL must be of the API's origin, since
the token goes nowhere else. With -f NAME=VALUE, a GET, HEAD or DELETE has a
query, and any other request an object in JSON whose values are texts; --input
sends a file as it is, or standard input ("-").

A token that the API rejects is renewed, and the request sent once more. An
answer that is no success is printed as well; the exit code is then 3 for 401
and 403, 4 for 408, 425, 429 and 5xx, and else 1.

--paginate follows the links to the next page (Link: rel="next") of a GET, and
prints one body after the other.`,
		Example: `  jwtsession api GET /matters -f court=nysd
  jwtsession api POST /notes -f text="call back" | jq .id
  jwtsession api PUT /notes/7 --input note.json -H "If-Match: \"3\""`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.method, r.path = strings.ToUpper(args[0]), args[1]
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			first, err := r.build(cmd, account)
			if err != nil {
				return &usageError{err}
			}
			return account.send(cmd, first, r.paginate)
		},
	}
	flags.register(cmd)
	set := cmd.Flags()
	set.StringArrayVarP(&r.fields, "field", "f", nil, "send a `name=value`; may be repeated")
	set.StringArrayVarP(&r.headers, "header", "H", nil, "send a `header`, as in \"Accept: text/csv\"; may be repeated")
	set.StringVar(&r.input, "input", "", "send the content of this `file`, or - for standard input")
	set.BoolVar(&r.paginate, "paginate", false, "follow the links to the next page")
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
	for _, header := range r.headers {
		name, value, found := strings.Cut(header, ":")
		if !found || name == "" {
			return nil, fmt.Errorf("-H is %q: give a name, a colon and a value", header)
		}
		req.Header.Set(name, strings.TrimSpace(value))
	}
	return req, nil
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
func (a *account) send(cmd *cobra.Command, req *http.Request, paginate bool) error {
	credentials, err := a.Retrieve(cmd.Context())
	if err != nil {
		return err
	}
	provider := &given{Credentials: credentials}
	ts, closeAll, err := a.open(cmd.Context(), func(c *jwtsession.Config) { c.Credentials = provider }, a.warnOfCache(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer closeAll()
	if _, err := a.tokenOf(cmd.Context(), ts, provider); err != nil {
		return a.explain(err)
	}
	client := ts.Client()
	for {
		res, err := client.Do(req)
		if err != nil {
			return a.explain(err)
		}
		_, err = io.Copy(cmd.OutOrStdout(), res.Body)
		res.Body.Close()
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if res.StatusCode >= 400 {
			return failedRequest(req, res)
		}
		next := nextPage(res)
		if !paginate || next == nil {
			return nil
		}
		if err := a.mustOwn(next); err != nil {
			return fmt.Errorf("the next page: %w", err)
		}
		req = req.Clone(req.Context())
		req.URL, req.Host = next, ""
	}
}

// failedRequest is an answer that is no success.
func failedRequest(req *http.Request, res *http.Response) error {
	code := exitFailure
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		code = exitRejected
	case (&jwtsession.APIError{StatusCode: status}).Temporary():
		code = exitUnreachable
	}
	err := fmt.Errorf("%s %s: %d %s", req.Method, printable(req.URL.Path), res.StatusCode, http.StatusText(res.StatusCode))
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
