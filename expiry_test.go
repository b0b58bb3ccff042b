package jwtsession

import (
	"context"
	"encoding/base64"
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

// E1
func TestTheRealTokenExpiresWhenItSays(t *testing.T) {
	got := decodeClaims(realToken())
	if want := time.Date(2017, 7, 17, 23, 43, 13, 0, time.UTC); !got.expiry.Equal(want) || got.jti != "c0b507a7-2716-4f3e-af6a-46b26fdc24e2" {
		t.Errorf("got expiry %v and jti %q, want %v and that of the token", got.expiry, got.jti, want)
	}
}

// E1: an exp of any shape that a server may write, and no exp at all.
func TestExpIsReadAsAnIntegerAFloatOrANumericString(t *testing.T) {
	at := time.Unix(1500334993, 0).UTC()
	none := time.Time{}
	for exp, want := range map[string]time.Time{
		`1500334993`: at, `1500334993.0`: at, `1.500334993e9`: at, `1500334993.25`: at.Add(250 * time.Millisecond),
		`"1500334993"`: at, `" 1500334993 "`: at, `"1500334993.25"`: at.Add(250 * time.Millisecond), `"1.500334993e9"`: at,
		`0`: time.Unix(0, 0), `-1`: time.Unix(-1, 0), `253402300799`: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		`253402300800`: none, `1500334993000`: none, `9223372036854775807`: none, `9223372036854775808`: none, `-9223372036854775808`: none,
		`-62135596800`: none, `-62135596801`: none, `-62135596799`: time.Unix(-62135596799, 0), `-62135596800.5`: none, `1e300`: none, `1e400`: none, `-1e300`: none,
		`null`: none, `true`: none, `""`: none, `"soon"`: none, `"NaN"`: none, `"Inf"`: none, `"-Inf"`: none, `{}`: none, `[1500334993]`: none,
		`"2017-07-17T23:43:13Z"`: none,
	} {
		got := decodeClaims(unsigned(`{"typ":"JWT","alg":"HS256"}`, `{"exp":`+exp+`}`)).expiry
		if !got.Equal(want) {
			t.Errorf("exp %s: got %v, want %v", exp, got, want)
		}
	}
}

// E1: the other claims, and the header, are the server's business.
func TestNothingButExpIsJudged(t *testing.T) {
	for _, claim := range []string{
		`"sub":1`, `"sub":"1"`, `"sub":null`, `"sub":{"id":1}`, `"sub":[1]`, `"sub":1.5`, `"sub":true`, `"sub":1e400`,
		`"iat":"yesterday"`, `"iat":99999999999999`, `"nbf":99999999999`, `"nbf":"never"`, `"aud":7`, `"aud":[1,"a"]`, `"iss":[]`, `"jti":12`, `"scp":["user"]`, `"":""`,
	} {
		if got := decodeClaims(unsigned(`{"typ":"JWT","alg":"HS256"}`, `{`+claim+`,"exp":1500334993}`)).expiry.Unix(); got != 1500334993 {
			t.Errorf("with %s: got exp %d, want 1500334993", claim, got)
		}
	}
	for _, header := range []string{`{"typ":"JWT","alg":"HS256"}`, `{"alg":"none"}`, `{"alg":"unheard of"}`, `{"alg":7}`, `{}`, `{"typ":"at+jwt","alg":"EdDSA","kid":"a","crit":["b"]}`} {
		if got := decodeClaims(unsigned(header, `{"exp":1500334993}`)).expiry.Unix(); got != 1500334993 {
			t.Errorf("with the header %s: got exp %d, want 1500334993", header, got)
		}
	}
}

// E1
func TestATokenThatIsNoJWTHasNoExpiry(t *testing.T) {
	for _, token := range []string{"", "opaque", "a.b", "a.b.c", "..", "a.b.c.d.e", "é.é.é", unsigned(`{}`, `[]`), unsigned(`{}`, `"exp"`), unsigned(`{}`, `{"exp":1`), "Bearer " + realToken(), strings.Repeat("a.", 10_000)} {
		if got := decodeClaims(token); got != (claims{}) {
			t.Errorf("%.40q: got %v, want no claims", token, got)
		}
	}
}

// E2
func TestExpiresAtIsReadInWhateverFormOfISO8601(t *testing.T) {
	at := time.Date(2017, 7, 17, 23, 43, 13, 0, time.UTC)
	fraction := func(d time.Duration) time.Time { return at.Add(d) }
	none := time.Time{}
	for s, want := range map[string]time.Time{
		"2017-07-17T23:43:13Z": at, "2017-07-17T23:43:13+00:00": at, "2017-07-17T23:43:13-00:00": at, "2017-07-17T19:43:13-04:00": at, "2017-07-18T05:28:13+05:45": at,
		"2017-07-17T23:43:13+0000": at, "2017-07-17T19:43:13-0400": at, "2017-07-17T19:43:13-04": at,
		"2017-07-17 23:43:13Z": at, "2017-07-17 23:43:13 +0000": at, "2017-07-17 23:43:13 UTC": at, "2017-07-17 23:43:13": at, "2017-07-17T23:43:13": at,
		"2017-07-17t23:43:13z": at, "  2017-07-17T23:43:13Z\n": at,
		"2017-07-17T23:43:13.5Z": fraction(500 * time.Millisecond), "2017-07-17T23:43:13.000Z": at, "2017-07-17 23:43:13.123456 +0000": fraction(123456 * time.Microsecond),
		"2017-07-17T23:43:13.123456789": fraction(123456789), "2017-07-17T23:43:13,5Z": fraction(500 * time.Millisecond), "2017-07-17T23:43:13.1234567891+0000": fraction(123456789),
		"9999-12-31T23:59:59Z":      time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"9999-12-31T23:59:59-01:00": none, "0001-01-01T00:00:00Z": none, "1970-01-01T00:00:00Z": none, "1969-12-31T23:59:59Z": none,
		"": none, "soon": none, "1500334993": none, "2017-07-17": none, "2017-07-17T23:43": none, "2017-13-17T23:43:13Z": none, "2017-02-30T23:43:13Z": none,
		"2017-07-17T25:43:13Z": none, "2017-07-17T23:43:13+25:00": none, "2017-07-17T23:43:13 EST": none, "20170717T234313Z": none, "Mon, 17 Jul 2017 23:43:13 GMT": none,
		"2017-07-17T23:43:13ZZ": none, "+12017-07-17T23:43:13Z": none,
	} {
		if got := parseExpiresAt(s); !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
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
	date := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for age, want := range map[string]time.Duration{"": 0, "0": 0, "90": 90 * time.Second, " 90 ": 90 * time.Second, "-90": 0, "old": 0, "1.5": 0, "99999999999999999999": 0} {
		header := http.Header{"Date": {date.Format(http.TimeFormat)}, "Age": {age}}
		if got := serverTime(header); !got.Equal(date.Add(want)) {
			t.Errorf("an Age of %q: got %v, want %v after the Date", age, got, want)
		}
	}
}

// E3: no correction makes an expiry that JSON cannot write.
func TestACorrectedExpiryCanStillBeWritten(t *testing.T) {
	start := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, seconds := range []int64{earliestExpiry, earliestExpiry + 1, latestExpiry - 1, latestExpiry} {
		for _, ahead := range []time.Duration{-24 * time.Hour, -time.Hour, time.Hour, 24 * time.Hour} {
			got := correctClock(time.Unix(seconds, 0).UTC(), start, start.Add(-ahead))
			if _, err := got.MarshalJSON(); err != nil || got.IsZero() {
				t.Errorf("%d corrected by %v: got %v, %v; want a time of RFC 3339", seconds, ahead, got, err)
			}
		}
	}
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
