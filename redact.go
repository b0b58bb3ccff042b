package jwtsession

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/internal/redaction"
)

// redacted stands wherever a secret of ours would be printed.
const redacted = redaction.Redacted

// redactor decides what may be shown of what is not ours to word: a server's
// answers, and the errors of a transport, a provider or an issuer. What has a
// part of a secret in it is left out whole.
type redactor struct{ secrets *redaction.Secrets }

// redact returns the redactor of a call with these secrets.
func redact(secrets ...string) redactor { return redactor{redaction.Of(secrets...)} }

// redactRequest returns the redactor of an answer to a request of somebody else's:
// what the request carries is secret, but what is known to be none.
func redactRequest(req *http.Request) redactor {
	if req == nil {
		return redact()
	}
	var secrets []string
	account := ""
	add := func(name, value string) {
		switch strings.ToLower(name) {
		case "accept", "accept-encoding", "accept-language", "content-length", "content-type", "grant_type", "scope", "user-agent":
		case "account", "email", "login", "user", "username":
			account = value
		default:
			secrets = append(secrets, value)
		}
	}
	for name, values := range req.Header {
		for _, value := range values {
			add(name, value)
			if strings.HasSuffix(name, "Authorization") {
				secrets[len(secrets)-1] = value[strings.IndexByte(value, ' ')+1:] // the scheme is none
			}
		}
	}
	for _, cookie := range req.Cookies() {
		add("", cookie.Value)
	}
	if _, password, ok := req.BasicAuth(); ok {
		add("", password)
	}
	if req.URL != nil {
		addForm(req.URL.Query(), add)
		if password, ok := req.URL.User.Password(); ok {
			add("", password)
		}
	}
	addBody(req, add)
	return redactor{redaction.OfAccount(account, secrets...)}
}

func addForm(form url.Values, add func(name, value string)) {
	for name, values := range form {
		for _, value := range values {
			add(name, value)
		}
	}
}

// addBody adds the values of a body, if it can be had once more.
func addBody(req *http.Request, add func(name, value string)) {
	if req.GetBody == nil {
		return
	}
	content, err := req.GetBody()
	if err != nil {
		return
	}
	defer content.Close()
	body, _ := io.ReadAll(io.LimitReader(content, largestAnswer))
	if kind := req.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil {
			addForm(form, add)
			return
		}
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil {
		add("", string(body))
		return
	}
	addObject("", object, add)
}

// addObject adds the values of an object by the names that are next to them: what
// is below "user" may be a password.
func addObject(name string, value any, add func(name, value string)) {
	switch value := value.(type) {
	case map[string]any:
		for inner, each := range value {
			addObject(inner, each, add)
		}
	case []any:
		for _, each := range value {
			addObject(name, each, add)
		}
	case string:
		add(name, value)
	case json.Number:
		add(name, value.String())
	}
}

// text is for what may be long, and has been looked through for the secrets of
// its call: it leaves out what looks like a token, and the names in e-mail
// addresses.
func (r redactor) text(text string) string { return r.secrets.Text(text) }

// quote is for what stands in an error: the first 200 printable characters.
func (r redactor) quote(text string) string { return r.secrets.Quote(text) }

// shownHeaders are those of a failed answer that help to find out why, and that
// no server puts a secret into.
var shownHeaders = []string{
	"Content-Type", "Content-Length", "Date", "Age", "Retry-After", "Allow", "Www-Authenticate", "Server", "Via",
	"X-Request-Id", "X-Amzn-Requestid", "X-Amzn-Errortype", "X-Amz-Apigw-Id", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Cache",
}

// header returns a copy of the headers that may be shown.
func (r redactor) header(header http.Header) http.Header {
	clean := http.Header{}
	for _, name := range shownHeaders {
		for _, value := range header[name] {
			clean.Add(name, r.quote(value))
		}
	}
	return clean
}

// error returns an error that may be shown, and is err itself where that may be.
// Our own words may have anything in common with a secret: they are in an error
// whoever signs in.
func (r redactor) error(err error) error {
	switch own := err.(type) {
	case nil, *callError:
		return err // it has been looked through
	case *unusableError:
		return &unusableError{r.error(own.err), own.local}
	case *APIError:
		return r.answer(own)
	}
	if !r.secrets.Shows(err.Error()) {
		return err
	}
	text := fmt.Sprintf("%s (%T)", redaction.LeftOut, err)
	var api *APIError
	if r.as(err, &api) {
		text += ": " + api.Error()
	}
	return &redactedError{
		text: text,
		is:   func(target error) bool { return errors.Is(err, target) },
		as:   func(target any) bool { return r.as(err, target) },
	}
}

// answer is what may be shown of an issuer's error.
func (r redactor) answer(e *APIError) *APIError {
	clean := *e
	clean.Type, clean.Message = r.quote(e.Type), r.quote(e.Message)
	if host, ok := strings.CutPrefix(e.Message, redirectTo); ok && strings.HasSuffix(host, notFollowed) {
		clean.Message = redirectTo + r.quote(strings.TrimSuffix(host, notFollowed)) + notFollowed
	}
	clean.header = r.header(e.header)
	return &clean
}

// as offers what an error is, as far as that shows no secret itself.
func (r redactor) as(err error, target any) bool {
	switch target := target.(type) {
	case **APIError:
		var api *APIError
		if !errors.As(err, &api) {
			return false
		}
		*target = r.answer(api)
		return true
	case **oauth2.RetrieveError:
		var api *APIError
		return errors.As(err, &api) && r.answer(api).As(target)
	case **unusableError:
		var unusable *unusableError
		if !errors.As(err, &unusable) {
			return false
		}
		*target = &unusableError{r.error(unusable.err), unusable.local}
		return true
	}
	place := reflect.ValueOf(target).Elem()
	before := reflect.ValueOf(place.Interface())
	for ; err != nil; err = errors.Unwrap(err) {
		if !errors.As(err, target) {
			break
		}
		if found, ok := place.Interface().(error); ok && !r.secrets.Shows(found.Error()) {
			return true
		}
	}
	if before.IsValid() {
		place.Set(before)
	} else {
		place.SetZero()
	}
	return false
}

// redactedError stands for an error whose text is left out. It still Is what
// that was, but does not let go of it. What it knows is in functions, which
// nobody can print.
type redactedError struct {
	text string
	is   func(error) bool
	as   func(any) bool
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return e.is(target) }
func (e *redactedError) As(target any) bool   { return e.as(target) }

// callError says what was tried, in our own words, and why it failed: an error of
// ours, or one that a redactor has let through.
type callError struct {
	tried string
	err   error
}

func (e *callError) Error() string { return "jwtsession: " + e.tried + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }
