package sessionprom

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// watched is the address of the metrics of a source that has met a 503 at its
// first attempt.
func watched(t *testing.T) string {
	t.Helper()
	box := sessiontest.NewServer()
	t.Cleanup(box.Close)
	metrics := New(prometheus.Labels{"api": "notes"})
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
		OnEvent:     metrics.Observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ts.Close() })
	metrics.Watch(ts)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	if text := scrape(t, server.URL); !strings.Contains(text, `jwtsession_sign_ins_total{api="notes"} 0`) || !strings.Contains(text, `jwtsession_expiry_seconds{api="notes"} 0`) {
		t.Errorf("before the sign-in: got\n%s", text)
	}
	box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Status: http.StatusServiceUnavailable})
	if _, err := ts.Token(); err != nil {
		t.Fatal(err)
	}
	return server.URL
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %d and error %v", res.StatusCode, err)
	}
	return string(text)
}

func TestWhatHappensToASessionIsCounted(t *testing.T) {
	url := watched(t)
	for _, want := range []string{
		`jwtsession_sign_ins_total{api="notes"} 1`,
		`jwtsession_refreshes_total{api="notes"} 0`,
		`jwtsession_failures_total{api="notes",kind="server",operation="sign_in"} 1`,
		`jwtsession_expiry_seconds{api="notes"} 89`,
	} {
		for begin := time.Now(); !strings.Contains(scrape(t, url), want); time.Sleep(10 * time.Millisecond) {
			if time.Since(begin) > 10*time.Second { // events come on a goroutine of their own
				t.Fatalf("got\n%s\nwant %s in it", scrape(t, url), want)
			}
		}
	}
}

func TestEachFailureHasTheKindThatHasItsRemedy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&jwtsession.APIError{Op: "create", StatusCode: 401}, "credentials"},
		{&jwtsession.APIError{Op: "refresh", StatusCode: 401}, "token"},
		{&jwtsession.APIError{Op: "refresh", StatusCode: 429}, "throttled"},
		{&jwtsession.APIError{Op: "refresh", StatusCode: 502}, "server"},
		{&jwtsession.APIError{Op: "create", StatusCode: 404}, "answer"},
		{jwtsession.ErrMalformedToken, "answer"},
		{errors.New("no route"), "network"},
	} {
		if got := kindOf(c.err); got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

// A real Prometheus takes them.
func TestPrometheusScrapesTheMetrics(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("prometheus is not installed: nothing was scraped")
		}
		t.Skip("prometheus is not installed: nothing was scraped")
	}
	url := watched(t)
	directory := t.TempDir()
	configuration := "scrape_configs:\n- job_name: test\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\n  metrics_path: /\n  static_configs: [{targets: ['" + strings.TrimPrefix(url, "http://") + "']}]\n"
	if err := os.WriteFile(filepath.Join(directory, "prometheus.yml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(nil)
	address := listener.Listener.Addr().String()
	listener.Close()
	var output strings.Builder
	cmd := exec.Command(program, "--config.file="+filepath.Join(directory, "prometheus.yml"), "--storage.tsdb.path="+directory, "--web.listen-address="+address)
	cmd.Stderr = &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	}()
	const want = `"api":"notes"`
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		res, err := http.Get("http://" + address + "/api/v1/query?query=jwtsession_sign_ins_total%3D%3D1")
		if err == nil {
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if strings.Contains(string(text), want) {
				return
			}
		}
		if time.Since(begin) > 60*time.Second {
			t.Fatalf("Prometheus does not have it: %v", err)
		}
	}
}
