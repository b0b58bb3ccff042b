package proxy

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jwtsession/jwtsession"
)

const (
	longestDial = 10 * time.Second

	// idleUpstream is how many connections to the API wait for further requests;
	// each client of a busy proxy needs one.
	idleUpstream = 1024
)

// NewTransport returns the transport that a proxy has unless it is given one. It
// speaks HTTP/2 where the API does, and leaves compression to client and API.
func NewTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: longestDial}).DialContext
	transport.DisableCompression = true
	transport.MaxIdleConns = 0 // bounded per host, and there is one host
	transport.MaxIdleConnsPerHost = idleUpstream
	return transport
}

// upstream carries requests to the API, signed in.
type upstream struct {
	source    func() *jwtsession.TokenSource
	base      http.RoundTripper
	recovered prometheus.Counter
}

func (u *upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	sends := carrier{base: u.base}
	if req.Header.Get("Authorization") != "" {
		return sends.RoundTrip(req) // the client's own, which is to pass
	}
	transport := jwtsession.Transport{Source: u.source(), Base: &sends}
	res, err := transport.RoundTrip(req)
	if sends.rejected && err == nil && res.StatusCode != http.StatusUnauthorized {
		u.recovered.Inc()
	}
	return res, err
}

// carrier makes the sends of one request, and remembers what became of them.
type carrier struct {
	base     http.RoundTripper
	rejected bool // with a 401
}

func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.base.RoundTrip(req)
	if err != nil {
		return nil, &carryError{host: req.URL.Host, err: err}
	}
	c.rejected = c.rejected || res.StatusCode == http.StatusUnauthorized
	return res, nil
}

// carryError is the failure of a request itself, and not of signing it in.
type carryError struct {
	host string
	err  error
}

func (e *carryError) Error() string {
	return fmt.Sprintf("the API at %s could not be reached, or broke off: %v", e.host, e.err)
}

func (e *carryError) Unwrap() error { return e.err }
