package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession"
)

const (
	// DefaultAddress is where a proxy listens.
	DefaultAddress = "127.0.0.1:8888"

	// DefaultMaxConnections is how many clients may be connected.
	DefaultMaxConnections = 1024

	// DefaultDrain is how long a proxy that is stopped waits for its requests.
	DefaultDrain = 10 * time.Second

	// DefaultUpstreamTimeout is how long the API may take to begin an answer.
	DefaultUpstreamTimeout = time.Minute

	// SecretHeader is the header of a request that carries the client's secret
	// where Authorization is for the API. It is one of our own: a browser does not
	// send it for another site without asking first, and Proxy-Authorization means
	// other things to the clients' libraries.
	SecretHeader = "Jwtsession-Secret"

	// ShortestSecret is how many bytes a secret must have.
	ShortestSecret = 16
)

// API is one that the proxy signs requests in to.
type API struct {
	// Name is empty for an API alone. Of several each is below /Name/: letters,
	// digits, "-" and "_".
	Name string

	// BaseURL is the API's. Its path goes before that of every request.
	BaseURL string

	// Source signs the requests in. It must be that of the API at BaseURL.
	Source *jwtsession.TokenSource

	// Transport carries the requests to this API; nil stands for Config.Transport.
	Transport http.RoundTripper

	// ProtocolPaths are those, below BaseURL, at which the API signs in, refreshes
	// and logs out, which the clients may not call: it is one session that all of
	// them share. A segment with braces in it, "{id}", stands for any one or more. Nil
	// stands for [PacerProPaths].
	ProtocolPaths []string

	// SessionHeaders are those, besides Authorization, that a session is in. They do
	// not pass to the clients, where the API repeats them or renews the session so, and
	// from the clients neither in another spelling nor as trailers.
	SessionHeaders []string

	// SessionCookies are the names of the cookies that a session is in. They do not
	// pass to the clients, though others be kept.
	SessionCookies []string
}

// Config says what a proxy is for, and who may use it. APIs are required; the
// zero value of each other field is a good default.
type Config struct {
	// APIs are one, or several with different names.
	APIs []API

	// Address is where to listen: a loopback host and a port, 0 for any that is
	// free, or "unix:" and the path of a socket, which only its owner can use.
	// [DefaultAddress] if it is empty.
	Address string

	// AllowRemote lets the proxy listen at an address that other machines reach.
	// CertFile, KeyFile and Secret are required then.
	AllowRemote bool

	// CertFile and KeyFile make the proxy serve HTTPS. Its clients may then call
	// it by the names in the certificate.
	CertFile, KeyFile string

	// Secret is what a client must send as its bearer token in Authorization, or in
	// its [SecretHeader] with KeepAuthorization: at least [ShortestSecret] bytes;
	// empty asks for nothing.
	Secret string

	// Hosts are further names by which clients call the proxy, "name" for any port
	// or "name:port". They need a Secret or TLS: without TLS a browser does not say
	// of a request by name which site it is from.
	Hosts []string

	// Origins are those of web pages, "http://localhost:3000", whose requests are
	// answered besides the proxy's own, and that may read the answers.
	Origins []string

	// KeepAuthorization lets a request that has an Authorization header pass with
	// it, and not signed in.
	KeepAuthorization bool

	// KeepCookies lets the client's cookies and the API's pass, but for those that a
	// session is in.
	KeepCookies bool

	// AllowUpgrade lets WebSockets pass. What is spoken in them passes unseen.
	AllowUpgrade bool

	// MaxConnections bounds the connections of clients. At the limit a newcomer
	// takes the place of the one that has been idle for the longest time; while
	// none is, it is told to come again. [DefaultMaxConnections] if it is zero.
	MaxConnections int

	// UpstreamTimeout is how long the API may take to begin an answer once it has
	// what was sent of a request; [DefaultUpstreamTimeout] if it is zero.
	UpstreamTimeout time.Duration

	// Drain is how long Serve waits for requests under way once it is stopped;
	// [DefaultDrain] if it is zero.
	Drain time.Duration

	// Transport carries the requests to the API; nil stands for what NewTransport
	// returns, and for one that speaks HTTP/2 without TLS to gRPC's servers.
	Transport http.RoundTripper

	// Metrics is where the proxy counts, of the names of the APIs; nil counts for
	// nobody.
	Metrics *Metrics

	// AccessLog has a line for each request; nil has none.
	AccessLog *AccessLog

	// Logger is told what goes wrong between the proxy, its clients and the API;
	// nil is silent.
	Logger *slog.Logger
}

