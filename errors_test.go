package jwtsession

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/internal/redaction"
	"github.com/jwtsession/jwtsession/sessiontest"
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

// S5: what has a time to wait is a limit, whatever its name.
func TestA403ThatAsksToWaitIsALimitOfTheRate(t *testing.T) {
	for op, wait := range map[operation]string{opCreate: "30", opRefresh: "30", opRevoke: time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		err := failure(t, op, 403, http.Header{"Retry-After": {wait}}, "")
		var api *APIError
		if !errors.As(err, &api) || !api.Temporary() || kindOf(err) != temporary || errors.Is(err, ErrInvalidCredentials) || errors.Is(err, ErrUnauthorized) || retryAfterOf(err) <= 0 {
			t.Errorf("%s: got %v, want it temporary, and no judgement", op, err)
		}
		for _, wait := range []string{"0", "-1", "soon"} {
			if err := failure(t, op, 403, http.Header{"Retry-After": {wait}}, ""); kindOf(err) != rejected {
				t.Errorf("%s with Retry-After %s: got %v, want it permanent", op, wait, err)
			}
		}
		if err := failure(t, op, 401, http.Header{"Retry-After": {"30"}}, ""); kindOf(err) != rejected {
			t.Errorf("%s: got %v, want a 401 permanent", op, err)
		}
	}
}

