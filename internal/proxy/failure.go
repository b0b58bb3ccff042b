package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession"
)

// statusClientGone is what the metrics show for a request whose client went away
// before there was an answer. Nobody reads it.
const statusClientGone = 499

// failure is an answer of the proxy's own, in the shape that the API's errors
// have, so that clients need not tell them apart to understand them.
type failure struct {
	status  int
	kind    string
	message string
}

func (f failure) write(w http.ResponseWriter) {
	body, _ := json.Marshal(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
		Status  int    `json:"status"`
		Type    string `json:"type"`
	}{f.message, f.message, f.status, f.kind})
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(f.status)
	w.Write(append(body, '\n'))
}

// explain answers a request that the API did not: ReverseProxy's ErrorHandler.
func explain(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		w.WriteHeader(statusClientGone)
		return
	}
	var api *jwtsession.APIError
	if errors.As(err, &api) && api.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((api.RetryAfter+time.Second-1)/time.Second)))
	}
	describe(err).write(w)
}

// describe says what an error means to the client. The library's errors hold no
// secret, and say what to do.
func describe(err error) failure {
	var (
		carried *carryError
		api     *jwtsession.APIError
		network net.Error
	)
	text := strings.TrimPrefix(err.Error(), "jwtsession: ")
	switch {
	case errors.As(err, &carried) && errors.As(err, &network) && network.Timeout():
		return failure{http.StatusGatewayTimeout, "api_timeout", text}
	case errors.As(err, &carried):
		return failure{http.StatusBadGateway, "api_unreachable", text}
	case errors.Is(err, jwtsession.ErrClosed):
		return failure{http.StatusServiceUnavailable, "stopping", "The proxy is stopping."}
	case errors.Is(err, jwtsession.ErrInvalidCredentials):
		return failure{http.StatusBadGateway, "sign_in_refused", text}
	case errors.As(err, &api) && api.Temporary():
		return failure{http.StatusServiceUnavailable, "sign_in_failed", text}
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return failure{http.StatusBadGateway, "api_unreachable", text}
	}
	return failure{http.StatusBadGateway, "sign_in_failed", text}
}
