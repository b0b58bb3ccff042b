package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/redaction"
)

// inRange reports whether a time is none, or one that RFC 3339 can write.
func inRange(at time.Time) bool {
	if at.IsZero() {
		return true
	}
	text, err := at.MarshalText()
	if err != nil {
		return false
	}
	back, err := time.Parse(time.RFC3339, string(text))
	return err == nil && back.Equal(at)
}

// E1: whatever stands in a token, its expiry can be written, and no sub, iat or
// signature makes it unreadable.
func FuzzTheExpiryOfAToken(f *testing.F) {
	f.Add(realToken())
	f.Add("opaque")
	for _, claims := range []string{`{}`, `[]`, `{"exp":1.5e9}`, `{"exp":"1500334993"}`, `{"exp":-62135596800}`, `{"exp":1e400}`, `{"sub":[1],"exp":253402300799.9}`, `{"exp":{}}`} {
		f.Add(unsigned(`{"alg":"HS256"}`, claims))
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// As a token, and as the claims of one.
		for _, token := range []string{text, unsigned(`{"typ":"JWT","alg":"HS256"}`, text)} {
			got := decodeClaims(token)
			if !inRange(got.expiry) {
				t.Errorf("%q: got an expiry of %d, want one of RFC 3339", token, got.expiry.Unix())
			}
			if s := shortID(coreSession(Session{Token: token, ExpiresAt: got.expiry}, time.Unix(0, 0)).ID); len(s) > 8 {
				t.Errorf("%q: got a session id of %d bytes, want 8 at most", token, len(s))
			}
			for _, ahead := range []time.Duration{largestCorrection, -largestCorrection} {
				start := time.Unix(1500334993, 0)
				if corrected := correctClock(got.expiry, start, start.Add(ahead)); !inRange(corrected) {
					t.Errorf("%q: corrected by %v the expiry is %d, want one of RFC 3339", token, ahead, corrected.Unix())
				}
			}
		}
	})
}

// E2
func FuzzExpiresAt(f *testing.F) {
	for _, s := range []string{"2017-07-17T23:43:13Z", "2017-07-17 23:43:13.5 +0000", "2017-07-17T23:43:13", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2017-07-17 UTC", " utc", "2017-07-17T24:00:00Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := parseExpiresAt(s)
		if !inRange(got) || !got.IsZero() && got.Unix() <= 0 {
			t.Errorf("%q: got %v, want a time of RFC 3339 after 1970, or none", s, got)
		}
		if at, err := time.Parse(time.RFC3339, s); err == nil && at.Unix() > 0 && at.Unix() <= latestExpiry && !got.Equal(at) {
			t.Errorf("%q: got %v, want %v as RFC 3339 has it", s, got, at)
		}
		if !got.IsZero() && !parseExpiresAt(got.Format(time.RFC3339Nano)).Equal(got) {
			t.Errorf("%q: got %v, which is not read back as the same", s, got)
		}
	})
}

// S6
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "120", "-1", "9223372037", "99999999999999999999", "-99999999999999999999", "Tue, 03 Feb 2026 04:06:06 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"} {
		f.Add(value, int64(1770091506))
	}
	f.Add("Tue, 03 Feb 2026 04:06:06 GMT", int64(-62135596800))
	f.Fuzz(func(t *testing.T, value string, now int64) {
		got := parseRetryAfter(http.Header{"Retry-After": {value}}, time.Unix(now, 0))
		if got < 0 || got > time.Hour {
			t.Errorf("%q at %d: got %v, want between 0 and an hour", value, now, got)
		}
	})
}

