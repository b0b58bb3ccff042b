package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/jwtsession/jwtsession/internal/origin"
)

// guard judges requests before anything is done for them.
type guard struct {
	hosts         map[string]bool // "name" for any port, or "name:port"; in lower case
	origins       map[string]bool
	secret        *[sha256.Size]byte // nil asks for none
	inAuthorizing bool               // the secret is a bearer token, else in a header of its own
}

// newGuard returns the guard of a proxy that clients call by these hosts.
func newGuard(config Config, hosts []string) (*guard, error) {
	g := &guard{hosts: map[string]bool{}, origins: map[string]bool{}, inAuthorizing: !config.KeepAuthorization}
	for _, host := range append(hosts, config.Hosts...) {
		u, err := url.Parse("http://" + host)
		if err != nil || u.Host != host || u.Hostname() == "" {
			return nil, fmt.Errorf("the host is %q: give a name, or a name and a port, such as api.internal:8888", host)
		}
		g.hosts[strings.ToLower(host)] = true
	}
	for _, page := range config.Origins {
		u, err := url.Parse(page)
		if err != nil || !strings.EqualFold(u.Scheme+"://"+u.Host, page) || strings.Contains(u.Host, "*") || origin.Of(u) == (origin.Origin{}) {
			return nil, fmt.Errorf("the origin is %q: give a scheme, a host and a port, such as http://localhost:3000", page)
		}
		if !hasPages(u.Scheme) {
			return nil, fmt.Errorf("the origin is %q, and no page is of one with %s: give http or https", page, u.Scheme)
		}
		g.origins[origin.Of(u).String()] = true // as browsers send it
	}
	if config.Secret != "" {
		secret := sha256.Sum256([]byte(config.Secret))
		g.secret = &secret
	}
	return g, nil
}

// hasPages reports whether origins of a scheme are those of pages: of sites, of a
// browser's extensions, or of applications that are made of pages.
func hasPages(scheme string) bool {
	switch scheme {
	case "http", "https", "app", "capacitor", "ionic", "tauri":
		return true
	}
	return strings.HasSuffix(scheme, "-extension")
}

// judge returns why a request is refused, or nil, and the path as all further
// decisions are to read it.
func (g *guard) judge(r *http.Request) (reading readings, refused *failure) {
	refuse := func(status int, code, message string) (readings, *failure) {
		return readings{}, &failure{status, code, message, 0}
	}
	switch {
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace:
		// A tunnel leads elsewhere, and the answer to a TRACE repeats the token.
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "The proxy does not pass on "+r.Method+".")
	case !g.knows(r.Host):
		return refuse(http.StatusForbidden, "host", "The proxy is not called by this Host. If it is meant to be, allow the host when you start it.")
	case r.URL.Host != "" && r.URL.Host != r.Host, r.URL.User != nil, r.URL.Opaque != "", !strings.HasPrefix(r.URL.Path, "/"):
		return refuse(http.StatusBadRequest, "target", "The request's target is not a path.")
	}
	if !g.hasSecret(r) {
		switch {
		case g.isForeignPage(r):
			return refuse(http.StatusForbidden, "cross_site", "A page of another site made this request, or may have. If a page is meant to, allow its origin when you start the proxy; a program is to send no browser's User-Agent, or the client secret.")
		case isOpen(r.URL.Path):
		case g.secret != nil && g.inAuthorizing:
			return refuse(http.StatusForbidden, "secret", "The proxy asks for its client secret: send it as Authorization: Bearer.")
		case g.secret != nil:
			return refuse(http.StatusForbidden, "secret", "The proxy asks for its client secret, in the header "+SecretHeader+".")
		}
	}
	reading, ok := readingsOf(r.URL.EscapedPath())
	if !ok {
		return refuse(http.StatusBadRequest, "path", "The path may lead out of the API: send it without .. and control characters, however they are written.")
	}
	return reading, nil
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

// isOpen reports whether a path is for everybody who reaches the proxy: it tells
// nothing but whether the proxy works, to whoever restarts it if it does not.
func isOpen(path string) bool { return path == ownPrefix+"healthz" || path == ownPrefix+"readyz" }

// hasSecret reports whether the request has shown the secret that there is. What
// clients send as Authorization most of them leave out when a redirect leads
// elsewhere; so a header of our own is the second choice, for where Authorization
// is for the API.
func (g *guard) hasSecret(r *http.Request) bool {
	if g.secret == nil {
		return false
	}
	sent := r.Header.Get(SecretHeader)
	if g.inAuthorizing {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		sent = strings.TrimLeft(token, " ")
	}
	sum := sha256.Sum256([]byte(sent))
	return subtle.ConstantTimeCompare(sum[:], g.secret[:]) == 1
}
