package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// K2: what an answer may be in place of the call's own.
func TestAFaultTakesThePlaceOfTheAnswer(t *testing.T) {
	box := NewServer()
	defer box.Close()
	for _, c := range []struct {
		fault  Fault
		status int
		text   string
		header map[string]string
	}{
		{Fault{Status: 503}, 503, `"error":"Service Unavailable"`, map[string]string{"Content-Type": "application/json", "Retry-After": ""}},
		{Fault{Status: 429, RetryAfter: "7"}, 429, `"status":429`, map[string]string{"Retry-After": "7"}},
		{Fault{Status: 502, Body: "<html>", ContentType: "text/html"}, 502, "<html>", map[string]string{"Content-Type": "text/html"}},
		{Fault{Status: 504, ContentType: "text/plain"}, 504, "", map[string]string{"Content-Type": "text/plain", "Content-Length": "0"}},
		{Fault{Body: "garbage"}, 200, "garbage", map[string]string{"Content-Type": "application/json"}},
		{Fault{Status: 204}, 204, "", nil},
		{Fault{Header: http.Header{"X-Extra": {"1"}}}, 200, "jwtToken", map[string]string{"X-Extra": "1"}},
		{Fault{RetryAfter: "soon"}, 200, "jwtToken", map[string]string{"Retry-After": "soon"}},
		{Fault{}, 200, "jwtToken", nil},
	} {
		box.Inject(OpCreate, 1, c.fault)
		got := call(t, box, "POST", "/session", credentials(Email, Password), nil)
		if got.status != c.status || !strings.Contains(got.text, c.text) || c.text == "" && got.text != "" {
			t.Errorf("%+v: got %d with %q, want %d with %q", c.fault, got.status, got.text, c.status, c.text)
		}
		for name, want := range c.header {
			if got := got.header.Get(name); got != want {
				t.Errorf("%+v: %s is %q, want %q", c.fault, name, got, want)
			}
		}
		if got := call(t, box, "POST", "/session", credentials(Email, Password), nil); got.status != 200 {
			t.Errorf("%+v: the call after it got %d, want 200", c.fault, got.status)
		}
	}
}

// K2: over a socket and in memory.
func TestAConnectionMayBreakBeforeOrWithinAnAnswer(t *testing.T) {
	for name, opts := range map[string][]Option{"TCP": nil, "TLS": {WithTLS()}, "memory": {InMemory()}} {
		box := NewServer(opts...)
		box.Inject(OpCreate, 1, Fault{Drop: true})
		if got, err := send(t, box, "POST", "/session", credentials(Email, Password), nil); err == nil || got.status != 0 {
			t.Errorf("%s, dropped: got %d and %v, want an error and no answer", name, got.status, err)
		}
		if got := box.Counts(); got.Creates != 1 || got.Created != 0 {
			t.Errorf("%s, dropped: the counts are %+v, want a call and no success", name, got)
		}
		box.Inject(OpCreate, 1, Fault{Truncate: true})
		got, err := send(t, box, "POST", "/session", credentials(Email, Password), nil)
		if err == nil || got.status != 200 || got.text == "" || strings.HasSuffix(got.text, "}") {
			t.Errorf("%s, truncated: got %d with %q and %v, want the first half and an error", name, got.status, got.text, err)
		}
		box.Close()
	}
}

// K2
func TestAHungCallIsLetGoByItsCallerHealOrClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := NewServer(InMemory())
		defer box.Close()
		box.Inject(OpCreate, -1, Fault{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "POST", box.URL+"/session", strings.NewReader(credentials(Email, Password)))
		start := time.Now()
		if _, err := box.Client().Do(req); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("the caller: got %v after %v, want its own deadline after an hour", err, time.Since(start))
		}
		answers := make(chan string, 2)
		hang := func() {
			got, err := send(t, box, "POST", "/session", credentials(Email, Password), nil)
			answers <- fmt.Sprint(got.status, " ", err != nil)
		}
		go hang()
		synctest.Wait()
		box.Heal(OpCreate)
		if got := <-answers; got != "200 false" {
			t.Errorf("Heal: the hung call got %s, want its answer", got)
		}
		box.Inject(OpSession, -1, Fault{Hang: true})
		go hang()
		synctest.Wait()
		box.Close()
		if got := <-answers; got != "0 true" {
			t.Errorf("Close: the hung call got %s, want an error", got)
		}
	})
}

