package jwtsession

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/internal/origin"
)

var (
	// ErrInvalidCredentials means that the server judged the e-mail address and
	// the password, and refused them. The same credentials are not sent again for
	// a while, see [TokenSource.Token].
	ErrInvalidCredentials = errors.New("jwtsession: invalid credentials")

	// ErrUnauthorized means that the server refused a token at a refresh or a
	// revocation: the token is expired or revoked.
	ErrUnauthorized = errors.New("jwtsession: the server refused the token")

	// ErrMalformedToken means that the server's answer held no usable token: none
	// at all, one longer than 16 KiB, or one with characters that may not stand in
	// a header.
	ErrMalformedToken = errors.New("jwtsession: malformed token")

	// ErrInsecureURL means that a URL would send secrets in the clear: it is
	// neither https nor http to a loopback address.
	ErrInsecureURL = origin.ErrInsecure

	// ErrOneTimeCode means that a sign-in needs a one-time code, and the credentials
	// had none. Nothing was sent: a provider that asks a person may wait for this
	// error before it does.
	ErrOneTimeCode = errors.New("jwtsession: the credentials have no one-time code: set Credentials.OneTimeCode")

	// ErrClosed is what a closed [TokenSource] answers.
	ErrClosed = core.ErrClosed
)

// operation is one of the session calls, by the name that [APIError.Op] has.
type operation string

const (
	opCreate  operation = "create"
	opRefresh operation = "refresh"
	opRevoke  operation = "revoke"
)

// String is what a person calls the operation.
func (o operation) String() string {
	switch o {
	case opCreate:
		return "sign in"
	case opRevoke:
		return "log out"
	}
	return string(o)
}

// APIError is any answer to a session call that is not a success (2xx). It Is
// [ErrInvalidCredentials] or [ErrUnauthorized] where that is what the status
// means, and errors.As turns it into an *[oauth2.RetrieveError], too, for code
// that looks for one. It holds neither the password nor a token: a text
// of the server's that repeats a part of one is left out whole.
type APIError struct {
	// Op is "create", "refresh" or "revoke".
	Op string

	// Host is the server that answered, with its port if the URL has one.
	Host string

	// StatusCode is the answer's HTTP status.
	StatusCode int

	// Type and Message are what the server says of it. Where its answer is not
	// JSON with a message, as that of a gateway, Message is the first 200
	// printable characters of the body. A redirect, which is never followed, says
	// here where it led.
	Type, Message string

	// RetryAfter is how long the server asks to wait, at most an hour; zero if it
	// asks nothing.
	RetryAfter time.Duration

	header http.Header
}

// NewAPIError makes an error of an answer that is no success, for an [Issuer]: op
// is "create", "refresh" or "revoke". It reads the body, 1 MiB of it at most, and
// closes it. No text in it has a part of what the request carried: of its
// headers, its query, or a body that GetBody can give again. A secret that was
// sent in another way the issuer must look for itself.
func NewAPIError(op string, res *http.Response) *APIError {
	host := ""
	if res.Request != nil && res.Request.URL != nil {
		host = res.Request.URL.Host
	}
	var body []byte
	if res.Body != nil {
		defer res.Body.Close()
		body, _ = io.ReadAll(io.LimitReader(res.Body, largestAnswer))
	}
	return newAPIError(operation(op), host, res, body, redactRequest(res.Request), time.Now())
}

func newAPIError(op operation, host string, res *http.Response, body []byte, secrets redactor, now time.Time) *APIError {
	e := &APIError{
		Op:         string(op),
		Host:       host,
		StatusCode: res.StatusCode,
		RetryAfter: lifetime.RetryAfter(res.Header, now),
		header:     secrets.header(res.Header),
	}
	message, kind := said(body)
	if message == "" {
		message = string(body)
	}
	e.Message, e.Type = secrets.quote(message), secrets.quote(kind)
	if res.StatusCode/100 == 3 {
		e.Message = redirectTo + secrets.quote(redirectTarget(res)) + notFollowed
	}
	return e
}

// What is said of a redirect, around its host.
const redirectTo, notFollowed = "a redirect to ", ", which is not followed"

// said finds the message in a JSON answer, and of which type that is: where
// PacerPro's API has them, and others (RFC 6749, section 5.2; RFC 9457, section
// 3; JSON:API).
func said(body []byte) (message, kind string) {
	var answer any
	if json.Unmarshal(body, &answer) != nil {
		return "", ""
	}
	all, _ := answer.(map[string]any)
	inner, _ := inAnyCase(all, "error").(map[string]any)
	kind, _ = cmp.Or(inAnyCase(all, "type"), inAnyCase(inner, "type")).(string)
	if kind == "" && inAnyCase(all, "error_description") != nil {
		kind, _ = inAnyCase(all, "error").(string)
	}
	return words(all), kind
}

// words are the message that a part of an answer has: itself, or what it has
// where messages are, or the first of several.
func words(part any) string {
	switch part := part.(type) {
	case string:
		return part
	case []any:
		if len(part) > 0 {
			return words(part[0])
		}
	case map[string]any:
		for _, name := range []string{"message", "error_description", "detail", "errors", "msg", "error", "title"} {
			if message := words(inAnyCase(part, name)); message != "" {
				return message
			}
		}
	}
	return ""
}

