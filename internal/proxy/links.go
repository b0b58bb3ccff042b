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

// keepInside turns those of an answer's headers.
func (l links) keepInside(header http.Header, self string) {
	for _, name := range [...]string{"Location", "Content-Location"} {
		if value := header.Get(name); value != "" {
			if inside, found := l.inside(value); found {
				header[name] = []string{inside}
			}
		}
	}
	if values := header["Link"]; len(values) > 0 {
		inside := make([]string, len(values))
		for i, value := range values {
			inside[i] = l.eachTarget(value, self)
		}
		header["Link"] = inside
	}
}

// inside returns where a link leads in the proxy, without its host, if it leads
// into the API.
func (l links) inside(link string) (string, bool) {
	target, err := url.Parse(link)
	if err != nil || target.Host == "" && !strings.HasPrefix(link, "/") || target.Host != "" && !l.isAPI(target) {
		return "", false
	}
	root := strings.TrimRight(l.base.EscapedPath(), "/")
	inside, found := strings.CutPrefix(target.EscapedPath(), root)
	if !found || !strings.HasPrefix(inside, "/") && inside != "" || strings.HasPrefix(inside, "//") {
		return "", false
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

// eachTarget turns each <target> of a Link header (RFC 8288). One that was
// absolute stays so, since many clients ask for it as it is.
func (l links) eachTarget(value, self string) string {
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
			if inside, found := l.inside(strings.TrimSpace(target)); found {
				if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
					inside = self + inside
				}
				target = inside
			}
			b.WriteString("<" + target)
			i += end
		}
		b.WriteByte(value[i])
	}
	return b.String()
}
