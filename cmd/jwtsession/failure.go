package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

// advisedError is an error, and what to do about it.
type advisedError struct {
	err    error
	advice string
	code   int // the exit code; zero: what err has
}

func (e *advisedError) Error() string { return e.err.Error() + "; " + e.advice }
func (e *advisedError) Unwrap() error { return e.err }

// explain adds to an error of the account's token source what the library cannot
// know: where the settings come from, and which flag would change them.
func (a *account) explain(err error) error {
	var (
		api       *jwtsession.APIError
		clock     x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		coded     *codedError
	)
	isAnswer := errors.As(err, &api)
	where := fmt.Sprintf("the base URL, %s (%s)", a.baseURL.value, a.baseURL.from)
	advise := func(code int, format string, args ...any) error {
		return &advisedError{err, fmt.Sprintf(format, args...), code}
	}
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case isAnswer && api.StatusCode == http.StatusBadRequest && strings.Contains(api.Message, "HTTP request to an HTTPS server"):
		return advise(exitFailure, "the API speaks https: put https:// into %s", where)
	case errors.Is(err, http.ErrSchemeMismatch):
		return advise(exitFailure, "the server speaks no https: check %s", where)
	case errors.As(err, &clock) && clock.Reason == x509.Expired:
		return advise(0, "check this machine's clock, which says %s", time.Now().Format(time.RFC3339))
	case errors.As(err, &authority):
		return advise(0, "if it is your own server, name a file with its certificate with --ca-file")
	case errors.As(err, &name):
		return advise(0, "check %s", where)
	case isAnswer && a.endsWithSignIn():
		return advise(0, "the path of a sign-in is added to %s: leave it out there", where)
	case errors.Is(err, jwtsession.ErrInvalidCredentials) && len(a.protocol.Needs()) == 0:
		return advise(0, "the sign_in of %s sends nothing of the credentials", a.protocol.name.value)
	case errors.Is(err, jwtsession.ErrInvalidCredentials):
		return advise(0, "%s", a.credentialsFrom())
	case errors.Is(err, jwtsession.ErrOneTimeCode):
		return &usageError{a.noCode()}
	case isAnswer && api.StatusCode == http.StatusNotFound:
		return advise(0, "it is %s (%s)", a.baseURL.value, a.baseURL.from) // "check the base URL" has been said
	case isAnswer && !api.Temporary(), errors.Is(err, jwtsession.ErrMalformedToken):
		return advise(0, "check %s", where)
	case !isAnswer && exitCode(err) == exitUnreachable:
		return advise(0, "check the network and %s", where)
	}
	return err
}

// endsWithSignIn reports whether the base URL has what the protocol adds to it.
func (a *account) endsWithSignIn() bool {
	line := strings.Fields(a.protocol.text().SignIn)
	return len(line) > 1 && strings.HasSuffix(strings.TrimRight(a.baseURL.value, "/"), line[1])
}

// credentialsFrom says where all is from that was sent to sign in.
func (a *account) credentialsFrom() string {
	var all []string
	add := func(name, what, from string) {
		if !a.protocol.wants(name) {
			return
		}
		verb := " is that of "
		if len(all) > 0 {
			verb = " that of "
		}
		oddity, _ := a.oddities.Load(name)
		odd, _ := oddity.(string)
		all = append(all, what+verb+from+odd)
	}
	add(exchange.Email, "the e-mail address", a.emailFrom())
	add(exchange.Password, "the password", a.passwordFrom())
	add(exchange.Code, "the one-time code", a.codeFrom())
	for _, name := range a.protocol.extra() {
		add(name, "{"+name+"}", a.extraFrom(name))
	}
	if n := len(all); n > 1 {
		all[n-1] = "and " + all[n-1]
	}
	return strings.Join(all, ", ")
}
