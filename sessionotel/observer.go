// Package sessionotel tells OpenTelemetry what happens to a session: a span for
// each session call, counters, and the requests that a newer token has saved.
//
//	telemetry, err := sessionotel.New(otel.GetTracerProvider(), otel.GetMeterProvider())
//	ts, err := jwtsession.New(jwtsession.Config{Credentials: …, OnEvent: telemetry.Observe})
//	client := &http.Client{Transport: telemetry.Transport(ts, nil)}
//
// Of the account, it has the domain of the e-mail address; no token, and no
// password.
package sessionotel

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/jwtsession/jwtsession"
)

const scope = "github.com/jwtsession/jwtsession/sessionotel"

// Observer makes telemetry of a token source's events. It is safe for concurrent
// use, and one may serve several sources.
type Observer struct {
	tracer    trace.Tracer
	events    metric.Int64Counter
	recovered metric.Int64Counter
}

// New returns an observer that tells these two.
func New(spans trace.TracerProvider, meters metric.MeterProvider) (*Observer, error) {
	version := jwtsession.Version
	meter := meters.Meter(scope, metric.WithInstrumentationVersion(version))
	events, err := meter.Int64Counter("jwtsession.events", metric.WithDescription("What happened to sessions, by event."), metric.WithUnit("{event}"))
	recovered, err2 := meter.Int64Counter("jwtsession.requests.recovered", metric.WithDescription("Requests answered with a 401 at first, which succeeded with a newer token."), metric.WithUnit("{request}"))
	return &Observer{
		tracer:    spans.Tracer(scope, trace.WithInstrumentationVersion(version)),
		events:    events,
		recovered: recovered,
	}, errors.Join(err, err2)
}

// calls are the events of a session call, with the name of its span.
var calls = map[jwtsession.EventKind]string{
	jwtsession.EventSignedIn:      "sign in",
	jwtsession.EventSignInFailed:  "sign in",
	jwtsession.EventRefreshed:     "refresh",
	jwtsession.EventRefreshFailed: "refresh",
	jwtsession.EventRevoked:       "revoke",
	jwtsession.EventRevokeFailed:  "revoke",
}

// Observe is to be, or to be called by, Config.OnEvent. It counts the event
// (jwtsession.events); that of a session call becomes a span as well. The span is
// a root: a call is made for all who wait, and for nobody's request.
func (o *Observer) Observe(e jwtsession.Event) {
	attributes := []attribute.KeyValue{attribute.String("jwtsession.event", string(e.Kind)), attribute.String("jwtsession.account", e.Account)}
	o.events.Add(context.Background(), 1, metric.WithAttributes(attributes...))
	name, isCall := calls[e.Kind]
	if !isCall {
		return
	}
	_, span := o.tracer.Start(context.Background(), name,
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(e.Time.Add(-e.Duration)), trace.WithAttributes(attributes...))
	span.SetAttributes(attribute.Int("jwtsession.attempt", e.Attempt))
	if e.Err != nil {
		span.SetStatus(codes.Error, e.Err.Error())
		var api *jwtsession.APIError
		if errors.As(e.Err, &api) {
			span.SetAttributes(attribute.Int("http.response.status_code", api.StatusCode))
		}
	}
	span.End(trace.WithTimestamp(e.Time))
}

// Transport returns a [jwtsession.Transport] of the source over base, of which nil
// stands for http.DefaultTransport, that counts the requests which a newer token
// has saved (jwtsession.requests.recovered). It allocates nothing.
func (o *Observer) Transport(source *jwtsession.TokenSource, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &countingTransport{source, base, o.recovered}
}

type countingTransport struct {
	source    *jwtsession.TokenSource
	base      http.RoundTripper
	recovered metric.Int64Counter
}

// sends makes the sends of one request.
type sends struct {
	jwtsession.Transport
	base     http.RoundTripper
	rejected bool // with a 401
}

var idle = sync.Pool{New: func() any { return new(sends) }}

func (t *countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	s := idle.Get().(*sends)
	defer func() {
		*s = sends{}
		idle.Put(s)
	}()
	s.base = t.base
	s.Transport = jwtsession.Transport{Source: t.source, Base: sender{s}}
	res, err := s.RoundTrip(req)
	if s.rejected && err == nil && res.StatusCode != http.StatusUnauthorized {
		t.recovered.Add(req.Context(), 1)
	}
	return res, err
}

// CloseIdleConnections closes those of the base.
func (t *countingTransport) CloseIdleConnections() {
	(&http.Client{Transport: t.base}).CloseIdleConnections()
}

type sender struct{ *sends }

func (s sender) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := s.base.RoundTrip(req)
	s.rejected = s.rejected || err == nil && res.StatusCode == http.StatusUnauthorized
	return res, err
}
