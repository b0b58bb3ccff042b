package proxy

import (
	"errors"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jwtsession/jwtsession"
)

// Metrics are a proxy's counts, in a registry of their own. [Metrics.Observe] is
// to be the OnEvent of the sources.
type Metrics struct {
	registry  *prometheus.Registry
	signIns   prometheus.Counter
	refreshes prometheus.Counter
	adopted   prometheus.Counter
	rejected  prometheus.Counter
	recovered prometheus.Counter
	refused   prometheus.Counter
	failures  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	status    atomic.Pointer[func() jwtsession.Status]
}

// The labels of failures.
var (
	failedOperations = map[jwtsession.EventKind]string{
		jwtsession.EventSignInFailed:  "sign_in",
		jwtsession.EventRefreshFailed: "refresh",
		jwtsession.EventRevokeFailed:  "revoke",
		jwtsession.EventCacheFailed:   "cache",
	}
	failureKinds = []string{"credentials", "token", "throttled", "server", "answer", "network"}
)

// NewMetrics returns metrics that are all zero.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "jwtsession", Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	m.signIns = counter("sign_ins_total", "Sign-ins that brought a session.")
	m.refreshes = counter("refreshes_total", "Refreshes that brought a session.")
	m.adopted = counter("adopted_total", "Newer sessions taken over from the cache.")
	m.rejected = counter("rejections_total", "Tokens that the API rejected before they expired.")
	m.recovered = counter("recovered_total", "Requests answered with a 401 at first, which succeeded with a newer token.")
	m.refused = counter("proxy_refused_total", "Requests that the proxy refused for its safety.")
	m.failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "jwtsession",
		Name:      "failures_total",
		Help:      "Attempts that failed, by operation (sign_in, refresh, revoke, cache) and kind (credentials: refused; token: refused; throttled; server: its fault; answer: not usable; network).",
	}, []string{"operation", "kind"})
	for _, operation := range failedOperations {
		for _, kind := range failureKinds {
			m.failures.WithLabelValues(operation, kind)
		}
	}
	m.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "jwtsession",
		Name:      "proxy_request_duration_seconds",
		Help:      "How long requests through the proxy took, until the end of the answer. Code 499: the client went away.",
		Buckets:   prometheus.DefBuckets,
	}, []string{"code", "method"})
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "jwtsession",
		Name:      "proxy_requests_in_flight",
		Help:      "Requests through the proxy that are being answered.",
	})
	m.registry.MustRegister(m.failures, m.durations, m.inFlight,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "jwtsession",
			Name:      "expiry_seconds",
			Help:      "Seconds until the session expires; 0 without a live session, +Inf if its expiry is not known.",
		}, m.left),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// watch makes the session's expiry that of a source.
func (m *Metrics) watch(source func() *jwtsession.TokenSource) {
	status := func() jwtsession.Status { return source().Status() }
	m.status.Store(&status)
}

// left is how many seconds the session has.
func (m *Metrics) left() float64 {
	status := m.status.Load()
	if status == nil {
		return 0
	}
	switch s := (*status)(); {
	case !s.Live:
		return 0
	case s.ExpiresAt.IsZero():
		return math.Inf(1)
	default:
		return max(0, time.Until(s.ExpiresAt).Seconds())
	}
}

// Observe counts what happened to a session.
func (m *Metrics) Observe(e jwtsession.Event) {
	switch e.Kind {
	case jwtsession.EventSignedIn:
		m.signIns.Inc()
	case jwtsession.EventRefreshed:
		m.refreshes.Inc()
	case jwtsession.EventAdopted:
		m.adopted.Inc()
	case jwtsession.EventRejected:
		m.rejected.Inc()
	}
	if operation, failed := failedOperations[e.Kind]; failed {
		m.failures.WithLabelValues(operation, failureKind(e.Err)).Inc()
	}
}

// failureKind sorts errors into few kinds, each with its own remedy.
func failureKind(err error) string {
	var api *jwtsession.APIError
	switch {
	case errors.Is(err, jwtsession.ErrInvalidCredentials):
		return "credentials"
	case errors.Is(err, jwtsession.ErrUnauthorized):
		return "token"
	case errors.Is(err, jwtsession.ErrMalformedToken):
		return "answer"
	case !errors.As(err, &api):
		return "network"
	case api.StatusCode == http.StatusTooManyRequests:
		return "throttled"
	case api.StatusCode >= 500:
		return "server"
	}
	return "answer"
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
