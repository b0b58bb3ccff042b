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
