package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// isForeignPage reports whether a browser may have sent the request for a page
// that has no business here. What is decided about browsers is decided here.
//
// A page cannot change what its browser says of it in Origin, Referer and
// Sec-Fetch-Site, but it can have the first two left out, and a browser leaves
// out the third, too, where the proxy is reached without TLS by another name than
// this machine's own. So who calls itself a browser must say where the request
// comes from. Programs send none of the three, nor a browser's User-Agent; other
// headers prove nothing, since node's fetch for one sends what browsers do.
func (g *guard) isForeignPage(r *http.Request) bool {
	isAllowed := false
	for _, page := range append(r.Header["Origin"], origins(r.Header["Referer"])...) {
		if g.origins[strings.ToLower(page)] {
			isAllowed = true
		} else if !strings.EqualFold(page, ownOrigin(r)) {
			return true
		}
	}
	sites := r.Header["Sec-Fetch-Site"]
	for _, site := range sites {
		if site != "same-origin" && site != "none" && !isAllowed {
			return true
		}
	}
	return len(sites) == 0 && !isAllowed && slices.ContainsFunc(r.Header["User-Agent"], func(agent string) bool {
		return strings.Contains(agent, "Mozilla/")
	})
}

// ownOrigin is the proxy's, as the client calls it.
func ownOrigin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// origins are those of pages, by their URLs.
func origins(pages []string) []string {
	var all []string
	for _, page := range pages {
		u, err := url.Parse(page)
		if err != nil {
			u = &url.URL{}
		}
		all = append(all, u.Scheme+"://"+u.Host)
	}
	return all
}

// allowed is the origin of the request's page, if that is one whose requests are
// answered.
func (g *guard) allowed(r *http.Request) string {
	if len(g.origins) == 0 {
		return ""
	}
	if all := r.Header["Origin"]; len(all) == 1 && g.origins[strings.ToLower(all[0])] {
		return all[0]
	}
	return ""
}

// isPreflight reports whether a browser asks what an allowed page may send. The
// secret is not in it, and cannot be.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers one: the page may send whatever a program may.
func preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	header["Access-Control-Allow-Headers"] = r.Header["Access-Control-Request-Headers"]
	for _, network := range []string{"Private", "Local"} { // an API on this machine, for a page that is not
		if r.Header.Get("Access-Control-Request-"+network+"-Network") == "true" {
			header.Set("Access-Control-Allow-"+network+"-Network", "true")
		}
	}
	header.Set("Access-Control-Max-Age", "600")
	header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network")
	w.WriteHeader(http.StatusNoContent)
}

// share has a browser show an answer to the page of an origin.
func share(header http.Header, origin string, withCookies bool) {
	header.Set("Access-Control-Allow-Origin", origin)
	if withCookies {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
}

// expose has the page see the answer's headers.
func expose(header http.Header) {
	var names []string
	for name := range header {
		if !strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	header.Set("Access-Control-Expose-Headers", strings.Join(names, ", "))
}

// confine keeps an answer from acting in the proxy's origin, where it could read
// the API: it is not guessed to be a page, not framed, and a page that it is has
// no scripts. An API whose cookies pass is used by its own pages.
func confine(header http.Header, withCookies bool) {
	header["X-Content-Type-Options"] = noSniff
	header["X-Frame-Options"] = noFrame
	if !withCookies {
		header["Content-Security-Policy"] = append(header["Content-Security-Policy"], sandbox...)
	}
}

// These are shared, and have no room to append to.
var (
	noSniff = []string{"nosniff"}[:1:1]
	noFrame = []string{"DENY"}[:1:1]
	sandbox = []string{"sandbox"}[:1:1]
)