// Validate finds what contradicts itself, or is not safe, the APIs left aside. It
// opens nothing.
func (c Config) Validate() error {
	path, isSocket := socketPath(c.Address)
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a TLS certificate and its key go together: give both")
	case c.Secret != "" && len(c.Secret) < ShortestSecret:
		return fmt.Errorf("the client secret has %d bytes: give at least %d", len(c.Secret), ShortestSecret)
	case strings.ContainsFunc(c.Secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the client secret must be visible ASCII characters: it goes into a header")
	case c.MaxConnections < 0:
		return fmt.Errorf("the number of connections is %d: give one or more", c.MaxConnections)
	case c.Drain < 0:
		return fmt.Errorf("the time to drain is %v: give zero or more", c.Drain)
	case c.UpstreamTimeout < 0:
		return fmt.Errorf("the time for the API is %v: give zero or more", c.UpstreamTimeout)
	case isSocket && path == "":
		return errors.New("the address is unix: without a path")
	case isSocket && c.AllowRemote:
		return errors.New("a Unix socket is for this machine alone: no remote clients with it")
	}
	if _, err := newGuard(c, nil); err != nil {
		return err
	}
	if len(c.Hosts) > 0 && c.Secret == "" && c.CertFile == "" {
		return errors.New("a further host needs a client secret or TLS: without, web pages of any site could have a browser send requests to it by name, and be signed in")
	}
	if isSocket {
		return nil
	}
	host, _, err := net.SplitHostPort(c.address())
	switch {
	case err != nil:
		return fmt.Errorf("the address is %q: give a host and a port, such as %s, or unix:/path", c.Address, DefaultAddress)
	case c.AllowRemote && c.CertFile == "":
		return errors.New("remote clients need TLS: give a certificate and its key")
	case c.AllowRemote && c.Secret == "":
		return errors.New("remote clients need a secret: without one, whoever reaches the proxy is signed in")
	case !c.AllowRemote && host != "localhost" && !net.ParseIP(host).IsLoopback():
		return fmt.Errorf("other machines could reach %q, and be signed in: give a loopback address, such as %s, or allow remote clients, with TLS and a secret", c.Address, DefaultAddress)
	}
	return nil
}

// validateAPIs finds what is wrong with the APIs.
func (c Config) validateAPIs() error {
	var names []string
	for _, api := range c.APIs {
		if api.Source == nil {
			return errors.New("proxy: an API has no Source")
		}
		names = append(names, api.Name)
	}
	return ValidateNames(names)
}

// ValidateNames finds what is wrong with the names of a proxy's APIs.
func ValidateNames(names []string) error {
	if len(names) == 0 {
		return errors.New("proxy: Config has no APIs")
	}
	for i, name := range names {
		switch {
		case len(names) > 1 && !isName(name):
			return fmt.Errorf("the name is %q, and is to begin paths: give letters, digits, - and _", name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("two APIs are called %q: give each its own name", name)
		}
	}
	return nil
}

// isName reports whether a name can be the beginning of paths, and means the same
// however it is read.
func isName(name string) bool {
	return name != "" && name != "-" && !strings.ContainsFunc(name, func(r rune) bool { return isOdd(r) && r != '_' })
}

func (c Config) address() string { return cmp.Or(c.Address, DefaultAddress) }

func (c Config) upstreamTimeout() time.Duration {
	return cmp.Or(c.UpstreamTimeout, DefaultUpstreamTimeout)
}

// parseBase reads the API's URL. That it is safe to send a token to has been
// judged by the source.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the URL of the API is not usable: give one like %s", jwtsession.DefaultBaseURL)
	}
	return u, nil
}
