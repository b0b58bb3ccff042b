package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// value returns a metric that has no labels.
func value(t testing.TB, m *Metrics, name string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		metric := family.GetMetric()[0]
		return metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestTheProxySignsInAtItsStartAndSaysWhenItIsReady(t *testing.T) {
	a := newAPI(t, nil)
	a.box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Hang: true})
	p := a.running(t)
	await(t, a.box.Await(sessiontest.OpCreate, 1), "a sign-in without a request")
	if got := get(t, p, "/-/readyz"); got.status != 503 || got.text != "not signed in\n" {
		t.Errorf("while it signs in: got %d %q, want 503", got.status, got.text)
	}
	if got := get(t, p, "/-/healthz"); got.status != 200 {
		t.Errorf("/-/healthz while it signs in: got %d, want 200", got.status)
	}
	a.box.Heal()
	for deadline := time.Now().Add(patience); get(t, p, "/-/readyz").status != 200; {
		if time.Now().After(deadline) {
			t.Fatal("signed in, and not ready")
		}
	}
	a.expectNothingAsked(t, "readiness")
}

// Who waits for readiness sends no requests, so the proxy must come back by
// itself.
func TestTheProxySignsInAgainWithoutRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(time.Minute))
		defer box.Close()
		var asked atomic.Int32
		source := newSource(t, jwtsession.Config{
			BaseURL:    box.URL,
			HTTPClient: box.Client(),
			Credentials: jwtsession.CredentialsProviderFunc(func(context.Context) (jwtsession.Credentials, error) {
				asked.Add(1)
				return jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, nil
			}),
		})
		defer source.Close()
		p := &target{}
		p.source.Store(source)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			p.keepSignedIn(ctx)
			close(done)
		}()
		expect := func(what string, live bool) {
			t.Helper()
			synctest.Wait()
			if got := source.Status().Live; got != live {
				t.Errorf("%s: live is %v, want %v", what, got, live)
			}
		}
		time.Sleep(time.Second)
		expect("at the start", true)

		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 503})
		time.Sleep(3 * time.Minute)
		expect("after an outage that is longer than the token's life", false)
		box.Heal()
		time.Sleep(2 * time.Minute)
		expect("two minutes after the outage", true)

		// Refused credentials are not sent over and over, nor is the provider, which may
		// be a program, asked all the time.
		created, before := box.Counts().Creates, asked.Load()
		box.SetPassword(sessiontest.Email, "another")
		box.RevokeAll()
		source.Invalidate(token(t, source))
		time.Sleep(50 * time.Second)
		expect("with a password that has changed", false)
		if got, asks := box.Counts().Creates-created, asked.Load()-before; got != 1 || asks != 1 {
			t.Errorf("in 50 s the API got %d sign-ins with a wrong password, and the provider was asked %d times; want 1 and 1", got, asks)
		}
		cancel()
		<-done
	})
}

func token(t testing.TB, source *jwtsession.TokenSource) string {
	t.Helper()
	got, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	return got.AccessToken
}

func TestAStopWaitsForRequestsUnderWay(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-finish
		w.Write([]byte("finished"))
	})
	p := a.listening(t)
	stop, ended := serve(t, p)
	answered := make(chan answer, 1)
	go func() { answered <- get(t, p, "/slow") }()
	<-began
	stop()
	select {
	case err := <-ended:
		t.Fatalf("Serve returned %v while a request was under way, want it to wait", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(finish)
	if got := await(t, answered, "the answer"); got.status != 200 || got.text != "finished" {
		t.Errorf("got %d %q, want the whole answer", got.status, got.text)
	}
	await(t, ended, "the end of Serve")
	if _, err := http.DefaultTransport.RoundTrip(request(t, "GET", p.URL()+"/me", nil)); err == nil {
		t.Error("after the stop: got an answer, want none")
	}
}

func TestAStopCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	p := a.listening(t, func(c *Config) { c.Drain = 50 * time.Millisecond })
	stop, ended := serve(t, p)
	go http.DefaultTransport.RoundTrip(request(t, "GET", p.URL()+"/slow", nil))
	<-began
	stop()
	await(t, ended, "the end of Serve")
}

