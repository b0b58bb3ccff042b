package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
)

func TestMain(m *testing.M) {
	playRole()
	os.Exit(m.Run())
}

// The long run is for a quiet machine, and for people to judge by its figures.
func TestUnderLoadNoRequestFailsAndNothingGrows(t *testing.T) {
	longtest.Run(t) // its bounds are those of a machine with nothing else to do
	for _, program := range []string{"wrk", "nginx"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed: the proxy was not put under load", program)
			}
			t.Skipf("%s is not installed: the proxy was not put under load", program)
		}
	}
	r, err := load{connections: 64, duration: 4 * time.Second, turn: 2 * time.Second}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	if err := r.verdict(); err != nil {
		t.Error(err)
	}
}

func TestAComparisonWithoutNginxIsAnError(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if url, err := (&stage{directory: t.TempDir()}).startNginx(t.Context(), "http://127.0.0.1:1"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got nginx at %q (%v), want an error: it is not installed", url, err)
	}
}

func TestAProxyThatGrowsIsNotedWhateverTheCollectorDoes(t *testing.T) {
	const mib = 1 << 20
	leaking, collecting, flooded := make([]resources, 120), make([]resources, 120), make([]resources, 120)
	for i := range leaking {
		at, busy := float64(i), float64(i%3)
		leaking[i] = resources{goroutines: 600, resident: 40 * mib, goal: (24 + at/8) * mib}
		collecting[i] = resources{goroutines: 600 + 20*busy, resident: (38 + 5*busy) * mib, goal: (22 + 3*busy) * mib}
		flooded[i] = resources{goroutines: 600 + 4*at, resident: 40 * mib, goal: 24 * mib}
	}
	for name, c := range map[string]struct {
		used []resources
		want bool
	}{"a leak": {leaking, true}, "goroutines that stay": {flooded, true}, "a collector at work": {collecting, false}} {
		if err := grown(begin(c.used), ending(c.used)); (err != nil) != c.want {
			t.Errorf("%s: got %v, want an error: %v", name, err, c.want)
		}
	}
}

func TestMetricsThatAreMissingAreAnError(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "go_goroutines 7\ngo_memstats_next_gc_bytes 1e+06\n")
	}))
	defer proxy.Close()
	if got, err := readResources(t.Context(), proxy.URL); err == nil {
		t.Errorf("got %+v, want an error: most are missing", got)
	}
}

func TestWhatWrkSaysOfFailuresIsCounted(t *testing.T) {
	const output = `Running 3s test @ http://127.0.0.1:1/me
  Latency Distribution
     50%    8.31ms
     99%    1.25s
  1234 requests in 3.00s, 1.00MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:    411.33
`
	got, err := parseWrk(output)
	want := turn{requests: 1234, failed: 15, rate: 411.33, p50: 8310 * time.Microsecond, p99: 1250 * time.Millisecond}
	if got != want || err != nil {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("got no error for an output without figures")
	}
}