// S5: for an issuer of somebody else's.
func TestAnIssuersErrorIsThatOfItsAnswerWithoutItsSecrets(t *testing.T) {
	const secret = "CANARY-9f8e7d6c"
	body := &stream{Reader: strings.NewReader(`{"error":"invalid_grant","error_description":"no such thing"}`)}
	request := func(change func(*http.Request), body string) *http.Request {
		req, _ := http.NewRequest("POST", "https://api.example.com:8443/token", strings.NewReader(body))
		if change != nil {
			change(req)
		}
		return req
	}
	res := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"7"}, "X-Request-Id": {"request-1"}}, Body: body, Request: request(nil, "")}
	got := NewAPIError("refresh", res)
	if want := `jwtsession: refresh at api.example.com:8443: 429 Too Many Requests: "no such thing" (invalid_grant); the server asks to wait 7s`; got.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
	if body.closed != 1 || !body.ended || !got.Temporary() {
		t.Errorf("the body was closed %d times and read to its end: %v, want both, and the error temporary", body.closed, body.ended)
	}
	for name, req := range map[string]*http.Request{
		"a bearer token":     request(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }, ""),
		"a password":         request(func(r *http.Request) { r.SetBasicAuth("clerk", secret) }, ""),
		"a header":           request(func(r *http.Request) { r.Header.Set("X-Auth-Token", secret) }, ""),
		"a cookie":           request(func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "SID", Value: secret}) }, ""),
		"a query":            request(func(r *http.Request) { r.URL.RawQuery = "sid=" + secret }, ""),
		"a URL's password":   request(func(r *http.Request) { r.URL.User = url.UserPassword("clerk", secret) }, ""),
		"a JSON body":        request(nil, `{"username":"clerk","nested":{"password":"`+secret+`"}}`),
		"a user in JSON":     request(nil, `{"user":{"email":"clerk@example.com","password":"`+secret+`"}}`),
		"a body of anything": request(nil, `<password>`+secret+`</password>`),
		"a form": request(func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		},
			"grant_type=password&scope=read&username=clerk%40example.com&password="+secret),
	} {
		for _, text := range []string{"you sent " + secret, jsonOf(map[string]string{"message": "it ends in " + secret[10:], "type": secret})} {
			e := NewAPIError("create", &http.Response{StatusCode: 401, Header: http.Header{"X-Request-Id": {secret}}, Body: newBody(text), Request: req})
			shownNowhere(t, name, e)
			if !strings.Contains(e.Message, "left out") || strings.Contains(e.Error(), secret[10:]) {
				t.Errorf("%s: got %v, want the text left out", name, e)
			}
		}
		const fine = "Invalid username or password for grant_type password."
		if name == "a form" || name == "a JSON body" || name == "a bearer token" {
			if e := NewAPIError("create", &http.Response{StatusCode: 401, Body: newBody(fine), Request: req}); e.Message != fine || !errors.Is(e, ErrInvalidCredentials) {
				t.Errorf("%s: got %v, want what the server says", name, e)
			}
		}
	}
	for _, res := range []*http.Response{{StatusCode: 500}, {StatusCode: 302, Header: http.Header{"Location": {"https://" + secret + "/"}}}, {StatusCode: 307, Request: &http.Request{}}} {
		if e := NewAPIError("create", res); e.StatusCode != res.StatusCode || strings.Contains(e.Error(), "CANARY") {
			t.Errorf("got %v, want an error of status %d that shows no target", e, res.StatusCode)
		}
	}
	moved := &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://other.example.com/CANARY?CANARY"}}, Request: request(nil, "")}
	if e := NewAPIError("create", moved); e.Message != "a redirect to other.example.com, which is not followed" {
		t.Errorf("got %v, want the host that the redirect names", e)
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
		`{"error":"invalid_grant","error_description":"The refresh token has expired."}`:   {"The refresh token has expired.", "invalid_grant"},
		`{"detail":"No active account found with the given credentials"}`:                  {"No active account found with the given credentials", ""},
		`{"type":"https://example.com/probs/no","title":"Not here","detail":"Look again"}`: {"Look again", "https://example.com/probs/no"},
		`{"type":"about:blank","title":"Not here","status":404}`:                           {"Not here", "about:blank"},
		`{"errors":[{"detail":"no"}]}`:                                                     {"no", ""},
		`{"errors":[{"message":"no","detail":"not at all"},{"message":"second"}]}`:         {"no", ""},
		`{"errors":{"email":["is no address"]},"title":"One is wrong"}`:                    {"One is wrong", ""},
		`{"errors":["a","b"],"error":"c"}`:                                                 {"a", ""},
		`{"errors":["Wrong password"]}`:                                                    {"Wrong password", ""},
		`{"errors":["",{"message":"second"}],"error":"c"}`:                                 {"c", ""},
		`{"error":{"message":"Wrong password","type":"auth","code":7}}`:                    {"Wrong password", "auth"},
		`{"error":{"Message":"Wrong password"},"type":"none"}`:                             {"Wrong password", "none"},
		`{"error":{"code":401,"errors":[{"message":"Wrong password"}]}}`:                   {"Wrong password", ""},
		`{"detail":[{"loc":["body"],"msg":"field required"}]}`:                             {"field required", ""},
		`{"error":{"code":401}}`:                                                           {`{"error":{"code":401}}`, ""},
		`{"errors":[]}`:                                                                    {`{"errors":[]}`, ""},
		`{"msg":"Bad token","error":7}`:                                                    {"Bad token", ""},
		`{"statusCode":401,"message":"Who?","error":"Unauthorized"}`:                       {"Who?", ""},
		`{"message":null,"detail":{"a":1},"msg":"","title":"a title"}`:                     {"a title", ""},
		`{"message":"cut off`:                                                              {`{"message":"cut off`, ""},
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

// X4 is about what others say: our own words may have something in common with a
// password, as a redirect with a horse.
func TestTheHostOfARedirectIsNamedWhateverThePasswordIs(t *testing.T) {
	moved := httptest.NewServer(http.RedirectHandler("https://login.example.com/", http.StatusFound))
	defer moved.Close()
	ts, err := New(Config{BaseURL: moved.URL, Credentials: Credentials{Email: "clerk@example.com", Password: "correct to, which is not followed"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ts.Close()
	if _, err := ts.Token(); err == nil || !strings.Contains(err.Error(), "a redirect to login.example.com, which is not followed") {
		t.Errorf("got %v, want an error that names the host", err)
	}
}

// A context's error alone tells nobody what to do.
func TestACallerWhoseContextEndsIsToldOfTheLastAttempt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Status: 503})
		ts := newSource(t, box)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := ts.TokenContext(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "503 Service Unavailable") {
			t.Errorf("got %v, want the context's error, and what the server said", err)
		}
	})
}

// E5: which API an issuer's is, the base URL tells.
func TestAnIssuersMistakeIsToldWithTheHostWhereThatIsKnown(t *testing.T) {
	for base, want := range map[string]string{"https://api.example.com/v1": "sign in at api.example.com: ", "": "sign in: "} {
		ts := newSourceOf(t, Config{BaseURL: base, Issuer: &issuerFuncs{create: func(context.Context) (Session, error) {
			return Session{Token: "two words"}, nil
		}}})
		if _, err := ts.Token(); !errors.Is(err, ErrMalformedToken) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