func TestAnotherSourceTakesOverWithoutAFailedRequest(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	get(t, p, "/me") // which the first source has signed in
	stop := make(chan struct{})
	var sent atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := get(t, p, "/me"); got.status != 200 {
				t.Errorf("got %d %s, want 200", got.status, got.text)
			}
			sent.Add(1)
		}
	}()
	for range 10 {
		before := sent.Load()
		source := newSource(t, jwtsession.Config{BaseURL: a.base})
		token(t, source)
		p.Replace("", source)
		for deadline := time.Now().Add(patience); sent.Load() < before+3 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	<-done
	if got := a.box.Counts().Creates; got != 11 || p.targets[0].source.Load() == a.source {
		t.Errorf("the API got %d sign-ins, want 11, one of each source", got)
	}
}

func TestTheMetricsTellWhatHappened(t *testing.T) {
	metrics := NewMetrics("")
	for _, e := range []jwtsession.Event{
		{Kind: jwtsession.EventSignedIn}, {Kind: jwtsession.EventRefreshed}, {Kind: jwtsession.EventRefreshed}, {Kind: jwtsession.EventRejected},
		{Kind: jwtsession.EventSignInFailed, Err: &jwtsession.APIError{Op: "create", StatusCode: 401}},
		{Kind: jwtsession.EventSignInFailed, Err: &jwtsession.APIError{Op: "create", StatusCode: 429}},
		{Kind: jwtsession.EventRefreshFailed, Err: &jwtsession.APIError{Op: "refresh", StatusCode: 401}},
		{Kind: jwtsession.EventRefreshFailed, Err: &jwtsession.APIError{Op: "refresh", StatusCode: 503}},
		{Kind: jwtsession.EventRefreshFailed, Err: context.DeadlineExceeded},
		{Kind: jwtsession.EventSignInFailed, Err: jwtsession.ErrMalformedToken},
	} {
		metrics.Observe("", e)
	}
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Metrics = metrics })
	get(t, p, "/me")
	do(t, request(t, "MADE-UP", p.URL()+"/me", nil))
	send(t, p, "GET /../x HTTP/1.1\nHost: HOST\n\n")
	got := get(t, p, "/-/metrics").text
	for _, want := range []string{
		"jwtsession_sign_ins_total 1\n", "jwtsession_refreshes_total 2\n", "jwtsession_rejections_total 1\n", "jwtsession_recovered_total 0\n",
		`jwtsession_failures_total{kind="credentials",operation="sign_in"} 1`,
		`jwtsession_failures_total{kind="throttled",operation="sign_in"} 1`,
		`jwtsession_failures_total{kind="answer",operation="sign_in"} 1`,
		`jwtsession_failures_total{kind="token",operation="refresh"} 1`,
		`jwtsession_failures_total{kind="server",operation="refresh"} 1`,
		`jwtsession_failures_total{kind="network",operation="refresh"} 1`,
		`jwtsession_failures_total{kind="network",operation="cache"} 0`,
		`jwtsession_proxy_request_duration_seconds_count{code="200",method="get"} 1`,
		`jwtsession_proxy_request_duration_seconds_count{code="200",method="unknown"} 1`,
		"jwtsession_proxy_refused_total 1\n", "jwtsession_proxy_requests_in_flight 0\n", "go_goroutines ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	if left := value(t, metrics, "jwtsession_expiry_seconds"); left < 800 || left > 900 {
		t.Errorf("got %v seconds to expiry, want up to 900", left)
	}
	a.source.Close()
	if left := value(t, metrics, "jwtsession_expiry_seconds"); left != 0 {
		t.Errorf("without a session: got %v seconds to expiry, want 0", left)
	}
	families, err := metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("got %v (%v), want metrics without a fault", problems, err)
	}
}
