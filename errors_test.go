package jwtsession

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/internal/redaction"
)

// failure returns the error of a call that is answered so.
func failure(t testing.TB, op operation, status int, header http.Header, body string) error {
	t.Helper()
	client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	return calls(client, canaryOpaque)[op](t.Context())
}

// S5: what each status means for each call.
func TestWhatAStatusMeansDependsOnTheCall(t *testing.T) {
	none := errors.New("none of ours")
	type meaning struct {
		is   error
		kind errorKind
	}
	cases := map[operation]map[int]meaning{
		opCreate: {
			400: {ErrInvalidCredentials, rejected}, 401: {ErrInvalidCredentials, rejected}, 403: {ErrInvalidCredentials, rejected},
			404: {none, rejected}, 422: {ErrInvalidCredentials, rejected},
			405: {none, rejected}, 409: {none, rejected}, 410: {none, rejected}, 415: {none, rejected}, 418: {none, rejected}, 451: {none, rejected},
			408: {none, temporary}, 425: {none, temporary}, 429: {none, temporary},
			500: {none, temporary}, 501: {none, temporary}, 502: {none, temporary}, 503: {none, temporary}, 504: {none, temporary}, 599: {none, temporary},
			300: {none, unusable}, 302: {none, unusable}, 304: {none, unusable},
		},
		opRefresh: {
			400: {none, rejected}, 401: {ErrUnauthorized, rejected}, 403: {ErrUnauthorized, rejected}, 404: {none, rejected}, 422: {none, rejected},
			408: {none, temporary}, 425: {none, temporary}, 429: {none, temporary}, 500: {none, temporary}, 503: {none, temporary},
			302: {none, unusable},
		},
	}
	cases[opRevoke] = cases[opRefresh]
	for op, statuses := range cases {
		for status, want := range statuses {
			err := failure(t, op, status, nil, `{"message":"no"}`)
			var api *APIError
			if !errors.As(err, &api) || api.StatusCode != status || api.Op != string(op) || !strings.HasPrefix(api.Host, "127.0.0.1:") {
				t.Errorf("%s, %d: got %v, want an *APIError with the operation, the host and the status", op, status, err)
				continue
			}
			if got := api.Temporary(); got != (want.kind == temporary) {
				t.Errorf("%s, %d: temporary is %v, want %v", op, status, got, !got)
			}
			if got := kindOf(err); got != want.kind {
				t.Errorf("%s, %d: the kind is %v, want %v", op, status, got, want.kind)
			}
			for _, target := range []error{ErrInvalidCredentials, ErrUnauthorized, ErrMalformedToken, ErrClosed, ErrInsecureURL} {
				if got := errors.Is(fmt.Errorf("wrapped: %w", err), target); got != (target == want.is) {
					t.Errorf("%s, %d: is %q: %v, want %v", op, status, target, got, !got)
				}
			}
		}
	}
}

// S5: for code that knows oauth2's error.
func TestAnAPIErrorIsARetrieveErrorToo(t *testing.T) {
	header := http.Header{"X-Amzn-Requestid": {"request-1"}, "Set-Cookie": {"session=CANARY"}, "Location": {"https://a.example/?CANARY"}, "X-Auth-Token": {"CANARY"}}
	err := failure(t, opCreate, 401, header, `{"error":"Invalid email or password.","status":401,"type":"unauthorized"}`)
	var retrieve *oauth2.RetrieveError
	if !errors.As(fmt.Errorf("wrapped: %w", err), &retrieve) {
		t.Fatalf("got %v, want what errors.As turns into an *oauth2.RetrieveError", err)
	}
	if retrieve.Response.StatusCode != 401 || retrieve.Response.Status != "401 Unauthorized" || retrieve.Response.Body == nil {
		t.Errorf("its response is %+v, want a 401 with a body", retrieve.Response)
	}
	if retrieve.ErrorCode != "unauthorized" || retrieve.ErrorDescription != "Invalid email or password." {
		t.Errorf("it says %q and %q, want the server's type and message", retrieve.ErrorCode, retrieve.ErrorDescription)
	}
	if got := retrieve.Response.Header.Get("X-Amzn-Requestid"); got != "request-1" {
		t.Errorf("the request's id is %q, want the server's", got)
	}
	if text := fmt.Sprintf("%v %+v %s", retrieve, retrieve.Response.Header, retrieve.Body); strings.Contains(text, "CANARY") {
		t.Errorf("it shows a secret: %s", text)
	}
	retrieve.Response.Header.Set("X-Amzn-Requestid", "changed")
	var again *oauth2.RetrieveError
	if errors.As(err, &again); again.Response.Header.Get("X-Amzn-Requestid") != "request-1" {
		t.Error("what a caller changed in the header shows in the error")
	}
	var other *json.SyntaxError
	if errors.As(err, &other) {
		t.Error("it is a *json.SyntaxError as well, want only oauth2's")
	}
}

