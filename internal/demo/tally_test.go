package demo

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

func TestAWaitCountsAgainstAClientUnlessASignInHadToBe(t *testing.T) {
	for _, c := range []struct {
		name       string
		start, end time.Duration
		counts     bool
	}{
		{"before the first session", 100 * ms, 300 * ms, false},
		{"right after it", 301 * ms, 501 * ms, true},
		{"with a live token, too short to be told from a stall", 5000 * ms, 5199 * ms, false},
		{"with a live token, just long enough", 5000 * ms, 5200 * ms, true},
		{"with a live token, while the machine stood still for most of it", 11000 * ms, 11500 * ms, false},
		{"with a live token, far longer than the machine stood still", 11000 * ms, 11501 * ms, true},
		{"across an expiry, short", 13990 * ms, 14010 * ms, true},
		{"between an expiry and the next session, short", 14050 * ms, 14055 * ms, true},
		{"there, too short to be one", 14050 * ms, 14054 * ms, false},
		{"over before the revocation", 19000 * ms, 19900 * ms, true},
		{"across the revocation", 19990 * ms, 20280 * ms, false},
		{"before the next session", 20100 * ms, 20300 * ms, false},
		{"after it", 20301 * ms, 20501 * ms, true},
		{"when the last one has expired", 28100 * ms, 28110 * ms, true},
	} {
		var tally tally
		tally.renewed(300*ms, 8000*ms)
		tally.renewed(6000*ms, 14000*ms)
		tally.renewed(14100*ms, 22000*ms)
		tally.revocation(20000 * ms)
		tally.renewed(20300*ms, 28000*ms)
		tally.stalled(span{10900 * ms, 11101 * ms})
		tally.stalled(span{11300 * ms, 11500 * ms})
		tally.add(outcome{start: c.start, end: c.end, wait: c.end - c.start}, "")
		if _, _, count := tally.waited(); (count == 1) != c.counts {
			t.Errorf("%s: got a count of %d, want counts=%v", c.name, count, c.counts)
		}
	}
}

func TestTheLongestWaitIsToldWithAndWithoutTheSignIns(t *testing.T) {
	var tally tally
	for start, wait := range map[time.Duration]time.Duration{100 * ms: 200 * ms, 5000 * ms: 70 * ms, 6000 * ms: 60 * ms, 10000 * ms: 300 * ms} {
		tally.add(outcome{start: start, end: start + wait, wait: wait}, "")
	}
	tally.renewed(300*ms, 20000*ms)
	tally.revocation(10000 * ms) // and no session since
	if longest, other, count := tally.waited(); longest != 300*ms || other != 70*ms || count != 0 {
		t.Errorf("got %v, %v and %d that count, want 300ms, 70ms and 0", longest, other, count)
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
		l := &load{chronicle: newChronicle(func(Event) {}), url: "http://localhost"}
		l.client = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			time.Sleep(70 * ms)
			if res, err := base.RoundTrip(req); err != nil || res.StatusCode != http.StatusUnauthorized {
				return res, err
			}
			time.Sleep(300 * ms)
			status = http.StatusOK
			return base.RoundTrip(req)
		})}
		l.request(context.Background())
		if got, _, _ := l.tally.waited(); got != 370*ms {
			t.Errorf("got a wait of %v, want 370ms", got)
		}
		if l.tally.recovered != 1 || l.tally.failed != 0 || l.tally.ended != 1 {
			t.Errorf("got %d recovered and %d failed of %d, want 1, 0, 1", l.tally.recovered, l.tally.failed, l.tally.ended)
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
		{"a busy machine, and all in order", Summary{Clients: []Result{change(func(r *Result) { r.LongestStall = time.Second })}, Finished: true}, ""},
		{"a busy machine", Summary{Clients: []Result{change(func(r *Result) { r.LongestStall, r.Failed = time.Second, 1 })}, Finished: true}, "stood still for up to 1000 ms"},
		{"two sign-ins without a revocation", Summary{Clients: []Result{change(func(r *Result) { r.revoked = false }), good}, Interrupted: true}, "2 sign-ins, and 1 would have done"},
	} {
		err := c.s.Verdict()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
