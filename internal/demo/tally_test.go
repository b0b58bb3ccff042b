package demo

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

const ms = time.Millisecond

func TestAWaitCountsAgainstAClientUnlessASignInHadToBe(t *testing.T) {
	for _, c := range []struct {
		name       string
		start, end time.Duration
		wait       time.Duration
		counts     bool
	}{
		{"before the first session", 100 * ms, 300 * ms, 200 * ms, false},
		{"after it", 301 * ms, 501 * ms, 200 * ms, true},
		{"in the middle of the run", 5000 * ms, 5200 * ms, 200 * ms, true},
		{"too short to be told from the machine's own", 5000 * ms, 5049 * ms, 49 * ms, false},
		{"just long enough", 5000 * ms, 5050 * ms, 50 * ms, true},
		{"over before the revocation", 9000 * ms, 9900 * ms, 900 * ms, true},
		{"across the revocation", 9990 * ms, 10300 * ms, 290 * ms, false},
		{"before the next session", 10100 * ms, 10300 * ms, 200 * ms, false},
		{"after the next session", 10301 * ms, 10501 * ms, 200 * ms, true},
	} {
		var tally tally
		tally.renewed(300*ms, 8000*ms)
		tally.renewed(6000*ms, 14000*ms) // a refresh changes nothing
		tally.revocation(10000 * ms)
		tally.renewed(10300*ms, 18000*ms)
		tally.renewed(15000*ms, 23000*ms)
		tally.add(outcome{start: c.start, end: c.end, wait: c.wait}, "")
		if got := tally.otherWaits == 1; got != c.counts {
			t.Errorf("%s: got counts=%v, want %v", c.name, got, c.counts)
		}
		if got := max(tally.wait, tally.otherWait); got != c.wait {
			t.Errorf("%s: got a longest wait of %v, want %v", c.name, got, c.wait)
		}
	}
}

func TestAWaitBeforeTheSignInHasLandedDoesNotCountEither(t *testing.T) {
	var tally tally
	tally.add(outcome{start: 100 * ms, end: 400 * ms, wait: 300 * ms}, "")
	tally.renewed(300*ms, 8000*ms)
	tally.revocation(10000 * ms)
	tally.add(outcome{start: 9999 * ms, end: 10400 * ms, wait: 400 * ms}, "")
	if tally.otherWaits != 0 || tally.wait != 400*ms {
		t.Errorf("got %d waits and a longest one of %v, want 0 and 400ms", tally.otherWaits, tally.wait)
	}
}

func TestAStreakOfFailuresIsToldAtItsBeginningAndAtItsEnd(t *testing.T) {
	var tally tally
	var told []string
	for _, failure := range []string{"", "503", "503", "401", "", "", "401"} {
		if text := tally.add(outcome{failed: failure != ""}, failure); text != "" {
			told = append(told, text)
		}
	}
	want := "a request failed: 503\nrequests succeed again; 3 failed in a row\na request failed: 401"
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if tally.ended != 7 || tally.failed != 4 {
		t.Errorf("got %d requests and %d failed, want 7 and 4", tally.ended, tally.failed)
	}
}

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A transport that gets a token in 70 ms, meets a 401, and gets another one in
// 300 ms, while each send takes 1 s.
func TestWhatARequestWaitedIsItsTimeLessThatOfItsSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusUnauthorized
		base := timed{roundTripper(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
		})}
		d := &Demo{onEvent: func(Event) {}, start: time.Now()}
		c := &contender{demo: d, box: &sessiontest.Server{URL: "http://localhost"}}
		c.client = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			time.Sleep(70 * ms)
			if res, err := base.RoundTrip(req); err != nil || res.StatusCode != http.StatusUnauthorized {
				return res, err
			}
			time.Sleep(300 * ms)
			status = http.StatusOK
			return base.RoundTrip(req)
		})}
		c.request(context.Background())
		if got, want := c.tally.wait, 370*ms; got != want {
			t.Errorf("got a wait of %v, want %v", got, want)
		}
		if c.tally.recovered != 1 || c.tally.failed != 0 || c.tally.ended != 1 {
			t.Errorf("got %d recovered and %d failed of %d, want 1, 0, 1", c.tally.recovered, c.tally.failed, c.tally.ended)
		}
	})
}

func TestTheVerdictIsAboutTheLibrarysClientAlone(t *testing.T) {
	good := Result{Requests: 5000, SignIns: 2, Refreshes: 3, OtherWait: 49 * ms, LongestWait: 303 * ms, revoked: true}
	bad := Result{Requests: 5000, Failed: 1000, SignIns: 9, OtherWaits: 100, OtherWait: time.Second, revoked: true}
	change := func(f func(*Result)) Result {
		r := good
		f(&r)
		return r
	}
	for _, c := range []struct {
		name string
		s    Summary
		want string // of the error; empty: none
	}{
		{"all in order", Summary{Clients: []Result{good, bad}, Finished: true}, ""},
		{"interrupted", Summary{Clients: []Result{good, bad}, Interrupted: true}, ""},
		{"not finished", Summary{Clients: []Result{good, bad}}, "the time was over"},
		{"a failed request", Summary{Clients: []Result{change(func(r *Result) { r.Failed = 1 }), good}, Finished: true}, "1 of 5000 requests failed"},
		{"a failed request before an interruption", Summary{Clients: []Result{bad}, Interrupted: true}, "requests failed"},
		{"a wait", Summary{Clients: []Result{change(func(r *Result) { r.OtherWaits, r.OtherWait = 2, 90*ms }), good}, Finished: true}, "2 requests waited for a token, up to 90 ms"},
		{"a sign-in too many", Summary{Clients: []Result{change(func(r *Result) { r.SignIns = 3 }), good}, Finished: true}, "3 sign-ins, and 2 would have done"},
		{"two sign-ins without a revocation", Summary{Clients: []Result{change(func(r *Result) { r.revoked = false }), good}, Interrupted: true}, "2 sign-ins, and 1 would have done"},
	} {
		err := c.s.Verdict()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
