package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession"
)

// statusClientGone is what the metrics and the log show for a request whose
// client went away before there was an answer. Nobody reads it.
const statusClientGone = 499

const (
	// comeBack is when to try again what fails for now, if nobody knows better.
	comeBack = 5 * time.Second

	// comeBackRefused is the same where somebody has to do something first.
	comeBackRefused = time.Minute
)

// failure is an answer of the proxy's own, in the shape that the API's errors
// have, so that clients need not tell them apart to understand them.
type failure struct {
	status  int
	code    string // names the failure for programs
	message string
	retry   time.Duration // when to try again; 0: this request will fare no better
}

func (f *failure) write(w http.ResponseWriter) {
	body, _ := json.Marshal(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
		Status  int    `json:"status"`
		Type    string `json:"type"` // PacerPro knows error, alert, notice and warning
		Code    string `json:"code"`
	}{f.message, f.message, f.status, "error", f.code})
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(body)+1))
	if f.retry > 0 {
		header.Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
	w.WriteHeader(f.status)
	w.Write(append(body, '\n'))
}

var (
	// errAPITimeout ends a request that the API does not answer.
	errAPITimeout = errors.New("the API does not answer")

	errStopping = errors.New("the proxy is stopping")
)

// describe says what an error means to the client, in words of the proxy's own:
// what the session API or the network has to say is for the log.
func describe(host string, err error) *failure {
	var (
		carried *carryError
		api     *jwtsession.APIError
		network net.Error
	)
	isTimeout := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
	switch {
	case errors.Is(err, errBodyStalled):
		return &failure{http.StatusRequestTimeout, "body_timeout", "The request's body did not arrive in time.", 0}
	case errors.Is(err, errAPITimeout), errors.As(err, &carried) && isTimeout:
		return &failure{http.StatusGatewayTimeout, "api_timeout", "The API at " + host + " does not answer in time.", comeBack}
	case errors.As(err, &carried):
		return &failure{http.StatusBadGateway, "api_unreachable", "The API at " + host + " could not be reached, or broke off: " + trouble(err) + ".", comeBack}
	case errors.Is(err, jwtsession.ErrClosed), errors.Is(err, errStopping):
		return &failure{http.StatusServiceUnavailable, "stopping", "The proxy is stopping.", comeBack}
	case errors.Is(err, jwtsession.ErrInvalidCredentials):
		return &failure{http.StatusServiceUnavailable, "sign_in_refused", "The API at " + host + " refuses the credentials that the proxy has: check the e-mail address and the password.", comeBackRefused}
	case errors.As(err, &api):
		f := &failure{http.StatusServiceUnavailable, "sign_in_failed", fmt.Sprintf("The proxy cannot sign in to the API at %s for now: it answers with status %d.", host, api.StatusCode), max(api.RetryAfter, comeBack)}
		if !api.Temporary() {
			f.message, f.retry = fmt.Sprintf("The proxy cannot sign in to the API at %s, which answers with status %d: check the base URL.", host, api.StatusCode), comeBackRefused
		}
		return f
	case isTimeout:
		return &failure{http.StatusGatewayTimeout, "sign_in_timeout", "The proxy cannot sign in: the API at " + host + " does not answer in time.", comeBack}
	}
	return &failure{http.StatusServiceUnavailable, "sign_in_failed", "The proxy cannot sign in to the API at " + host + ": its log says why.", comeBack}
}

// comeBackIn has a client that could not be signed in come again when that is tried
// again, but after a minute where somebody may have mended it before.
func (f *failure) comeBackIn(untilAttempt time.Duration) {
	if untilAttempt <= 0 || !strings.HasPrefix(f.code, "sign_in_") {
		return
	}
	if f.retry == comeBackRefused {
		untilAttempt = min(untilAttempt, comeBackRefused)
	}
	f.retry = untilAttempt
}

// trouble is what went wrong on a network, without what a server had to say.
func trouble(err error) string {
	var (
		unknown *net.DNSError
		system  *os.SyscallError
	)
	switch {
	case errors.As(err, &unknown):
		return "its name is not known"
	case errors.As(err, &system):
		return system.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended"
	}
	return "the proxy's log says why"
}
