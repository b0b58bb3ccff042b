package main

import (
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
	if _, err := exec.LookPath("wrk"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("wrk is not installed: the proxy was not put under load")
		}
		t.Skip("wrk is not installed: the proxy was not put under load")
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