// inAnyCase is what an object has by a name, however that is spelled.
func inAnyCase(object map[string]any, name string) any {
	if value, found := object[name]; found {
		return value
	}
	for spelled, value := range object {
		if strings.EqualFold(spelled, name) {
			return value
		}
	}
	return nil
}

// redirectTarget is the host that a redirect names, and nothing more of it: its
// path and query are the server's to choose.
func redirectTarget(res *http.Response) string {
	location := append(res.Header[targetOf], res.Header["Location"]...)
	if len(location) > 0 && location[0] != "" && res.Request != nil && res.Request.URL != nil {
		target, err := res.Request.URL.Parse(location[0])
		if err == nil && target.Host != "" {
			return target.Host
		}
	}
	return "an unknown host"
}

// Error says what was tried, where, what came back and what may help.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "jwtsession: %s at %s: %d %s", operation(e.Op), cmp.Or(e.Host, "an unknown host"), e.StatusCode, http.StatusText(e.StatusCode))
	if e.Message != "" {
		fmt.Fprintf(&b, ": %q", e.Message)
	}
	if e.Type != "" {
		fmt.Fprintf(&b, " (%s)", e.Type)
	}
	if advice := e.advice(); advice != "" {
		b.WriteString("; " + advice)
	}
	return b.String()
}

func (e *APIError) advice() string {
	switch {
	case e.RetryAfter > 0:
		return fmt.Sprintf("the server asks to wait %v", e.RetryAfter)
	case e.StatusCode == http.StatusNotFound:
		return "check the base URL"
	case e.Op == string(opCreate) && e.StatusCode == http.StatusForbidden:
		return "check the e-mail address, the password and the base URL"
	case errors.Is(e, ErrInvalidCredentials):
		return "check the e-mail address and the password"
	}
	return ""
}

// Is reports whether the status means target, which is one of this package's
// errors.
func (e *APIError) Is(target error) bool {
	if e.Temporary() {
		return false
	}
	switch e.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		if e.Op == string(opCreate) {
			return target == ErrInvalidCredentials
		}
		return target == ErrUnauthorized
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return e.Op == string(opCreate) && target == ErrInvalidCredentials
	}
	return false
}

// As offers the error as an *[oauth2.RetrieveError].
func (e *APIError) As(target any) bool {
	retrieve, ok := target.(**oauth2.RetrieveError)
	if !ok {
		return false
	}
	body, _ := json.Marshal(map[string]any{"error": e.Message, "status": e.StatusCode, "type": e.Type})
	*retrieve = &oauth2.RetrieveError{
		Response: &http.Response{
			Status:     strings.TrimSpace(strconv.Itoa(e.StatusCode) + " " + http.StatusText(e.StatusCode)),
			StatusCode: e.StatusCode,
			Header:     e.header.Clone(),
			Body:       http.NoBody,
		},
		Body:             body,
		ErrorCode:        e.Type,
		ErrorDescription: e.Message,
	}
	return true
}

// Temporary reports whether the same call may succeed later without anybody's
// doing anything. A 403 that asks to wait is a limit of the rate, as a 429 is.
func (e *APIError) Temporary() bool {
	switch e.StatusCode {
	case http.StatusForbidden:
		return e.RetryAfter > 0
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.StatusCode >= 500
}

// errorKind is what a failed operation means for the next one.
type errorKind int

const (
	temporary errorKind = iota // worth another attempt
	rejected                   // the server said no, and will say it again
	unusable                   // no use repeating at once, and nobody's verdict on the credentials
)

// kindOf judges an operation's error. One that says nothing of itself, as an
// issuer's own may, counts as the network's.
func kindOf(err error) errorKind {
	var api *APIError
	var own *unusableError
	switch {
	case errors.As(err, &own), errors.Is(err, ErrMalformedToken):
		return unusable
	case errors.As(err, &api):
		switch {
		case api.Temporary():
			return temporary
		case api.StatusCode >= 400:
			return rejected
		}
		return unusable
	case errors.Is(err, ErrInvalidCredentials), errors.Is(err, ErrUnauthorized):
		return rejected
	case isMismatch(err):
		return unusable
	}
	return temporary
}

// isMismatch reports whether the two ends of a connection do not go together, as
// they will not a moment later either: the server is not who it should be, or
// speaks no TLS. That a certificate has expired is none of this: a clock may be
// set, and a certificate renewed.
func isMismatch(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		record    tls.RecordHeaderError
	)
	return errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// isTimeout reports whether an attempt ran out of time.
func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// isLocal reports whether a failure is of the program's own code, a provider for
// instance.
func isLocal(err error) bool {
	var own *unusableError
	return errors.As(err, &own) && own.local
}

// retryAfterOf is how long the server asked to wait.
func retryAfterOf(err error) time.Duration {
	var api *APIError
	if errors.As(err, &api) {
		return api.RetryAfter
	}
	return 0
}

// unusableError marks an error as one that an attempt right after it would meet
// again.
type unusableError struct {
	err   error
	local bool // no server was asked: another caller may try at once
}

func (e *unusableError) Error() string { return e.err.Error() }
func (e *unusableError) Unwrap() error { return e.err }
