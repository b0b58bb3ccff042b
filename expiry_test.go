package jwtsession

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// unsigned is a token with this header and these claims, and some signature.
func unsigned(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature"))
}

// signedToken is a token with these claims, as a server that we have no key of
// would sign it.
func signedToken(claims map[string]any) string {
	return unsigned(`{"typ":"JWT","alg":"HS256"}`, jsonOf(claims))
}

// realToken has the header and the claims of one of PacerPro's.
func realToken() string {
	return unsigned(`{"typ":"JWT","alg":"HS256"}`, `{"jti":"c0b507a7-2716-4f3e-af6a-46b26fdc24e2","sub":1,"exp":1500334993,"scp":"user"}`)
}

// E1: both: the earlier. Neither: unknown.
func TestOfTwoExpiriesTheEarlierCounts(t *testing.T) {
	const exp = `{"exp":1500334993}` // 23:43:13
	none := time.Time{}
	for _, c := range []struct {
		claims, expiresAt string
		want              time.Time
	}{
		{exp, "", time.Unix(1500334993, 0)},
		{exp, "2017-07-17T23:43:13Z", time.Unix(1500334993, 0)},
		{exp, "2017-07-17T23:43:12Z", time.Unix(1500334992, 0)},
		{exp, "2017-07-17T23:43:14Z", time.Unix(1500334993, 0)},
		{exp, "never", time.Unix(1500334993, 0)},
		{`{}`, "2017-07-17T23:43:14Z", time.Unix(1500334994, 0)},
		{`{"exp":1500334993000}`, "2017-07-17T23:43:14Z", time.Unix(1500334994, 0)},
		{`{}`, "", none},
		{`{"exp":null}`, "never", none},
	} {
		client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			io.WriteString(w, jsonOf(map[string]string{"jwtToken": unsigned(`{"alg":"HS256"}`, c.claims), "expiresAt": c.expiresAt}))
		})
		s, err := client.Create(t.Context())
		if err != nil || !s.ExpiresAt.Equal(c.want) || s.ExpiresAt.IsZero() != c.want.IsZero() {
			t.Errorf("claims %s and expiresAt %q: got %v, %v; want %v", c.claims, c.expiresAt, s.ExpiresAt, err, c.want)
		}
	}
}

// E1: nothing but a 401 ends a session of which nobody knows the expiry.
func TestASessionWithoutAnExpiryLastsUntilItIsRejected(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Body: `{"jwtToken":"opaque"}`})
		ts := newSource(t, box)
		first := token(t, ts)
		for range 400 {
			pass(24 * time.Hour)
			if got := token(t, ts); got != first {
				t.Fatalf("got token %q, want the first one", got)
			}
		}
		if status := ts.Status(); !status.RefreshAt.IsZero() || !status.ExpiresAt.IsZero() || !status.Live {
			t.Errorf("the status is %+v, want it live, without an expiry and without a plan", status)
		}
		expectCalls(t, box, 1, 0, 0)
		res, err := ts.Client().Get(box.URL + "/me") // the box knows of no such token
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("got %v, %v; want the answer to a new token", res, err)
		}
		res.Body.Close()
		expectCalls(t, box, 2, 1, 0)
	})
}

// E3: an expiry by the server's clock, told by a client whose own is wrong.
func TestTheServersClockCorrectsOurs(t *testing.T) {
	const life = 15 * time.Minute
	for _, c := range []struct {
		skew      time.Duration // of the server's clock, ahead of ours
		header    http.Header
		corrected bool
	}{
		{0, nil, false}, {5*time.Second - time.Second, nil, false}, {-4 * time.Second, nil, false},
		{5 * time.Second, nil, true}, {-5 * time.Second, nil, true},
		{time.Hour, nil, true}, {-time.Hour, nil, true}, {24 * time.Hour, nil, true}, {-24 * time.Hour, nil, true},
		{24*time.Hour + time.Second, nil, false}, {-24*time.Hour - time.Second, nil, false}, {365 * 24 * time.Hour, nil, false},
		{time.Hour, http.Header{"Date": {"soon"}}, false},
	} {
		t.Run(fmt.Sprint(c.skew, c.header), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				if c.header != nil {
					box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Header: c.header})
				}
				s, err := clientWith(t, box).Create(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := time.Now().Add(life)
				if !c.corrected {
					want = want.Add(c.skew)
				}
				if !s.ExpiresAt.Equal(want) {
					t.Errorf("got %v to live, want %v", time.Until(s.ExpiresAt), time.Until(want))
				}
			}, sessiontest.WithTokenLife(life), sessiontest.WithClockSkew(c.skew))
		})
	}
}

func clientWith(t *testing.T, box *sessiontest.Server) *Client {
	t.Helper()
	client, err := NewClient(box.URL, Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, box.Client())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// E3: life counts from the request's start, and Age is how old a Date is.
func TestLifeIsCountedFromTheRequestsStart(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		start := time.Now()
		box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Delay: 20 * time.Second})
		s, err := clientWith(t, box).Create(t.Context())
		// The token was made when the request came in, and its Date, by a clock an
		// hour ahead, when it was answered: the life left is what is sure.
		if want := start.Add(15*time.Minute - 20*time.Second); err != nil || !s.ExpiresAt.Equal(want) {
			t.Errorf("a slow answer: got an expiry after %v, %v; want after %v", s.ExpiresAt.Sub(start), err, want.Sub(start))
		}
	}, sessiontest.WithClockSkew(time.Hour))
}

// E4: what could not be refreshed ends when it says, and not later.
func TestATokenThatCouldNotBeRefreshedIsNotServedBeyondItsExpiry(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box)
		first := token(t, ts)
		expiry := ts.Status().ExpiresAt
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: 503})
		pass(time.Until(expiry) - 1)
		if got := token(t, ts); got != first {
			t.Error("at its last moment the token changed")
		}
		pass(1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if got, err := ts.TokenContext(ctx); err == nil {
			t.Errorf("at its expiry: got a token (the old one: %v), want an error", got.AccessToken == first)
		}
		if ts.Status().Live {
			t.Error("the status says that the expired session lives")
		}
	})
}

// E4: an expiry with a monotonic part, as an Issuer gets it from time.Now, is
// compared by the wall clock all the same.
func TestAnExpiryIsComparedByTheWallClock(t *testing.T) {
	now := time.Now()
	s := newSnapshot(coreSession(Session{Token: "opaque", ExpiresAt: now.Add(time.Hour)}, now))
	if s.expiry() != s.expiry().Round(0) {
		t.Error("the expiry that callers see has a monotonic part")
	}
	// After a suspend the wall clock has gone on, and the monotonic one has not.
	if awake := now.Round(0).Add(time.Hour); s.liveAt(awake) {
		t.Error("the token lives on, an hour after it began its hour")
	}
	if !s.liveAt(now.Round(0).Add(time.Hour - 1)) {
		t.Error("the token died before its hour was over")
	}
}

// E2: an issuer of one's own may count in milliseconds, too.
func TestAnExpiryThatNobodyCanWriteIsUnknown(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{create: func(context.Context) (Session, error) {
		return Session{Token: "opaque", ExpiresAt: time.Unix(1500334993000, 0)}, nil
	}}})
	token(t, ts)
	text, err := json.Marshal(ts.Status())
	if err != nil || strings.Contains(string(text), "expiresAt") {
		t.Errorf("the status is %s, %v; want no expiry", text, err)
	}
}
