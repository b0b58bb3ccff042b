package proxy

import (
	"cmp"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessionprom"
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
	*sessionprom.Collector
	recovered prometheus.Counter

	// nextAttempt is when the source may ask the session API again after a failure,
	// in Unix nanoseconds.
	nextAttempt atomic.Int64
}

// NewMetrics returns metrics that are all zero, for APIs of these names. Those of
// several have the name as the label "profile".
func NewMetrics(names ...string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), sessions: map[string]*sessionMetrics{}}
	for _, name := range names {
		labels := prometheus.Labels{}
		if name != "" {
			labels["profile"] = name
		}
		session := &sessionMetrics{Collector: sessionprom.New(labels)}
		m.registry.MustRegister(session)
		session.recovered = newCounter(prometheus.WrapRegistererWith(labels, m.registry),
			"recovered_total", "Requests answered with a 401 at first, which succeeded with a newer token.")
		m.sessions[name] = session
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

// Observe counts what happened to the session of the API of this name. It is to
// be the OnEvent of the API's sources. Without it the proxy's clients are not told
// when a source that has failed asks again.
func (m *Metrics) Observe(name string, e jwtsession.Event) {
	s := m.sessions[name]
	s.Observe(e)
	if e.Kind == jwtsession.EventSignInFailed || e.Kind == jwtsession.EventRefreshFailed {
		s.nextAttempt.Store(e.Time.Add(e.RetryIn).UnixNano())
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

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