// S5: the messages of the API, of the gateway before it, and of nobody.
func TestAnErrorSaysWhatTheServerSaid(t *testing.T) {
	long := strings.Repeat("é", 300)
	cases := map[string]struct{ message, kind string }{
		`{"error":"No such user.","message":"No such user.","status":404,"type":"not_found"}`: {"No such user.", "not_found"},
		`{"error":"No such user."}`:                           {"No such user.", ""},
		`{"message":"Internal server error"}`:                 {"Internal server error", ""},
		`{"Message":"User is not authorized"}`:                {"User is not authorized", ""},
		`{"message":"","error":"the second"}`:                 {"the second", ""},
		`{"message":{"a":1},"error":"a string","type":7}`:     {"a string", ""},
		`{"message":"` + long + `"}`:                          {long[:2*redaction.LongestQuote], ""},
		"{\"message\":\"two\\nlines\\u0000\\u001b[31m red\"}": {"two lines[31m red", ""},
		"":                                  {"", ""},
		"\n\t ":                             {"", ""},
		"<html>\n<h1>502  Bad Gateway</h1>": {"<html> <h1>502 Bad Gateway</h1>", ""},
		"plain \x00\x01\xff\u202e words":    {"plain words", ""},
		"\x1f\x8b\x08\x00\x00\x00":          {"", ""},
		long:                                {long[:2*redaction.LongestQuote], ""},
		strings.Repeat("5 MB ", 1<<20):      {strings.TrimSpace(strings.Repeat("5 MB ", 40)), ""},
		`["a","b"]`:                         {`["a","b"]`, ""},
		`{"errors":[{"detail":"no"}]}`:      {`{"errors":[{"detail":"no"}]}`, ""},
		`{"message":"cut off`:               {`{"message":"cut off`, ""},
	}
	for body, want := range cases {
		for _, op := range []operation{opCreate, opRefresh, opRevoke} {
			var api *APIError
			if err := failure(t, op, 503, nil, body); !errors.As(err, &api) || api.Message != want.message || api.Type != want.kind {
				t.Errorf("%s with %.60q: got message %q and type %q (%v), want %q and %q", op, body, api.Message, api.Type, err, want.message, want.kind)
			}
		}
	}
}

// S5: what was tried, where, what came back and what to do.
func TestAnErrorTellsAPersonWhatToDo(t *testing.T) {
	cases := []struct {
		err  APIError
		want string
	}{
		{APIError{Op: "create", Host: "api.example.com", StatusCode: 401, Message: "Invalid email or password.", Type: "unauthorized"},
			`jwtsession: sign in at api.example.com: 401 Unauthorized: "Invalid email or password." (unauthorized); check the e-mail address and the password`},
		{APIError{Op: "create", Host: "api.example.com", StatusCode: 403},
			`jwtsession: sign in at api.example.com: 403 Forbidden; check the e-mail address, the password and the base URL`},
		{APIError{Op: "create", Host: "api.example.com", StatusCode: 404, Message: "Not Found"},
			`jwtsession: sign in at api.example.com: 404 Not Found: "Not Found"; check the base URL`},
		{APIError{Op: "refresh", Host: "api.example.com", StatusCode: 429, RetryAfter: 90 * time.Second},
			`jwtsession: refresh at api.example.com: 429 Too Many Requests; the server asks to wait 1m30s`},
		{APIError{Op: "revoke", Host: "api.example.com", StatusCode: 502},
			`jwtsession: log out at api.example.com: 502 Bad Gateway`},
	}
	for _, c := range cases {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// S5: errors that are no answer.
func TestErrorsOfTheNetworkAreTemporaryAndThoseOfTheProgramAreNot(t *testing.T) {
	down := &http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })}
	for op, call := range calls(clientOf(t, "https://api.example.com", down), "opaque") {
		err := call(t.Context())
		if kindOf(err) != temporary || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v, want the network's error, temporary", op, err)
		}
		if want := "jwtsession: " + op.String() + " at api.example.com: "; !strings.HasPrefix(fmt.Sprint(err), want) || strings.Count(fmt.Sprint(err), "api.example.com") != 1 {
			t.Errorf("%s: got %q, want it to begin with %q, and to say so once", op, err, want)
		}
	}
	// A provider's trouble is no verdict on the credentials, and passes through.
	gone := errors.New("the secret store is sealed")
	client, _ := NewClient("", CredentialsProviderFunc(func(context.Context) (Credentials, error) { return Credentials{}, gone }), nil)
	if _, err := client.Create(t.Context()); !errors.Is(err, gone) || kindOf(err) != unusable {
		t.Errorf("got %v, want the provider's error, not temporary", err)
	}
	if client, _ = NewClient("", nil, nil); client != nil {
		if _, err := client.Create(t.Context()); err == nil || kindOf(err) != unusable || !strings.Contains(err.Error(), "CredentialsProvider") {
			t.Errorf("without a provider: got %v, want an error that says what to give", err)
		}
	}
}

// S6: a date is taken against the server's own clock, if that is known.
func TestADateInRetryAfterIsTakenByTheServersClock(t *testing.T) {
	wrong := time.Now().Add(-5 * time.Hour).UTC()
	for date, want := range map[string]time.Duration{
		wrong.Format(http.TimeFormat): 2 * time.Minute,
		"":                            0, // by ours the date has passed
	} {
		header := http.Header{"Retry-After": {wrong.Add(2 * time.Minute).Format(http.TimeFormat)}, "Date": {cmp.Or(date, "unknown")}}
		var api *APIError
		if err := failure(t, opRefresh, 429, header, ""); !errors.As(err, &api) || api.RetryAfter != want {
			t.Errorf("with the Date %q: got %v, want a wait of %v", date, err, want)
		}
	}
}
