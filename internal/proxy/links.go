package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// links lead through the proxy where they lead into the API: the client at the
// other end is signed in only there.
type links struct {
	base   *url.URL // the API's
	prefix string   // of its paths in the proxy: empty, or /NAME
}

// lead turns those of an answer's headers. Asked is what the API was asked for, and
// self the proxy's origin.
func (l links) lead(header http.Header, asked *url.URL, self string) {
	for _, name := range [...]string{"Location", "Content-Location"} {
		if value := header.Get(name); value != "" {
			if turned, found := l.turn(value, asked); found {
				header[name] = []string{turned}
			}
		}
	}
	if values := header["Link"]; len(values) > 0 {
		turned := make([]string, len(values))
		for i, value := range values {
			turned[i] = l.turnEach(value, asked, self)
		}
		header["Link"] = turned
	}
}

// turn returns a link for clients of the proxy, unless it means the same to them. One
// into the API leads into the proxy, without its host. One that leads out of it, and
// left out the host, has the API's: the proxy would take it for a path below the API's.
func (l links) turn(link string, asked *url.URL) (string, bool) {
	target, err := url.Parse(link)
	if err != nil {
		return "", false
	}
	hasHost := target.Host != ""
	isRooted := strings.HasPrefix(link, "/")
	switch climbs := strings.Contains("/"+target.Path+"/", "/../"); {
	case !hasHost && (target.Scheme != "" || !isRooted && !climbs):
		return "", false
	case climbs:
		target = asked.ResolveReference(target)
	case !hasHost:
		target.Scheme, target.Host = l.base.Scheme, l.base.Host
	}
	if !l.isAPI(target) {
		return "", false
	}
	root := strings.TrimRight(l.base.EscapedPath(), "/")
	inside, found := strings.CutPrefix(target.EscapedPath(), root)
	if !found || !strings.HasPrefix(inside, "/") && inside != "" || strings.HasPrefix(inside, "//") {
		return target.String(), !hasHost
	}
	if inside == "" {
		inside = "/"
	}
	inside = l.prefix + inside
	if target.RawQuery != "" || target.ForceQuery {
		inside += "?" + target.RawQuery
	}
	if target.Fragment != "" {
		inside += "#" + target.EscapedFragment()
	}
	return inside, true
}

// isAPI reports whether an absolute link, or one without its scheme, is for the
// API's host.
func (l links) isAPI(target *url.URL) bool {
	return strings.EqualFold(withoutDefaultPort(target.Host, l.base.Scheme), withoutDefaultPort(l.base.Host, l.base.Scheme)) &&
		(target.Scheme == "" || target.Scheme == l.base.Scheme)
}

func withoutDefaultPort(host, scheme string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// turnEach turns each <target> of a Link header (RFC 8288). One that was
// absolute stays so, since many clients ask for it as it is.
func (l links) turnEach(value string, asked *url.URL, self string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\' && i+1 < len(value):
			b.WriteByte(c)
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			end := strings.IndexByte(value[i:], '>')
			if end < 0 {
				break
			}
			target := value[i+1 : i+end]
			if turned, found := l.turn(strings.TrimSpace(target), asked); found {
				if strings.HasPrefix(turned, "/") && (!strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//")) {
					turned = self + turned
				}
				target = turned
			}
			b.WriteString("<" + target)
			i += end
		}
		b.WriteByte(value[i])
	}
	return b.String()
}
