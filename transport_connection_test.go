package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// H5
func TestARequestsContextEndsItsWaitForAToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		var err error
		waited := took(func() { _, err = ts.Client().Do(get(t, box.URL+"/me").WithContext(ctx)) })
		if waited != 200*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v after %v, want the context's error after 200 ms", err, waited)
		}
	})
}

// H5
func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	base := &idleCloser{}
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box, func(c *Config) { c.HTTPClient = &http.Client{Transport: base} })
	ts.Client().CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("the base got it %d times, want once", base.closed)
	}
	(&Transport{Source: ts, Base: respond(200, nil)}).CloseIdleConnections() // which has no such method
}

type idleCloser struct {
	http.RoundTripper
	closed int
}

func (c *idleCloser) CloseIdleConnections() { c.closed++ }

// H5
func TestItWorksOverHTTP1AndHTTP2(t *testing.T) {
	for _, version := range []int{1, 2} {
		box := sessiontest.NewServer(sessiontest.WithTLS())
		ts := newSource(t, box, func(c *Config) {
			base := c.HTTPClient.Transport.(*http.Transport).Clone()
			base.ForceAttemptHTTP2 = version == 2
			if version == 1 {
				base.TLSClientConfig.NextProtos = []string{"http/1.1"}
			}
			c.HTTPClient = &http.Client{Transport: base}
		})
		token(t, ts)
		box.RevokeAll()
		res, err := ts.Client().Post(box.URL+"/file", "text/plain", strings.NewReader("content"))
		if err != nil || res.StatusCode != 200 || res.ProtoMajor != version {
			t.Errorf("HTTP/%d: got %v, %v; want 200 over HTTP/%d", version, res, err, version)
		} else {
			res.Body.Close()
		}
		expectCalls(t, box, 2, 1, 0)
		ts.Client().CloseIdleConnections()
		box.Close()
	}
}

// H2, H6: at most three allocations of its own for up to seven headers of the
// caller's and the session's. One more header makes Go's map need two more for
// itself.
func TestSigningARequestMakesThreeAllocations(t *testing.T) {
	login := "POST /login\n\n" + `{"u": "{email}", "p": "{password}"}`
	for name, c := range map[string]struct {
		protocol *Protocol
		headers  map[int]float64
	}{
		"PacerPro's":       {nil, map[int]float64{0: 3, 2: 3, 7: 3, 8: 5}},
		"a described one":  {&Protocol{SignIn: login, Token: "token"}, map[int]float64{0: 3, 2: 3, 7: 3}},
		"another header":   {&Protocol{SignIn: login, Token: "token", Send: []string{"X-Auth-Token: {token}"}}, map[int]float64{0: 3, 2: 3, 7: 3}},
		"two headers":      {&Protocol{SignIn: login, Token: "token", Keep: map[string]string{"csrf": "csrf"}, Send: []string{"X-Auth-Token: {token}", "X-CSRF: {csrf}"}}, map[int]float64{0: 3, 2: 3, 6: 3}},
		"rejected by more": {&Protocol{SignIn: login, Token: "token", Rejects: []int{401, 403}}, map[int]float64{0: 3, 2: 3, 7: 3}},
	} {
		var protocol Protocol
		if c.protocol != nil {
			protocol = *c.protocol
		}
		box := sessiontest.NewServer(sessiontest.WithProtocol(protocol))
		ts := newSource(t, box, func(config *Config) { config.Protocol = c.protocol })
		token(t, ts)
		res := &http.Response{StatusCode: 200, Body: http.NoBody}
		transport := &Transport{Source: ts, Base: roundTripperFunc(func(*http.Request) (*http.Response, error) { return res, nil })}
		for headers, want := range c.headers {
			req := get(t, box.URL+"/me")
			for i := range headers {
				req.Header.Set(fmt.Sprintf("X-Header-%d", i), "value")
			}
			if got := testing.AllocsPerRun(100, func() { transport.RoundTrip(req) }); got > want {
				t.Errorf("%s, with %d headers: %v allocations, want %v at most", name, headers, got, want)
			}
		}
		box.Close()
	}
}
