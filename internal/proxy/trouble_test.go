package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// What the session API says may repeat what it was sent.
func TestWordsOfTheSessionAPIReachNoClient(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 408, 418, 429, 500, 503} {
		for what, repeats := range map[string]bool{"what it was sent": true, "words without a secret": false} {
			t.Run(fmt.Sprintf("%d with %s", status, what), func(t *testing.T) {
				t.Parallel() // what is tried again is so for the whole time-out, in which a busy machine has to answer once
				wordsReachNoClient(t, status, repeats)
			})
		}
	}
}

func wordsReachNoClient(t *testing.T, status int, repeats bool) {
	const password = "a&canary<of>a-password"
	sessions := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !repeats {
			body = nil
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"error": "judged: " + string(body), "message": "judged: " + string(body), "type": "judgement"})
	}))
	t.Cleanup(sessions.Close)
	source := newSource(t, jwtsession.Config{BaseURL: sessions.URL + "/v1", Credentials: jwtsession.Credentials{Email: "clerk@example.com", Password: password}, Timeout: 4 * time.Second})
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.APIs = []API{{Source: source, BaseURL: sessions.URL + "/v1"}} })
	got := get(t, p, "/me")
	if got.status != 503 || got.header.Get("Retry-After") == "" || strings.Contains(got.text, "canary") || strings.Contains(got.text, "judge") {
		t.Errorf("got %d %s, Retry-After %q; want 503, when to try again, and none of the API's words", got.status, got.text, got.header.Get("Retry-After"))
	}
}

func TestAnAPIThatHangsIsA504InTime(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	defer close(ended)
	a := newAPI(t, func(http.ResponseWriter, *http.Request) { <-ended })
	p := a.running(t, func(c *Config) { c.UpstreamTimeout = time.Second })
	token(t, a.source)
	for name, body := range map[string]io.Reader{
		"no body": nil, "a small body": strings.NewReader("x"), "chunks": io.MultiReader(strings.NewReader("x")), "more than fits": bytes.NewReader(make([]byte, 20<<20)),
	} {
		begin := time.Now()
		got := do(t, request(t, "POST", p.URL()+"/slow", body))
		got.expect(t, name, 504, "api_timeout")
		if took := time.Since(begin); took < time.Second || took > 20*time.Second || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got the answer after %v, with Retry-After %q; want it after a second, and when to try again", name, took, got.header.Get("Retry-After"))
		}
	}
}

func TestASignInThatHangsIsA504WithRetryAfter(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.source = newSource(t, jwtsession.Config{BaseURL: a.base, Timeout: time.Second})
	a.box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
	p := a.running(t)
	for _, what := range []string{"a sign-in that hangs", "one that is remembered"} {
		begin := time.Now()
		got := get(t, p, "/me")
		got.expect(t, what, 504, "sign_in_timeout")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got no Retry-After, want one", what)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: got the answer after %v, want it within the second that a sign-in may take", what, took)
		}
	}
	a.box.Heal()
}

// The client waits to be told to send; the API says 401 before it asks for
// anything.
func TestABodyThatNobodyHasReadIsSentOnceTheTokenIsNew(t *testing.T) {
	a := newAPI(t, nil)
	box := http.HandlerFunc(a.box.ServeHTTP)
	var sizes []int
	a.resource = func(w http.ResponseWriter, r *http.Request) {
		probe := httptest.NewRequest("GET", a.base+"/me", nil)
		probe.Header = http.Header{"Authorization": r.Header["Authorization"]}
		judged := httptest.NewRecorder()
		box.ServeHTTP(judged, probe)
		if judged.Code != 200 {
			w.WriteHeader(judged.Code)
			return
		}
		body, _ := io.ReadAll(r.Body)
		sizes = append(sizes, len(body))
	}
	p := a.running(t)
	token(t, a.source)
	a.box.RevokeAll()
	file := t.TempDir() + "/upload"
	output(t, "sh", "-c", "head -c 5000000 /dev/zero > "+file)
	got := output(t, "curl", "-sS", "-H", "Expect: 100-continue", "-H", "Content-Type: application/octet-stream", "--expect100-timeout", "20", "--data-binary", "@"+file, "-o", "/dev/null", "-w", "%{http_code}", p.URL()+"/runs")
	if got != "200" || len(sizes) != 1 || sizes[0] != 5_000_000 {
		t.Errorf("got %s, and the API bodies of %d bytes; want 200, and one of 5000000", got, sizes)
	}
}
