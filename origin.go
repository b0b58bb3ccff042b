package jwtsession

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// origin is a scheme, a host and a port (RFC 6454). The host is in lower case,
// and the port is left out where it is the scheme's own.
type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

// matches reports whether a request for u goes to this origin.
func (o origin) matches(u *url.URL) bool {
	return u.Scheme == o.scheme && u.Host == o.host || originOf(u) == o
}

// originOf returns the origin of an absolute URL.
func originOf(u *url.URL) origin {
	o := origin{strings.ToLower(u.Scheme), strings.TrimSuffix(strings.ToLower(u.Host), ":")}
	switch o.scheme {
	case "https":
		o.host = strings.TrimSuffix(o.host, ":443")
	case "http":
		o.host = strings.TrimSuffix(o.host, ":80")
	}
	return o
}

// parseOrigin reads one of Config.Origins.
func parseOrigin(s string) (origin, error) {
	u, err := parseSecureURL(s)
	if err != nil {
		return origin{}, err
	}
	if u.Path != "" && u.Path != "/" {
		return origin{}, fmt.Errorf("jwtsession: origin %s has a path: give its scheme, host and port only", u)
	}
	return originOf(u), nil
}

// parseSecureURL reads an absolute URL that secrets may be sent to. Its errors
// do not repeat a URL that may hold a password.
func parseSecureURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("jwtsession: the URL of the API is not a URL: give one like %s", DefaultBaseURL)
	}
	switch {
	case u.Hostname() == "":
		return nil, fmt.Errorf("jwtsession: the URL of the API has no host: give one like %s", DefaultBaseURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("%w: %s://%s would send secrets in the clear: use https", ErrInsecureURL, u.Scheme, u.Host)
	case u.User != nil:
		return nil, fmt.Errorf("jwtsession: the URL of the API at %s has a user name in it: credentials go into Config.Credentials", u.Host)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("jwtsession: the URL of the API at %s has a query or a fragment: leave it out", u.Host)
	}
	return u, nil
}

// isLoopback reports whether a connection to host stays on this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
