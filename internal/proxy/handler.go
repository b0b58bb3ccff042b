package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ownPrefix begins the paths that the proxy answers itself.
const ownPrefix = "/-/"

// handler answers all requests: its own paths itself, and the others from the
// API.
func (p *Proxy) handler(hosts []string) (http.Handler, error) {
	guard, err := newGuard(p.config, hosts)
	if err != nil {
		return nil, err
	}
	base, err := parseBase(p.config.BaseURL)
	if err != nil {
		return nil, err
	}
	metrics := p.config.Metrics
	if metrics == nil {
		metrics = NewMetrics()
	}
	metrics.watch(p.Source)
	own := p.ownPaths(metrics)
	forward := promhttp.InstrumentHandlerInFlight(metrics.inFlight,
		promhttp.InstrumentHandlerDuration(metrics.durations, p.forward(base, metrics)))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := guard.judge(r); refused != nil {
			metrics.refused.Inc()
			refused.write(w)
			return
		}
		if strings.HasPrefix(r.URL.Path, ownPrefix) {
			own.ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}), nil
}

// ownPaths is for those who watch over the proxy.
func (p *Proxy) ownPaths(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /-/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !p.Source().Status().Live {
			plain(w, http.StatusServiceUnavailable, "not signed in\n")
			return
		}
		plain(w, http.StatusOK, "signed in\n")
	})
	mux.Handle("GET /-/metrics", metrics.handler())
	mux.HandleFunc(ownPrefix, func(w http.ResponseWriter, r *http.Request) {
		failure{http.StatusNotFound, "not_found", "Paths below /-/ are the proxy's own, and this is none of them: GET /-/healthz, /-/readyz or /-/metrics."}.write(w)
	})
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text))
}

// forward passes requests on to the API.
func (p *Proxy) forward(base *url.URL, metrics *Metrics) http.Handler {
	transport := p.config.Transport
	if transport == nil {
		transport = NewTransport()
	}
	reverse := &httputil.ReverseProxy{
		Transport: &upstream{source: p.Source, base: transport, recovered: metrics.recovered},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			// ReverseProxy leaves out what it cannot parse. The proxy decides nothing
			// by the query, so that it can pass as it came.
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.URL.User = nil
			r.Out.Header.Del(SecretHeader)
			if !p.config.KeepAuthorization {
				r.Out.Header.Del("Authorization")
			}
			if !p.config.KeepCookies {
				r.Out.Header.Del("Cookie")
			}
		},
		ModifyResponse: func(res *http.Response) error {
			if !p.config.KeepCookies {
				res.Header.Del("Set-Cookie")
			}
			keepInside(res.Header, base)
			return nil
		},
		ErrorHandler:  explain,
		FlushInterval: -1, // each part of an answer passes as it comes
		BufferPool:    &buffers{},
		ErrorLog:      p.server.ErrorLog,
	}
	bodies := newBodies()
	sessionPath := path.Join("/", base.Path, "session")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Join("/", base.Path, r.URL.Path) == sessionPath {
			failure{http.StatusForbidden, "session", "The proxy looks after the session itself, which all its clients share: leave out signing in and out; every request is signed in."}.write(w)
			return
		}
		// No switch of protocols: what is spoken after one would pass unseen.
		r.Header.Del("Upgrade")
		kept, release, err := bodies.keep(r)
		if err != nil {
			failure{http.StatusBadRequest, "bad_request", "The request's body ended before its Content-Length."}.write(w)
			return
		}
		defer release()
		if kept == r && r.ContentLength != 0 {
			// HTTP/1 else has the whole body before it lets the answer begin. Where this
			// is not possible, as in HTTP/2, it is not needed.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		reverse.ServeHTTP(w, kept)
	})
}

// keepInside turns a redirect to somewhere in the API into one through the
// proxy, which alone is signed in.
func keepInside(header http.Header, base *url.URL) {
	location := header.Get("Location")
	if location == "" {
		return
	}
	target, err := url.Parse(location)
	if err != nil || target.Host != "" && (!strings.EqualFold(target.Host, base.Host) || target.Scheme != "" && target.Scheme != base.Scheme) {
		return
	}
	root := strings.TrimRight(base.EscapedPath(), "/")
	inside, found := strings.CutPrefix(target.EscapedPath(), root)
	if !found || !strings.HasPrefix(inside, "/") && inside != "" || strings.HasPrefix(inside, "//") {
		return
	}
	if inside == "" {
		inside = "/"
	}
	if target.RawQuery != "" || target.ForceQuery {
		inside += "?" + target.RawQuery
	}
	if target.Fragment != "" {
		inside += "#" + target.EscapedFragment()
	}
	header.Set("Location", inside)
}

// buffers are what bodies are copied through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
