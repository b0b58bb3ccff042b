package proxy

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jwtsession/jwtsession"
)

// Metrics are a proxy's counts, in a registry of their own. They are safe for
// concurrent use.
type Metrics struct {
	registry  *prometheus.Registry
	sessions  map[string]*sessionMetrics // by the names of the APIs
	refused   prometheus.Counter
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
}

// sessionMetrics are about one API's session.
type sessionMetrics struct {
	signIns   prometheus.Counter
	refreshes prometheus.Counter
	adopted   prometheus.Counter
	rejected  prometheus.Counter
	recovered prometheus.Counter
	failures  *prometheus.CounterVec
	status    atomic.Pointer[func() jwtsession.Status]

	// nextAttempt is when the source may ask the session API again after a failure,
	// in Unix nanoseconds.
	nextAttempt atomic.Int64
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

// NewMetrics returns metrics that are all zero, for APIs of these names. Those of
// several have the name as the label "profile".
func NewMetrics(names ...string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), sessions: map[string]*sessionMetrics{}}
	for _, name := range names {
		var registry prometheus.Registerer = m.registry
		if name != "" {
			registry = prometheus.WrapRegistererWith(prometheus.Labels{"profile": name}, registry)
		}
		m.sessions[name] = newSessionMetrics(registry)
	}
	m.refused = newCounter(m.registry, "proxy_refused_total", "Requests that the proxy refused for its safety.")
	m.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "jwtsession",
		Name:      "proxy_request_duration_seconds",
		Help:      "How long requests took, until the end of the answer. Code 499: the client went away.",
		Buckets:   prometheus.DefBuckets,
	}, []string{"code", "method"})
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "jwtsession",
		Name:      "proxy_requests_in_flight",
		Help:      "Requests through the proxy that are being answered.",
	})
	m.registry.MustRegister(m.durations, m.inFlight,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func newCounter(registry prometheus.Registerer, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "jwtsession", Name: name, Help: help})
	registry.MustRegister(c)
	return c
}

func newSessionMetrics(registry prometheus.Registerer) *sessionMetrics {
	m := &sessionMetrics{
		signIns:   newCounter(registry, "sign_ins_total", "Sign-ins that brought a session."),
		refreshes: newCounter(registry, "refreshes_total", "Refreshes that brought a session."),
		adopted:   newCounter(registry, "adopted_total", "Newer sessions taken over from the cache."),
		rejected:  newCounter(registry, "rejections_total", "Tokens that the API rejected before they expired."),
		recovered: newCounter(registry, "recovered_total", "Requests answered with a 401 at first, which succeeded with a newer token."),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "jwtsession",
			Name:      "failures_total",
			Help:      "Attempts that failed, by operation (sign_in, refresh, revoke, cache) and kind (credentials: refused; token: refused; throttled; server: its fault; answer: not usable; network).",
		}, []string{"operation", "kind"}),
	}
	for _, operation := range failedOperations {
		for _, kind := range failureKinds {
			m.failures.WithLabelValues(operation, kind)
		}
	}
	registry.MustRegister(m.failures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "jwtsession",
		Name:      "expiry_seconds",
		Help:      "Seconds until the session expires; 0 without a live session, +Inf if its expiry is not known.",
	}, m.left))
	return m
}

// watch makes the session's expiry that of a source.
func (m *sessionMetrics) watch(source func() *jwtsession.TokenSource) {
	status := func() jwtsession.Status { return source().Status() }
	m.status.Store(&status)
}

// left is how many seconds the session has.
func (m *sessionMetrics) left() float64 {
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

// Observe counts what happened to the session of the API of this name. It is to
// be the OnEvent of the API's sources. Without it the proxy's clients are not told
// when a source that has failed asks again.
func (m *Metrics) Observe(name string, e jwtsession.Event) {
	s := m.sessions[name]
	switch e.Kind {
	case jwtsession.EventSignedIn:
		s.signIns.Inc()
	case jwtsession.EventRefreshed:
		s.refreshes.Inc()
	case jwtsession.EventAdopted:
		s.adopted.Inc()
	case jwtsession.EventRejected:
		s.rejected.Inc()
	}
	if e.Kind == jwtsession.EventSignInFailed || e.Kind == jwtsession.EventRefreshFailed {
		s.nextAttempt.Store(e.Time.Add(e.RetryIn).UnixNano())
	}
	if operation, failed := failedOperations[e.Kind]; failed {
		s.failures.WithLabelValues(operation, failureKind(e.Err)).Inc()
	}
}

// untilAttempt is how long it is until the source may ask the session API again;
// not positive if that is over, or if nobody knows.
func (m *sessionMetrics) untilAttempt() time.Duration {
	return time.Until(time.Unix(0, m.nextAttempt.Load()))
}

// knownMethods are those with a label of their own: a client may make up any.
var knownMethods = map[string]string{
	http.MethodGet: "get", http.MethodHead: "head", http.MethodPost: "post", http.MethodPut: "put",
	http.MethodPatch: "patch", http.MethodDelete: "delete", http.MethodOptions: "options",
}

// observe counts a request that has been answered.
func (m *Metrics) observe(method string, status int, duration time.Duration) {
	m.durations.WithLabelValues(strconv.Itoa(status), cmp.Or(knownMethods[method], "unknown")).Observe(duration.Seconds())
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
