package jwtsession

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// X2: who, what, when it expires, and the attempt. X3: which session, by the
// first 8 characters of its jti.
func TestTheLogTellsWhoWhatWhenAndTheAttempt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 503, Body: "busy with clerk@example.com", ContentType: "text/plain"})
		var r testimony
		ts := newSource(t, box, r.listen)
		jti := lifetime.OfToken(token(t, ts)).ID
		pass(time.Until(ts.Status().RefreshAt) + 2*time.Second)
		var signedIn, failed, refreshed map[string]any
		lines := strings.Split(strings.TrimSpace(r.json.String()), "\n")
		for i, line := range []*map[string]any{&signedIn, &failed, &refreshed} {
			if len(lines) != 3 || json.Unmarshal([]byte(lines[i]), line) != nil {
				t.Fatalf("the log is %q, want three lines of JSON", lines)
			}
			for key, want := range map[string]any{"account": "example.com", "session": jti[:8]} {
				if (*line)[key] != want {
					t.Errorf("line %d has %s %v, want %v", i+1, key, (*line)[key], want)
				}
			}
			if (*line)["expiresAt"] == nil {
				t.Errorf("line %d has no expiry: %s", i+1, lines[i])
			}
		}
		if signedIn["msg"] != "jwtsession: signed in" || signedIn["level"] != "INFO" {
			t.Errorf("the sign-in is logged as %v", signedIn)
		}
		if failed["msg"] != "jwtsession: refresh failed" || failed["level"] != "WARN" || failed["attempt"] != 1.0 || failed["retryIn"] == nil || !strings.Contains(fmt.Sprint(failed["error"]), "503") {
			t.Errorf("the failure is logged as %v, want the first attempt, its error and when the next one is due", failed)
		}
		if refreshed["msg"] != "jwtsession: refreshed" || refreshed["attempt"] != 2.0 || refreshed["expiresAt"] == signedIn["expiresAt"] {
			t.Errorf("the refresh is logged as %v, want attempt 2 and another expiry", refreshed)
		}
		all := r.text.String() + r.json.String()
		if strings.Contains(all, "clerk") || strings.Contains(all, jti[:9]) || len(jti) != 36 {
			t.Errorf("the log has more of the e-mail address than its domain, or more than 8 characters of the jti: %s", all)
		}
	})
}

// X3
func TestAShortOrMissingJTIIsLoggedAsItIs(t *testing.T) {
	for jti, want := range map[any]string{"abc": "abc", "12345678": "12345678", "123456789": "12345678", "": "", 7: ""} {
		if got := lifetime.OfToken(signedToken(map[string]any{"jti": jti})).ShortID(); got != want {
			t.Errorf("a jti of %v: got %q, want %q", jti, got, want)
		}
	}
}

// X1, X2: what a session is logged as.
func TestASessionIsLoggedAsItsExpiry(t *testing.T) {
	s := Session{Token: canaryOpaque, ExpiresAt: time.Unix(1500334993, 0).UTC()}
	if got, want := fmt.Sprint(s.LogValue()), "[expiresAt=2017-07-17 23:43:13 +0000 UTC]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := s.String(), "{Token:[redacted] ExpiresAt:2017-07-17T23:43:13Z}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// X2
func TestAnEventTellsHowLongItsAttemptTook(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		for name, store := range map[string]cache.Cache{"alone": nil, "with a cache": cache.NewMemory()} {
			var j journal
			ts := newSource(t, box, j.record, through(store))
			token(t, ts)
			pass(time.Until(ts.Status().RefreshAt) + time.Second)
			if err := ts.Revoke(t.Context()); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			if j.kinds() != "signed in, refreshed, revoked" {
				t.Fatalf("%s: got the events %s, want a sign-in, a refresh and a log-out", name, j.kinds())
			}
			for _, e := range j.all() {
				if e.Duration != 300*time.Millisecond {
					t.Errorf("%s: %v took %v, want the 300 ms that the server took", name, e, e.Duration)
				}
			}
		}
	}, sessiontest.WithLatency(300*time.Millisecond))
}

func TestAnEventIsLoggedWithoutWhatItDoesNotHave(t *testing.T) {
	if got := attrText(Event{Kind: EventRejected, SessionID: "12345678"}.attrs()); got != " session=12345678" {
		t.Errorf("got%s, want the session and nothing else", got)
	}
}
