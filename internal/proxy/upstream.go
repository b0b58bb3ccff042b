package proxy

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

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
	transport.WriteBufferSize = bufferSize // that of bodies, so that a part goes in one piece
	return transport
}

// withoutTLS returns the transport for gRPC to an API without TLS, where nothing
// but the content says that HTTP/2 is spoken.
func withoutTLS() *http.Transport {
	transport := NewTransport()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
	return transport
}

// isGRPC reports whether a request is one of gRPC, which is HTTP/2 alone.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
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

// roundTrip sends a request to the API, signed in. It reports whether a 401 was
// recovered from.
func roundTrip(source *jwtsession.TokenSource, base http.RoundTripper, req *http.Request) (res *http.Response, recovered bool, err error) {
	sends := carrier{base: base}
	if req.Header.Get("Authorization") != "" { // the client's own, which is to pass
		res, err = sends.RoundTrip(req)
		return res, false, err
	}
	res, err = (&jwtsession.Transport{Source: source, Base: &sends}).RoundTrip(req)
	return res, err == nil && sends.rejected && res.StatusCode != http.StatusUnauthorized, err
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
