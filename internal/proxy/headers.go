package proxy

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// way is a direction in which headers pass.
type way int

const (
	toAPI    way = 1 << iota // of requests
	toClient                 // of answers, in a 1xx and in trailers as well
	bothWays = toAPI | toClient
)

// kept says which of the Config's wishes lets a header pass after all.
type kept int

const (
	never kept = iota
	withCookies
	withAuthorization
)

// headerRule says which headers do not pass, and why.
type headerRule struct {
	way    way
	unless kept
	reason string
	names  string // separated by spaces; * at an end stands for whatever is there
}

// headerRules are all headers that do not pass. Whatever they do not name passes
// as it came. A name is the same with underscores, and with whatever else is neither
// letter nor digit: CGI and its heirs take one for the other.
var headerRules = []headerRule{
	{bothWays, never, "it is for one connection alone (RFC 9110, 7.6.1)",
		"Connection Keep-Alive Proxy-Connection Te Trailer Transfer-Encoding Upgrade Http2-Settings"},
	{bothWays, never, "it is for a proxy, which this one is not to its clients (RFC 9110, 11.7)",
		"Proxy-Authenticate Proxy-Authorization Proxy-Authentication-Info"},
	{bothWays, never, "it is the proxy's own secret", SecretHeader},
	{toAPI, withAuthorization, "the session's token takes its place, and the client's secret may be in it", "Authorization"},
	{toClient, never, "a token that the API repeats, or renews this way, is none of the client's", "Authorization"},
	{toAPI, withCookies, "all clients share one session, and would share one another's cookies", "Cookie"},
	{toClient, withCookies, "it is one session's, which all clients share", "Set-Cookie"},
	{toAPI, never, "it is an answer's, or of cookies as nobody has them any more (RFC 6265)", "Set-Cookie Set-Cookie2 Cookie2"},
	{toClient, never, "it is a request's, the session's cookies in it; or likewise", "Cookie Cookie2 Set-Cookie2"},
	{bothWays, never, "it tells of the client's network, of which no API on the outside has any need",
		"*-Ip *Clientip *Realip *Remoteip *Socketip *Forwarded-For *-Original-For *-Proxied-For " +
			"Forwarded Forwarded-* X-Forwarded X-Forwarded-* Via X-Bluecoat-Via X-Host X-Client-Addr* X-Client-Host X-Client-Port X-Client-Cert* X-Client-Dn X-Client-Verify X-Client-Geo-* X-Client-Region X-Client-City X-Remote-* X-Originating-* X-Proxy-* X-Proxied-* " +
			"Remote-Addr Remote-Host Client-Cert Client-Cert-Chain Ssl-Client-* X-Ssl-Client-* X-Envoy-External-Address X-Envoy-Peer-* " +
			"Cf-Connecting-* Cf-Pseudo-* Cf-Ip* Cloudfront-Viewer-* X-Vercel-Ip-* X-Appengine-* X-Akamai-Edgescape"},
	{toAPI, never, "it has a server act on another path or method than the one that was judged",
		"X-Original-* X-Rewrite-Url X-Rewrite-Uri X-Override-Url X-Http-Method " +
			"X-Http-Method-Override X-Method-Override X-Http-Path-Override X-Http-Host-Override X-Request-Uri X-Request-Url Request-Uri " +
			"X-Envoy-Original-Path X-Envoy-Original-Method X-Replaced-Path X-Rewrite-Path X-Request-Path " +
			"X-Middleware-* X-Matched-Path X-Now-Route-Matches X-Invoke-* X-Waws-Unencoded-Url X-Accel-Mapping X-Sendfile-Type"},
	{toAPI, never, "which page asked has been judged here, and its address is of the client's network",
		"Origin Referer Access-Control-Request-*"},
	{toClient, never, "which pages may read an answer is the proxy's to say", "Access-Control-* Timing-Allow-Origin"},
	{toClient, never, "it is about the API's own origin, and would hold for the proxy's",
		"Alt-Svc Strict-Transport-Security Public-Key-Pins Public-Key-Pins-Report-Only Expect-Ct Clear-Site-Data Refresh " +
			"Report-To Reporting-Endpoints Nel Service-Worker-Allowed Origin-Agent-Cluster"},
	{toClient, never, "a server before the proxy would act on it", "X-Accel-* X-Sendfile X-Lighttpd-Send-File X-Reproxy-Url"},
}

// headers are the rules of one way, as a proxy has them.
type headers struct {
	stopped  map[string]bool // names in their canonical form
	written  map[string]bool // likewise: see onlyAsWritten
	prefixes []string
	suffixes []string
	cookies  []string // that do not pass, though others may
}

// newHeaders returns the rules of a way, those that are waived left out.
func newHeaders(w way, waived ...kept) headers {
	h := headers{stopped: map[string]bool{}, written: map[string]bool{}}
rules:
	for _, rule := range headerRules {
		if rule.way&w == 0 {
			continue
		}
		for _, k := range waived {
			if rule.unless == k && k != never {
				continue rules
			}
		}
		for name := range strings.FieldsSeq(rule.names) {
			if prefix, isPrefix := strings.CutSuffix(name, "*"); isPrefix {
				h.prefixes = append(h.prefixes, prefix)
			} else if suffix, isSuffix := strings.CutPrefix(name, "*"); isSuffix {
				h.suffixes = append(h.suffixes, suffix)
			} else {
				h.stopped[name] = true
			}
		}
	}
	return h
}

// onlyAsWritten has headers pass that are spelled exactly so, if they do at all, and
// are no trailers: the session's own take their place, or they are looked into.
func (h *headers) onlyAsWritten(names ...string) {
	for _, name := range names {
		if name = textproto.CanonicalMIMEHeaderKey(name); h.pass(name) {
			h.written[name] = true
		}
	}
}

// pass reports whether a header may go on, however it is spelled, or a trailer.
func (h *headers) pass(name string) bool {
	if strings.ContainsFunc(name, isOdd) {
		name = textproto.CanonicalMIMEHeaderKey(strings.Map(func(r rune) rune {
			if isOdd(r) {
				return '-'
			}
			return r
		}, name))
	}
	if h.stopped[name] || h.written[name] {
		return false
	}
	for _, prefix := range h.prefixes {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	for _, suffix := range h.suffixes {
		if strings.HasSuffix(name, suffix) {
			return false
		}
	}
	return true
}

// isOdd reports whether a character is none of those that names are usually of.
func isOdd(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
}

// copy has those headers go on that may: not those, either, that the message
// itself calls its connection's.
func (h *headers) copy(to, from http.Header) {
	hops := from["Connection"]
	for name, values := range from {
		if (h.written[name] || h.pass(name)) && !isListed(hops, name) {
			to[name] = values
		}
	}
	if set := to["Set-Cookie"]; len(set) > 0 && len(h.cookies) > 0 {
		to["Set-Cookie"] = slices.DeleteFunc(slices.Clone(set), h.isSessions)
	}
}

// isSessions reports whether a Set-Cookie is that of a cookie with the session in it.
func (h *headers) isSessions(line string) bool {
	pair, _, _ := strings.Cut(line, ";")
	name, _, _ := strings.Cut(pair, "=")
	return slices.Contains(h.cookies, textproto.TrimString(name))
}

// isListed reports whether a header that is a list has a token in it.
func isListed(lines []string, token string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(textproto.TrimString(item), token) {
				return true
			}
		}
	}
	return false
}
