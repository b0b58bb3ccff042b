package sessionotel

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestEachSessionCallIsASpanAndARecovered401IsCounted(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	exported := tracetest.NewInMemoryExporter()
	reader := sdkmetric.NewManualReader()
	o, err := New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exported)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
		OnEvent:     o.Observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Status: http.StatusServiceUnavailable})
	client := &http.Client{Transport: o.Transport(ts, nil)}
	get := func() {
		t.Helper()
		res, err := client.Get(box.URL + "/me")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("got %s, want 200", res.Status)
		}
	}
	get()
	box.RevokeAll()
	get()
	get()
	token, _ := ts.Token()
	ts.Close() // which waits for the events

	spans := exported.GetSpans()
	if len(spans) < 3 {
		t.Fatalf("got %d spans, want one for each session call", len(spans))
	}
	for i, want := range []struct {
		name string
		code codes.Code
	}{{"sign in", codes.Error}, {"sign in", codes.Unset}} {
		if s := spans[i]; s.Name != want.name || s.Status.Code != want.code || s.Parent.IsValid() || s.EndTime.Before(s.StartTime) {
			t.Errorf("span %d: got %q with %v from %v to %v, want %q with %v, and no parent", i, s.Name, s.Status, s.StartTime, s.EndTime, want.name, want.code)
		}
	}
	text := fmt.Sprint(spans)
	for _, want := range []string{"jwtsession.account", "example.com", "jwtsession.attempt", "http.response.status_code"} {
		if !strings.Contains(text, want) {
			t.Errorf("the spans have no %s: %s", want, text)
		}
	}
	for _, secret := range []string{sessiontest.Password, sessiontest.Email, token.AccessToken} {
		if strings.Contains(text, secret) {
			t.Errorf("the spans have a secret in them: %s", text)
		}
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				counts[m.Name] += point.Value
			}
		}
	}
	if counts["jwtsession.requests.recovered"] != 1 || counts["jwtsession.events"] < 4 {
		t.Errorf("got the counts %v, want one request recovered, and all events", counts)
	}
}

// answered is a transport that always has the same answer.
type answered struct{ *http.Response }

func (a answered) RoundTrip(*http.Request) (*http.Response, error) { return a.Response, nil }

// transports are of one source: the library's own, and one that counts.
func transports(t testing.TB) (plain, counted http.RoundTripper, req *http.Request) {
	t.Helper()
	box := sessiontest.NewServer()
	t.Cleanup(box.Close)
	o, err := New(sdktrace.NewTracerProvider(), sdkmetric.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
		OnEvent:     o.Observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ts.Close() })
	if _, err := ts.Token(); err != nil {
		t.Fatal(err)
	}
	base := answered{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	if req, err = http.NewRequest(http.MethodGet, box.URL+"/me", nil); err != nil {
		t.Fatal(err)
	}
	return &jwtsession.Transport{Source: ts, Base: base}, o.Transport(ts, base), req
}

func TestCountingRecoveriesAllocatesNothing(t *testing.T) {
	plain, counted, req := transports(t)
	allocations := func(transport http.RoundTripper) float64 {
		return testing.AllocsPerRun(1000, func() { transport.RoundTrip(req) })
	}
	if got, want := allocations(counted), allocations(plain); got > want {
		t.Errorf("got %v allocations a request, want %v as without it", got, want)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	plain, counted, req := transports(b)
	for name, transport := range map[string]http.RoundTripper{"alone": plain, "counted": counted} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				transport.RoundTrip(req)
			}
		})
	}
}
