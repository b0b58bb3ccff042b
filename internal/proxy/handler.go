package proxy

import (
	"cmp"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ownPrefix begins the paths that the proxy answers itself.
const ownPrefix = "/-/"

// handler answers all requests: its own paths itself, and the others from the
// APIs.
type handler struct {
	*Proxy
	guard *guard
	own   http.Handler
	apis  map[string]*forwarder // by their names; one without a name is alone
}

func (p *Proxy) handler(hosts []string) (*handler, error) {
	guard, err := newGuard(p.config, hosts)
	if err != nil {
		return nil, err
	}
	h := &handler{Proxy: p, guard: guard, own: p.ownPaths(), apis: map[string]*forwarder{}}
	for i, api := range p.config.APIs {
		if h.apis[api.Name], err = p.forwarder(p.targets[i], api); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// forwarder returns what passes requests on to an API.
func (p *Proxy) forwarder(t *target, api API) (*forwarder, error) {
	base, err := parseBase(api.BaseURL)
	if err != nil {
		return nil, err
	}
	own := api.ProtocolPaths
	if own == nil {
		own = PacerProPaths
	}
	paths, err := parseProtocolPaths(own)
	if err != nil {
		return nil, err
	}
	f := &forwarder{Proxy: p, target: t, base: base, transport: cmp.Or(api.Transport, p.config.Transport), links: links{base: base}, bodies: p.bodies, paths: paths}
	if f.transport == nil {
		f.transport = NewTransport()
		if base.Scheme == "http" {
			f.grpc = withoutTLS()
		}
	}
	if api.Name != "" {
		f.links.prefix = "/" + api.Name
	}
	var waived []kept
	if p.config.KeepCookies {
		waived = append(waived, withCookies)
	}
	if p.config.KeepAuthorization {
		waived = append(waived, withAuthorization)
	}
	f.requests, f.answers = newHeaders(toAPI, waived...), newHeaders(toClient, waived...)
	f.requests.onlyAsWritten(append([]string{"Cookie"}, api.SessionHeaders...)...)
	f.answers.onlyAsWritten("Set-Cookie")
	f.answers.cookies = api.SessionCookies
	for _, name := range api.SessionHeaders {
		f.answers.stopped[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	return f, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := begin(w, r)
	e.cookies, e.varies = h.config.KeepCookies, len(h.config.Origins) > 0
	defer h.finish(e)
	isSpare := e.conn.spare
	if e.ProtoMajor == 1 && (isSpare || h.stopping.Load()) {
		e.Header().Set("Connection", "close")
	}
	if h.guard.knows(r.Host) {
		e.origin = h.guard.allowed(r)
		if e.origin != "" && isPreflight(r) {
			preflight(e, r)
			return
		}
	}
	reading, refused := h.guard.judge(r)
	e.admit(refused == nil && !isOpen(r.URL.Path))
	switch {
	case refused != nil:
		h.metrics.refused.Inc()
		e.refuse(refused)
		return
	case strings.HasPrefix(r.URL.Path, ownPrefix):
		h.own.ServeHTTP(e, r)
		return
	case isSpare:
		h.metrics.refused.Inc()
		e.refuse(&failure{http.StatusServiceUnavailable, "busy", "All of the proxy's connections are taken: come again.", time.Second})
		return
	}
	e.reading = reading
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	h.route(e)
}

// route finds the API that a request is for.
func (h *handler) route(e *exchange) {
	if alone := h.apis[""]; alone != nil {
		alone.forward(e, e.URL)
		return
	}
	name, rest, _ := strings.Cut(e.URL.EscapedPath()[1:], "/")
	f := h.apis[name]
	if f == nil {
		names := []string{}
		for name := range h.apis {
			names = append(names, "/"+name+"/")
		}
		slices.Sort(names)
		e.refuse(&failure{http.StatusNotFound, "unknown_api", "The proxy has no API here: paths begin with " + strings.Join(names, " or ") + ".", 0})
		return
	}
	e.api = name
	path, err := url.PathUnescape(rest)
	if err != nil { // net/url has unescaped it before
		path = rest
	}
	for i, reading := range e.reading {
		_, e.reading[i], _ = strings.Cut(strings.TrimPrefix(reading, "/"), "/")
	}
	f.forward(e, &url.URL{Path: "/" + path, RawPath: "/" + rest})
}

// finish ends an exchange, counts it and logs it.
func (h *handler) finish(e *exchange) {
	if e.body != nil && e.ProtoMajor == 1 && !e.body.complete.Load() {
		e.body.takeBack()
	}
	h.metrics.observe(e.Method, cmp.Or(e.status, http.StatusOK), time.Since(e.start))
	if h.config.AccessLog != nil {
		h.config.AccessLog.write(e)
	}
}

// ownPaths is for those who watch over the proxy.
func (p *Proxy) ownPaths() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthz", func(w http.ResponseWriter, _ *http.Request) {
		plainText(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /-/readyz", func(w http.ResponseWriter, _ *http.Request) {
		for _, t := range p.targets {
			if !t.source.Load().Status().Live {
				plainText(w, http.StatusServiceUnavailable, strings.TrimSpace("not signed in "+t.name)+"\n")
				return
			}
		}
		plainText(w, http.StatusOK, "signed in\n")
	})
	mux.Handle("GET /-/metrics", p.metrics.handler())
	mux.HandleFunc(ownPrefix, func(w http.ResponseWriter, r *http.Request) {
		w.(*exchange).refuse(&failure{http.StatusNotFound, "not_found", "Paths below /-/ are the proxy's own, and this is none of them: GET /-/healthz, /-/readyz or /-/metrics.", 0})
	})
	return mux
}

func plainText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text))
}
