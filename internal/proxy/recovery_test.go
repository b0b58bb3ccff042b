package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestARevocationCostsNoRequestWithASmallBody(t *testing.T) {
	a := newAPI(t, nil)
	metrics := NewMetrics("")
	p := a.running(t, func(c *Config) { c.Metrics = metrics })
	get(t, p, "/me")
	a.box.RevokeAll()
	content := bytes.Repeat([]byte("x"), largestKept)
	answer := do(t, request(t, "POST", p.URL()+"/runs", bytes.NewReader(content), "Expect: 100-continue"))
	got := a.got()
	if answer.status != 200 || len(got) != 3 {
		t.Fatalf("got %d after %d sends, want 200 after 3", answer.status, len(got))
	}
	for _, sent := range got[1:] {
		if sent.body != string(content) || sent.header.Get("Expect") != "" {
			t.Errorf("the API got a body of %d bytes and Expect %q, want the %d that were sent, each time, and none", len(sent.body), sent.header.Get("Expect"), len(content))
		}
	}
	if got := value(t, metrics, "jwtsession_recovered_total"); got != 1 {
		t.Errorf("got %v recovered requests, want 1", got)
	}
}

func TestA401ToABodyThatWasNotKeptGoesToTheClient(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{
		"too large":         bytes.NewReader(make([]byte, largestKept+1)),
		"of unknown length": io.MultiReader(strings.NewReader("x")),
	} {
		a := newAPI(t, nil)
		p := a.running(t)
		get(t, p, "/me")
		a.box.RevokeAll()
		if answer := do(t, request(t, "POST", p.URL()+"/runs", body)); answer.status != 401 || len(a.got()) != 2 {
			t.Errorf("%s: got %d after %d sends, want the API's 401 after 2", name, answer.status, len(a.got()))
		}
		if answer := get(t, p, "/me"); answer.status != 200 {
			t.Errorf("%s: then got %d, want 200 with a new token", name, answer.status)
		}
	}
}

func TestABodyThatEndsTooSoonIsNotSentOn(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	conn, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /runs HTTP/1.1\r\nHost: 127.0.0.1:"+p.port()+"\r\nContent-Length: 100\r\n\r\nhalf")
	conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	if !strings.Contains(string(answer), " 400 ") {
		t.Errorf("got %q, want a 400", answer)
	}
	a.expectNothingAsked(t, "half a body")
}

// A revocation while the session calls fail: who comes meanwhile waits and is
// served, or has the API's own answer; and the outage ends with it.
func TestAnOutageOfTheSessionAPIEndsWithIt(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	p := a.running(t)
	get(t, p, "/me")
	a.box.Inject(sessiontest.OpSession, 1, sessiontest.Fault{Status: 503})
	a.box.Inject(sessiontest.OpSession, 1, sessiontest.Fault{Drop: true})
	a.box.RevokeAll()
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
				answer := get(t, p, "/me")
				if answer.status == 200 {
					return
				}
				if answer.status != 401 || answer.body.Code != "unauthorized" || time.Now().After(deadline) {
					t.Errorf("got %d %s, want 200 in time, and until then nothing but the API's 401", answer.status, answer.text)
					return
				}
			}
		})
	}
	clients.Wait()
	if c := a.box.Counts(); c.Creates > 4 || c.Creates+c.Refreshes > 5 {
		t.Errorf("the API got %+v, want one sign-in at first, two calls that failed, one for all, and no more than a refresh beside", c)
	}
}

func TestAnAPIThatCannotBeReachedIsA502WithOneLine(t *testing.T) {
	a, p := away(t)
	answer := get(t, p, "/me")
	answer.expect(t, "the API is down", 502, "api_unreachable")
	if host := strings.TrimPrefix(a.URL, "http://"); !strings.Contains(answer.body.Error, host) || !strings.Contains(answer.body.Error, "refused") {
		t.Errorf("got %q, want a line that names %s and what went wrong", answer.body.Error, host)
	}
}

func TestAnAPIThatBreaksOffIsA502(t *testing.T) {
	a := newAPI(t, nil)
	a.box.Inject(sessiontest.OpResource, -1, sessiontest.Fault{Drop: true})
	get(t, a.running(t), "/me").expect(t, "a connection that broke off", 502, "api_unreachable")
}

