// Package sessionprom counts for Prometheus what happens to a session.
//
//	metrics := sessionprom.New(nil)
//	ts, err := jwtsession.New(jwtsession.Config{Credentials: …, OnEvent: metrics.Observe})
//	metrics.Watch(ts)
//	prometheus.MustRegister(metrics)
//
// Requests are no matter of it: it costs them nothing.
package sessionprom

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jwtsession/jwtsession"
)

// Collector is a [prometheus.Collector] of a token source's events and status. It
// is safe for concurrent use. Its metrics are those of jwtsession's proxy:
//
//	jwtsession_sign_ins_total    sign-ins that brought a session
//	jwtsession_refreshes_total   refreshes that brought a session
//	jwtsession_adopted_total     newer sessions taken over from the cache
//	jwtsession_rejections_total  tokens that the API rejected before they expired
//	jwtsession_failures_total    attempts that failed, by operation (sign_in, refresh,
//	                             revoke, cache) and kind (credentials, token, throttled,
//	                             server, answer, network)
//	jwtsession_expiry_seconds    seconds until the session expires: 0 without a live
//	                             one, +Inf if nobody knows
type Collector struct {
	counters map[jwtsession.EventKind]prometheus.Counter
	failures *prometheus.CounterVec
	expiry   prometheus.GaugeFunc
	source   atomic.Pointer[jwtsession.TokenSource]
}

// The labels of failures.
var (
	kinds      = []string{"credentials", "token", "throttled", "server", "answer", "network"}
	operations = map[jwtsession.EventKind]string{
		jwtsession.EventSignInFailed:  "sign_in",
		jwtsession.EventRefreshFailed: "refresh",
		jwtsession.EventRevokeFailed:  "revoke",
		jwtsession.EventCacheFailed:   "cache",
	}
)

// New returns a collector whose counts are zero. The labels, of which there may
// be none, tell the sources of one program apart.
func New(labels prometheus.Labels) *Collector {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "jwtsession", Name: name, Help: help, ConstLabels: labels})
	}
	c := &Collector{
		counters: map[jwtsession.EventKind]prometheus.Counter{
			jwtsession.EventSignedIn:  counter("sign_ins_total", "Sign-ins that brought a session."),
			jwtsession.EventRefreshed: counter("refreshes_total", "Refreshes that brought a session."),
			jwtsession.EventAdopted:   counter("adopted_total", "Newer sessions taken over from the cache."),
			jwtsession.EventRejected:  counter("rejections_total", "Tokens that the API rejected before they expired."),
		},
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "jwtsession", Name: "failures_total", ConstLabels: labels,
			Help: "Attempts that failed, by operation (sign_in, refresh, revoke, cache) and kind (credentials: refused; token: refused; throttled; server: its fault; answer: not usable; network).",
		}, []string{"operation", "kind"}),
	}
	for _, operation := range operations { // a rate needs the zero that it began at
		for _, kind := range kinds {
			c.failures.WithLabelValues(operation, kind)
		}
	}
	c.expiry = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "jwtsession", Name: "expiry_seconds", Help: "Seconds until the session expires; 0 without a live session, +Inf if its expiry is not known.", ConstLabels: labels,
	}, c.left)
	return c
}

// Observe counts an event: it is to be, or to be called by, Config.OnEvent.
func (c *Collector) Observe(e jwtsession.Event) {
	if counter := c.counters[e.Kind]; counter != nil {
		counter.Inc()
	}
	if operation := operations[e.Kind]; operation != "" {
		c.failures.WithLabelValues(operation, kindOf(e.Err)).Inc()
	}
}

// Watch has the expiry be that of this source's session. The collector keeps the
// source alive.
func (c *Collector) Watch(ts *jwtsession.TokenSource) { c.source.Store(ts) }

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, counter := range c.counters {
		counter.Describe(descriptions)
	}
	c.failures.Describe(descriptions)
	c.expiry.Describe(descriptions)
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	for _, counter := range c.counters {
		counter.Collect(metrics)
	}
	c.failures.Collect(metrics)
	c.expiry.Collect(metrics)
}

// left is how many seconds the session has.
func (c *Collector) left() float64 {
	ts := c.source.Load()
	if ts == nil {
		return 0
	}
	switch s := ts.Status(); {
	case !s.Live:
		return 0
	case s.ExpiresAt.IsZero():
		return math.Inf(1)
	default:
		return max(0, time.Until(s.ExpiresAt).Seconds())
	}
}

// kindOf sorts errors into few kinds, each with its own remedy.
func kindOf(err error) string {
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
	case api.StatusCode == 429:
		return "throttled"
	case api.StatusCode >= 500:
		return "server"
	}
	return "answer"
}
