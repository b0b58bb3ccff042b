// Package origin reads where a URL leads, in one way for all its spellings, and
// which URLs secrets may be sent to.
package origin

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrInsecure means that a URL would send secrets in the clear: it is neither
// https nor http to a loopback address.
var ErrInsecure = errors.New("jwtsession: insecure URL")

// example is what a URL of an API looks like.
const example = "https://api.pacerpro.com/v1"

// Origin is a scheme, a host and a port (RFC 6454). The host is as readHost has
// it, and the port is left out where it is the scheme's own.
type Origin struct{ Scheme, Host string }

func (o Origin) String() string { return o.Scheme + "://" + o.Host }

// Match returns u as a request goes to this origin for it, with its host in the
// one way in which it is read: u itself if that is how it stands there, as it
// nearly always does; nil if u leads elsewhere.
func (o Origin) Match(u *url.URL) *url.URL {
	switch {
	case u.Scheme == o.Scheme && u.Host == o.Host:
		return u
	case Of(u) == o:
		return Normalized(u)
	}
	return nil
}

// Of returns the origin of an absolute URL; none, if no request could be
// sent to its host.
func Of(u *url.URL) Origin {
	host, err := readHost(u.Hostname())
	if err != nil {
		return Origin{}
	}
	o := Origin{strings.ToLower(u.Scheme), host}
	if strings.Contains(host, ":") {
		o.Host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && !(o.Scheme == "https" && port == "443") && !(o.Scheme == "http" && port == "80") {
		o.Host += ":" + port
	}
	return o
}

// readHost is the one reading of a host that there is, and what is sent there goes
// to the host as it was read: a name in lower case, without the dot at its end,
// and in ASCII (RFC 5890), and an address in its shortest form (RFC 5952). So
// http.ProxyFromEnvironment, which lets no proxy see what is for "localhost",
// knows it in all its spellings.
func readHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		return address.String(), err
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" {
		return "", errors.New("it is empty")
	}
	if strings.ContainsFunc(host, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return punycode(host)
	}
	return host, nil
}

// punycode encodes a name that is not ASCII (RFC 3492). That net/http does in the
// Host header, and nothing else to the name; what it connects to, it reads in
// ways of its own, and so must be given ASCII.
func punycode(host string) (string, error) {
	var wire bytes.Buffer
	sent := http.Request{URL: &url.URL{Host: host}}
	if err := sent.Write(&wire); err != nil {
		return "", err
	}
	read, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return "", err
	}
	return read.Host, nil
}

// Normalized returns u with its host as readHost has it: u itself if that is
// how it stands there, as it nearly always does.
func Normalized(u *url.URL) *url.URL {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == ':'
	}
	if !strings.ContainsFunc(u.Host, func(c rune) bool { return !plain(c) }) && !strings.HasSuffix(u.Hostname(), ".") {
		return u
	}
	o := Of(u)
	if o == (Origin{}) || o.Host == u.Host {
		return u
	}
	normal := *u
	normal.Host = o.Host
	return &normal
}

// Parse reads an origin as one writes it, without a path.
func Parse(s string) (Origin, error) {
	u, err := ParseURL(s)
	if err != nil {
		return Origin{}, err
	}
	if u.Path != "" && u.Path != "/" {
		return Origin{}, fmt.Errorf("jwtsession: origin %s has a path: give its scheme, host and port only", u)
	}
	return Of(u), nil
}

// ParseURL reads an absolute URL that secrets may be sent to, and
// normalizes its host. Its errors do not repeat a URL that may hold a password.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("jwtsession: the URL of the API is not a URL: give one like %s", example)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("jwtsession: the URL of the API has no host: give one like %s", example)
	}
	host, err := readHost(u.Hostname())
	port, portErr := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16)
	switch {
	case portErr != nil, port == 0:
		return nil, fmt.Errorf("jwtsession: the port in the URL of the API at %s is none: they go from 1 to 65535", u.Host)
	case err != nil:
		return nil, fmt.Errorf("jwtsession: %q in the URL of the API is no host: give one like %s", u.Hostname(), example)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(host)):
		return nil, fmt.Errorf("%w: %s://%s would send secrets in the clear: use https", ErrInsecure, u.Scheme, u.Host)
	case u.User != nil:
		return nil, fmt.Errorf("jwtsession: the URL of the API at %s has a user name in it: credentials go into Config.Credentials", u.Host)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("jwtsession: the URL of the API at %s has a query or a fragment: leave it out", u.Host)
	}
	return Normalized(u), nil
}

// isLoopback reports whether a connection to a host, as readHost has it, stays on
// this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