// answered makes a call that is answered so, with canaries for its secrets.
func answered(t *testing.T, op operation, status int, header http.Header, text string) (Session, *stream, error) {
	t.Helper()
	body := &stream{Reader: strings.NewReader(text)}
	client, err := NewClient("", Credentials{Email: canaryEmail, Password: canaryOpaque}, &http.Client{Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: body, Request: req}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	var s Session
	switch op {
	case opCreate:
		s, err = client.Create(context.Background())
	case opRefresh:
		s, err = client.Refresh(context.Background(), Session{Token: canaryOpaque})
	default:
		err = client.Revoke(context.Background(), Session{Token: canaryOpaque})
	}
	if body.closed != 1 || body.read > largestAnswer {
		t.Errorf("%s: read %d bytes and closed the body %d times, want %d at most, and once", op, body.read, body.closed, largestAnswer)
	}
	return s, body, err
}

// S4, E1, E2, E3: what is issued can be used, and what cannot be is an error
// that does not show it.
func FuzzTheBodyOfASession(f *testing.F) {
	for _, body := range []string{
		`{"jwtToken":"` + realToken() + `","expiresAt":"2017-07-17T23:43:13Z"}`, `{"jwtToken":"opaque"}`, `{"jwtToken":"a b"}`, `{"jwtToken":1}`, `{}`, `[]`, `null`, ``,
		`{"jwtToken":"` + unsigned(`{}`, `{"exp":253402300799}`) + `"}`, `{"jwtToken":"a","expiresAt":"9999-12-31T23:59:59Z"}`, `{"jwtToken":"` + canaryOpaque + ` "}`, `{"JWTTOKEN":"a"}`,
	} {
		f.Add(body, "Tue, 03 Feb 2026 04:06:06 GMT", "90", "application/json")
	}
	f.Add(`<html>`, "", "-1", canaryOpaque)
	f.Fuzz(func(t *testing.T, text, date, age, kind string) {
		header := http.Header{"Date": {date}, "Age": {age}, "Content-Type": {kind}}
		for _, op := range []operation{opCreate, opRefresh} {
			s, _, err := answered(t, op, http.StatusOK, header, text)
			if err != nil {
				if s != (Session{}) || !errors.Is(err, ErrMalformedToken) || strings.Contains(fmt.Sprintf("%v %+v %#v %q", err, err, err, err), canaryOpaque) {
					t.Errorf("%s: got %v with %v, want no session and an error that shows no secret", op, s, err)
				}
				continue
			}
			if s.Token == "" || len(s.Token) > longestToken || strings.ContainsFunc(s.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%s: got a token that no header could carry: %q", op, s.Token)
			}
			if !inRange(s.ExpiresAt) {
				t.Errorf("%s: got an expiry of %d, want one of RFC 3339", op, s.ExpiresAt.Unix())
			}
		}
	})
}

// S5, S6, X1: whatever a refusal says, it is an APIError of a bounded length that
// shows no secret.
func FuzzTheBodyOfAnError(f *testing.F) {
	for _, body := range []string{
		`{"error":"no","message":"no","status":401,"type":"unauthorized"}`, `{"message":"Forbidden"}`, `{"message":7}`, `<html>502</html>`, ``, "\xff\xfe\x00", `"` + canaryOpaque + `"`,
		`{"message":"` + canaryOpaque + `"}`, strings.Join(strings.Split(canaryOpaque, ""), "\x00"), `%43ANARY-0paque-t0ken`, `{"jwtToken":"x"}`, canaryOpaque[:20],
		`&#67;ANARY&#45;0paque`, `\u0043ANARY-0paque`,
	} {
		f.Add(body, uint16(401), "120", "/there?"+canaryOpaque)
		f.Add(body+canaryOpaque+body, uint16(307), "-1", "https://"+canaryOpaque+".example.com/")
	}
	f.Fuzz(func(t *testing.T, text string, status uint16, wait, where string) {
		code := 300 + int(status)%300
		header := http.Header{"Retry-After": {wait}, "Location": {where}, "Content-Type": {text}, "X-Request-Id": {where}}
		for _, op := range []operation{opCreate, opRefresh, opRevoke} {
			_, _, err := answered(t, op, code, header, text)
			var api *APIError
			if !errors.As(err, &api) || api.StatusCode != code {
				t.Fatalf("%s: got %v, want an *APIError of status %d", op, err, code)
			}
			if api.RetryAfter < 0 || api.RetryAfter > time.Hour {
				t.Errorf("%s: got a wait of %v, want between 0 and an hour", op, api.RetryAfter)
			}
			if n := len([]rune(api.Message)); n > redaction.LongestQuote+len("a redirect to , which is not followed") || len([]rune(api.Type)) > redaction.LongestQuote {
				t.Errorf("%s: got a message of %d characters, want about %d at most", op, n, redaction.LongestQuote)
			}
			shown := fmt.Sprintf("%v %+v %#v %s %q %s", err, err, err, err, err, jsonOf(api))
			for at := range len(canaryOpaque) - 3 {
				if part := canaryOpaque[at : at+4]; !strings.Contains(shown, part) {
					continue
				}
				t.Errorf("%s: the error shows the secret: %s", op, shown)
			}
			for name, values := range api.header {
				if redaction.Printable(strings.Join(values, "")) != strings.Join(values, "") {
					t.Errorf("%s: the header %s is not printable: %q", op, name, values)
				}
			}
		}
	})
}