func TestASignInThatFailsIsExplained(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		fault      sessiontest.Fault
		status     int
		kind, says string
	}{
		"refused":     {sessiontest.Fault{Status: 401}, 503, "sign_in_refused", "check the e-mail address and the password"},
		"throttled":   {sessiontest.Fault{Status: 429, RetryAfter: "90"}, 503, "sign_in_failed", "429"},
		"out of work": {sessiontest.Fault{Status: 503, RetryAfter: "90"}, 503, "sign_in_failed", "503"},
		"no session":  {sessiontest.Fault{Body: "<html>"}, 503, "sign_in_failed", "sign in"},
		"wrong base":  {sessiontest.Fault{Status: 404}, 503, "sign_in_failed", "check the base URL"},
	}
	for name, c := range cases {
		a := newAPI(t, nil)
		a.box.Inject(sessiontest.OpCreate, -1, c.fault)
		answer := get(t, a.running(t), "/me")
		answer.expect(t, name, c.status, c.kind)
		if !strings.Contains(answer.body.Error, c.says) || strings.HasPrefix(answer.body.Error, "jwtsession:") {
			t.Errorf("%s: got %q, want a line that says %q", name, answer.body.Error, c.says)
		}
		if c.fault.RetryAfter != "" && answer.header.Get("Retry-After") != c.fault.RetryAfter {
			t.Errorf("%s: got Retry-After %q, want %q", name, answer.header.Get("Retry-After"), c.fault.RetryAfter)
		}
		a.expectNothingAsked(t, name)
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{&carryError{"api.example.com", &net.DNSError{Err: "timeout", IsTimeout: true}}, 504, "api_timeout"},
		{&carryError{"api.example.com", io.ErrUnexpectedEOF}, 502, "api_unreachable"},
		{refused, 503, "sign_in_failed"}, // at the sign-in
		{context.DeadlineExceeded, 504, "sign_in_timeout"},
		{fmt.Errorf("sign in: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}), 504, "sign_in_timeout"},
		{&jwtsession.APIError{Op: "create", StatusCode: http.StatusGatewayTimeout}, 503, "sign_in_failed"}, // which has answered
		{&jwtsession.APIError{Op: "create", StatusCode: http.StatusRequestTimeout}, 503, "sign_in_failed"},
		{errors.New("the keyring is locked"), 503, "sign_in_failed"},
		{jwtsession.ErrClosed, 503, "stopping"},
		{jwtsession.ErrMalformedToken, 503, "sign_in_failed"},
		{&jwtsession.APIError{Op: "create", StatusCode: http.StatusForbidden}, 503, "sign_in_refused"},
	} {
		if got := describe("api.example.com", c.err); got.status != c.status || got.code != c.code {
			t.Errorf("%v: got %d %s, want %d %s", c.err, got.status, got.code, c.status, c.code)
		}
	}
}

// In an outage the source asks at growing intervals: who comes before is told the
// same again.
func TestAClientIsToldWhenTheSessionAPIIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    sessiontest.Fault
		interval time.Duration // that the source has to have come to
		longest  time.Duration // that a client is told
	}{
		"an outage":                    {sessiontest.Fault{Status: 503}, 10 * time.Second, time.Hour},
		"an outage that says how long": {sessiontest.Fault{Status: 503, RetryAfter: "600"}, 10 * time.Minute, time.Hour},
		"a refusal":                    {sessiontest.Fault{Status: 401}, time.Minute, time.Minute},
		"a refusal that says how long": {sessiontest.Fault{Status: 401, RetryAfter: "600"}, 10 * time.Minute, time.Minute},
	} {
		if c.fault.RetryAfter == "" && c.fault.Status == 503 && !longtest.IsOn(t) {
			continue // it takes the source half a minute to come to such an interval
		}
		a := newAPI(t, nil)
		metrics := NewMetrics("")
		events := make(chan jwtsession.Event, 100)
		a.source = newSource(t, jwtsession.Config{BaseURL: a.base, Timeout: time.Second, OnEvent: func(e jwtsession.Event) {
			metrics.Observe("", e)
			events <- e
		}})
		a.box.Inject(sessiontest.OpCreate, -1, c.fault)
		p := a.running(t, func(config *Config) { config.Metrics = metrics })
		last := <-events
		for last.RetryIn < c.interval {
			get(t, p, "/me")
			last = <-events
		}
		seconds, err := strconv.Atoi(get(t, p, "/me").header.Get("Retry-After"))
		want := min(time.Until(last.Time.Add(last.RetryIn)), c.longest)
		if got := time.Duration(seconds) * time.Second; err != nil || got < want || got > want+5*time.Second {
			t.Errorf("%s: got Retry-After %d and error %v, want what is left until the next attempt, %v", name, seconds, err, want)
		}
	}
}