// K2
func TestAnAnswerMayBeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := NewServer(InMemory(), WithLatency(time.Second))
		defer box.Close()
		took := func(method, path string) time.Duration {
			start := time.Now()
			call(t, box, method, path, credentials(Email, Password), nil)
			return time.Since(start)
		}
		box.Inject(OpCreate, 1, Fault{Delay: time.Minute, Status: 503})
		box.Inject(OpResource, 1, Fault{Delay: time.Minute})
		for i, want := range []time.Duration{time.Minute + time.Second, time.Second} {
			if got := took("POST", "/session"); got != want {
				t.Errorf("sign-in %d took %v, want %v", i+1, got, want)
			}
		}
		for i, want := range []time.Duration{time.Minute, 0} {
			if got := took("GET", "/me"); got != want {
				t.Errorf("request %d took %v, want %v: latency is the session's", i+1, got, want)
			}
		}
	})
}

// K2: faults queue up, those of an operation before those of them all.
func TestFaultsAreUsedUpInTheirOrder(t *testing.T) {
	box := NewServer()
	defer box.Close()
	box.Inject(OpSession, 2, Fault{Status: 500})
	box.Inject(OpCreate, 1, Fault{Status: 501})
	box.Inject(OpCreate, 1, Fault{})
	box.Inject(OpCreate, 0, Fault{Status: 599})
	box.Inject(OpResource, -1, Fault{Status: 418})
	got := ""
	for _, method := range []string{"POST", "POST", "POST", "GET", "POST"} {
		got += fmt.Sprint(call(t, box, method, "/session", credentials(Email, Password), nil).status, " ")
	}
	if want := "501 200 500 500 200 "; got != want {
		t.Errorf("the calls got %s, want %s", got, want)
	}
	for range 20 {
		if got := call(t, box, "GET", "/me", "", nil).status; got != 418 {
			t.Fatalf("a fault without an end has ended: got %d", got)
		}
	}
	box.Inject(OpCreate, -1, Fault{Status: 503})
	box.Heal(OpResource)
	if got := call(t, box, "GET", "/me", "", nil).status; got != 401 {
		t.Errorf("after Heal: got %d, want the resource's own 401", got)
	}
	if got := call(t, box, "POST", "/session", "", nil).status; got != 503 {
		t.Errorf("after Heal of another: got %d, want the fault's 503", got)
	}
	box.Heal()
	if got := call(t, box, "POST", "/session", credentials(Email, Password), nil).status; got != 200 {
		t.Errorf("after Heal of all: got %d, want 200", got)
	}
}

// K2
func TestAnExpiryMayStandStillOrHavePassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := NewServer(InMemory(), WithTokenLife(time.Hour))
		defer box.Close()
		first := call(t, box, "POST", "/session", credentials(Email, Password), nil)
		time.Sleep(time.Minute)
		box.Inject(OpRefresh, 1, Fault{SameExpiry: true})
		if got := call(t, box, "GET", "/session", "", bearer(first.Token)); got.ExpiresAt != first.ExpiresAt || got.Token != first.Token {
			t.Errorf("SameExpiry: got %s, want %s as before", got.ExpiresAt, first.ExpiresAt)
		}
		if got := call(t, box, "GET", "/session", "", bearer(first.Token)); got.ExpiresAt <= first.ExpiresAt {
			t.Errorf("the refresh after it: got %s, want later than %s", got.ExpiresAt, first.ExpiresAt)
		}
		box.Inject(OpSession, 2, Fault{Expired: true})
		for _, c := range []struct{ method, token string }{{"POST", ""}, {"GET", first.Token}} {
			got := call(t, box, c.method, "/session", credentials(Email, Password), bearer(c.token))
			if at, err := time.Parse(time.RFC3339, got.ExpiresAt); err != nil || time.Since(at) != time.Minute {
				t.Errorf("Expired, %s: got %q, want a minute ago", c.method, got.ExpiresAt)
			}
			if got := call(t, box, "GET", "/me", "", bearer(got.Token)).status; got != 401 {
				t.Errorf("Expired, %s: the token gets %d, want 401", c.method, got)
			}
		}
	})
}

