package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard judges requests before anything is done for them.
type guard struct {
	hosts   map[string]bool // "name" for any port, or "name:port"; in lower case
	origins map[string]bool
	secret  *[sha256.Size]byte // nil asks for none
}

// newGuard returns the guard of a proxy that clients call by these hosts.
func newGuard(config Config, hosts []string) (*guard, error) {
	g := &guard{hosts: map[string]bool{}, origins: map[string]bool{}}
	for _, host := range append(hosts, config.Hosts...) {
		u, err := url.Parse("http://" + host)
		if err != nil || u.Host != host || u.Hostname() == "" {
			return nil, fmt.Errorf("the host is %q: give a name, or a name and a port, such as api.internal:8888", host)
		}
		g.hosts[strings.ToLower(host)] = true
	}
	for _, origin := range config.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return nil, fmt.Errorf("the origin is %q: give a scheme, a host and a port, such as http://localhost:3000", origin)
		}
		g.origins[strings.ToLower(origin)] = true
	}
	if config.Secret != "" {
		secret := sha256.Sum256([]byte(config.Secret))
		g.secret = &secret
	}
	return g, nil
}

// judge returns why a request is refused, or nil.
func (g *guard) judge(r *http.Request) *failure {
	switch {
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace:
		// A tunnel leads elsewhere, and the answer to a TRACE repeats the token.
		return &failure{http.StatusMethodNotAllowed, "method_not_allowed", "The proxy does not pass on " + r.Method + "."}
	case !g.knows(r.Host):
		return &failure{http.StatusForbidden, "host", "The proxy is not called by this Host. If it is meant to be, allow the host when you start it."}
	case r.URL.Host != "" && r.URL.Host != r.Host, r.URL.User != nil, r.URL.Opaque != "", !strings.HasPrefix(r.URL.Path, "/"):
		return &failure{http.StatusBadRequest, "target", "The request's target is not a path."}
	case !g.sameSite(r):
		return &failure{http.StatusForbidden, "cross_site", "A page of another site made this request. If it is meant to, allow its origin when you start the proxy."}
	case !open(r.URL.Path) && !g.isClient(r):
		return &failure{http.StatusForbidden, "secret", "The proxy asks for its client secret, in the header " + SecretHeader + "."}
	case escapes(r.URL.EscapedPath()):
		return &failure{http.StatusBadRequest, "path", "The path may lead out of the API: send it without .. and control characters, however they are written."}
	}
	return nil
}

// knows reports whether the proxy is called by this Host. A page whose name was
// made to resolve to the proxy's address (DNS rebinding) has another.
func (g *guard) knows(host string) bool {
	host = strings.ToLower(host)
	if g.hosts[host] {
		return true
	}
	name := host
	if withoutPort, _, err := net.SplitHostPort(host); err == nil {
		name = withoutPort
	}
	if g.hosts[name] || g.hosts["["+strings.Trim(name, "[]")+"]"] {
		return true
	}
	_, domain, found := strings.Cut(name, ".")
	return found && g.hosts["*."+domain] // of a certificate: one label
}

// sameSite reports whether no page of another site made a browser send the
// request. Programs send neither of the two headers.
func (g *guard) sameSite(r *http.Request) bool {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	origins := r.Header["Origin"]
	allowed := false
	for _, origin := range origins {
		if allowed = g.origins[strings.ToLower(origin)]; !allowed && !strings.EqualFold(origin, scheme+r.Host) {
			return false
		}
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" && !allowed {
			return false
		}
	}
	return true
}

// open reports whether a path is for everybody who reaches the proxy: it tells
// nothing but whether the proxy works, to whoever restarts it if it does not.
func open(path string) bool { return path == ownPrefix+"healthz" || path == ownPrefix+"readyz" }

// isClient reports whether the request has the secret, if there is one.
func (g *guard) isClient(r *http.Request) bool {
	if g.secret == nil {
		return true
	}
	sent := sha256.Sum256([]byte(r.Header.Get(SecretHeader)))
	return subtle.ConstantTimeCompare(sent[:], g.secret[:]) == 1
}