// K2
func TestAClockMayBeWrongAndAllThatTellsTheTimeAgrees(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Hour, 0, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			box := NewServer(InMemory(), WithClockSkew(skew), WithTokenLife(time.Hour))
			defer box.Close()
			got := call(t, box, "POST", "/session", credentials(Email, Password), nil)
			date, err := http.ParseTime(got.header.Get("Date"))
			if err != nil || time.Until(date) != skew {
				t.Errorf("the Date is %v off, want %v", time.Until(date), skew)
			}
			if at, _ := time.Parse(time.RFC3339, got.ExpiresAt); at.Sub(date) != time.Hour {
				t.Errorf("the token lives for %v after the Date, want an hour", at.Sub(date))
			}
			if got := call(t, box, "GET", "/me", "", bearer(got.Token)).status; got != 200 {
				t.Errorf("the token gets %d, want 200", got)
			}
			time.Sleep(time.Hour)
			if got := call(t, box, "GET", "/me", "", bearer(got.Token)).status; got != 401 {
				t.Errorf("an hour later the token gets %d, want 401", got)
			}
		})
	}
}

// K3: a week in a bubble.
func TestInMemoryTimeIsVirtual(t *testing.T) {
	begun := time.Now()
	synctest.Test(t, func(t *testing.T) {
		box := NewServer(InMemory())
		defer box.Close()
		token := box.NewToken(Email, time.Hour)
		start := time.Now()
		for time.Since(start) < 7*24*time.Hour {
			time.Sleep(14 * time.Minute)
			got := call(t, box, "GET", "/session", "", bearer(token))
			if token = got.Token; got.status != 200 {
				t.Fatalf("after %v the refresh got %d, want 200", time.Since(start), got.status)
			}
		}
	})
	if real := time.Since(begun); real > time.Minute {
		t.Errorf("a virtual week took %v", real)
	}
}

// K3: only the box's own client reaches it in memory.
func TestAServerInMemoryHasNoSocket(t *testing.T) {
	box := NewServer(InMemory())
	defer box.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", box.URL+"/me", nil)
	if _, err := box.Client().Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	res, err := box.Client().Get("http://anything.example.com/v1/me")
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("got %v, %v; want the box's 401", res, err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if len(box.server.Listener.Addr().String()) == 0 || box.server.Listener.Addr().Network() != "pipe" {
		t.Errorf("the box listens at %v, want no socket", box.server.Listener.Addr())
	}
}

// K1: a test can wait for a call without polling.
func TestAwaitTellsWhenACallHasBegun(t *testing.T) {
	box := NewServer()
	defer box.Close()
	second, sessions := box.Await(OpCreate, 2), box.Await(OpSession, 3)
	begun := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	call(t, box, "POST", "/session", "", nil)
	if begun(second) {
		t.Error("after one call the second has begun")
	}
	call(t, box, "POST", "/session", "", nil)
	<-second
	if begun(sessions) {
		t.Error("after two calls of the session the third has begun")
	}
	call(t, box, "DELETE", "/session", "", nil)
	<-sessions
	<-box.Await(OpCreate, 1) // which has been already
}
