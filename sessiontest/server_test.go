package sessiontest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// reply is what a call got: the status, the header, and whatever JSON the API
// has.
type reply struct {
	status    int
	header    http.Header
	text      string
	Token     string `json:"jwtToken"`
	ExpiresAt string
	Error     string
	Message   string
	Status    int
	Type      string
	Email     string
	Method    string
	Path      string
}

// send makes a call below the box's base.
func send(t testing.TB, box *Server, method, path, body string, header map[string]string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, box.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		req.Body = nil
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := box.Client().Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	got := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	json.Unmarshal(text, &got)
	return got, err
}

// call makes a call that is answered.
func call(t testing.TB, box *Server, method, path, body string, header map[string]string) reply {
	t.Helper()
	got, err := send(t, box, method, path, body, header)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func credentials(email, password string) string {
	body, _ := json.Marshal(map[string]string{"email": email, "password": password})
	return string(body)
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// K1: a life of a session, over HTTP and HTTPS.
func TestTheThreeOperationsAndTheResource(t *testing.T) {
	for name, opts := range map[string][]Option{"HTTP": nil, "HTTPS": {WithTLS()}, "in memory": {InMemory()}} {
		t.Run(name, func(t *testing.T) {
			box := NewServer(opts...)
			defer box.Close()
			if scheme := strings.SplitN(box.URL, ":", 2)[0]; (scheme == "https") != (name == "HTTPS") || !strings.HasSuffix(box.URL, "/v1") {
				t.Errorf("the URL is %s, want the scheme of %s and the path /v1", box.URL, name)
			}
			created := call(t, box, "POST", "/session", credentials(Email, Password), nil)
			if created.status != 200 || created.Token == "" || created.ExpiresAt == "" || created.header.Get("Content-Type") != "application/json" {
				t.Fatalf("POST: got %d with %q, want a session", created.status, created.text)
			}
			refreshed := call(t, box, "GET", "/session", "", bearer(created.Token))
			if refreshed.status != 200 || refreshed.Token == "" {
				t.Fatalf("GET: got %d with %q, want a session", refreshed.status, refreshed.text)
			}
			for _, token := range []string{created.Token, refreshed.Token} {
				got := call(t, box, "PUT", "/files/1", "content", bearer(token))
				if got.status != 200 || got.Email != Email || got.Method != "PUT" || got.Path != "/files/1" {
					t.Errorf("the resource: got %d with %q, want what it was asked by whom", got.status, got.text)
				}
			}
			if got := call(t, box, "DELETE", "/session", "", bearer(created.Token)); got.status != 200 || got.text != "{}" {
				t.Errorf("DELETE: got %d with %q, want 200 with {}", got.status, got.text)
			}
			for _, token := range []string{created.Token, refreshed.Token} {
				if got := call(t, box, "GET", "/me", "", bearer(token)); got.status != 401 || got.Status != 401 || got.Error == "" || got.Message != got.Error || got.Type == "" {
					t.Errorf("after the revocation: got %d with %q, want a 401 and an error of the API", got.status, got.text)
				}
			}
			if got, want := box.Counts(), (Counts{Creates: 1, Refreshes: 1, Revokes: 1, Resources: 4, Created: 1, Refreshed: 1, Revoked: 1, Served: 2, Unauthorized: 2}); got != want {
				t.Errorf("the counts are %+v, want %+v", got, want)
			}
		})
	}
}

// K1
func TestOnlyTheRightCredentialsSignIn(t *testing.T) {
	box := NewServer(WithUser("a@example.com", "a"), WithUser("empty@example.com", ""))
	defer box.Close()
	for body, want := range map[string]int{
		credentials("a@example.com", "a"):        200,
		credentials("a@example.com", "b"):        401,
		credentials("a@example.com", ""):         401,
		credentials("A@example.com", "a"):        401,
		credentials("", ""):                      401,
		credentials("empty@example.com", ""):     401,
		credentials(Email, Password):             401, // the user of a box without others
		`{"email":"a@example.com"}`:              401,
		`{}`:                                     401,
		``:                                       400,
		`email=a@example.com&password=a`:         400,
		`{"email":"a@example.com","password":1}`: 400,
		`{"email":"a@example.com","password":"a","extra":true}`: 200,
	} {
		if got := call(t, box, "POST", "/session", body, nil); got.status != want || (got.Token != "") != (want == 200) {
			t.Errorf("%s: got %d with %q, want %d", body, got.status, got.text, want)
		}
	}
}

// K1: the revocation of one user's sessions is nothing to the others.
func TestARevocationEndsAllSessionsOfOneUser(t *testing.T) {
	for name, revoke := range map[string]func(box *Server, token string){
		"a DELETE":  func(box *Server, token string) { call(t, box, "DELETE", "/session", "", bearer(token)) },
		"Revoke":    func(box *Server, _ string) { box.Revoke("a@example.com"); box.Revoke("nobody@example.com") },
		"RevokeAll": func(box *Server, _ string) { box.RevokeAll() },
	} {
		box := NewServer(WithUser("a@example.com", "a"), WithUser("b@example.com", "b"))
		mine, other := box.NewToken("a@example.com", time.Hour), box.NewToken("b@example.com", time.Hour)
		revoke(box, mine)
		if got := call(t, box, "GET", "/session", "", bearer(mine)).status; got != 401 {
			t.Errorf("%s: the user's token gets %d, want 401", name, got)
		}
		if got := call(t, box, "GET", "/session", "", bearer(other)).status; (got == 200) != (name != "RevokeAll") {
			t.Errorf("%s: the other user's token gets %d", name, got)
		}
		box.Close()
	}
}

// K1
func TestAChangedPasswordIsTheOnlyOneFromThenOn(t *testing.T) {
	box := NewServer()
	defer box.Close()
	token := call(t, box, "POST", "/session", credentials(Email, Password), nil).Token
	box.SetPassword(Email, "new")
	box.SetPassword("new@example.com", "x")
	for body, want := range map[string]int{credentials(Email, Password): 401, credentials(Email, "new"): 200, credentials("new@example.com", "x"): 200} {
		if got := call(t, box, "POST", "/session", body, nil).status; got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
	if got := call(t, box, "GET", "/me", "", bearer(token)).status; got != 200 {
		t.Errorf("a token from before: got %d, want 200", got)
	}
}

// K1
func TestOtherMethodsAndPathsAreErrorsOfTheAPI(t *testing.T) {
	box := NewServer()
	defer box.Close()
	got := call(t, box, "PUT", "/session", "", bearer(box.NewToken(Email, time.Hour)))
	if got.status != 405 || got.header.Get("Allow") != "POST, GET, DELETE" {
		t.Errorf("PUT /session: got %d and Allow %q, want 405 and the three methods", got.status, got.header.Get("Allow"))
	}
	res, err := box.Client().Get(strings.TrimSuffix(box.URL, "/v1") + "/elsewhere")
	if err != nil || res.StatusCode != 404 {
		t.Fatalf("outside of the base: got %v, %v; want 404", res, err)
	}
	res.Body.Close()
}

// K1: the box can be a handler of another server.
func TestTheBoxIsAHandler(t *testing.T) {
	box := NewServer()
	defer box.Close()
	recorder := httptest.NewRecorder()
	box.ServeHTTP(recorder, httptest.NewRequest("POST", "/v1/session", strings.NewReader(credentials(Email, Password))))
	if recorder.Code != 200 || !strings.Contains(recorder.Body.String(), "jwtToken") {
		t.Errorf("got %d with %q, want a session", recorder.Code, recorder.Body)
	}
}

// K1
func TestAnObserverIsToldEachCall(t *testing.T) {
	var mu sync.Mutex
	var seen []Call
	box := NewServer(WithObserver(func(c Call) { mu.Lock(); defer mu.Unlock(); seen = append(seen, c) }))
	token := call(t, box, "POST", "/session", credentials(Email, Password), nil).Token
	box.Inject(OpRefresh, 1, Fault{Status: 503})
	call(t, box, "GET", "/session", "", bearer(token))
	call(t, box, "GET", "/me", "", bearer(token))
	call(t, box, "DELETE", "/session", "", bearer(token))
	call(t, box, "GET", "/me", "", bearer(token))
	box.Close()
	want := []Call{
		{Op: OpCreate, Method: "POST", Path: "/v1/session", Status: 200, Email: Email},
		{Op: OpRefresh, Method: "GET", Path: "/v1/session", Status: 503, Fault: true},
		{Op: OpResource, Method: "GET", Path: "/v1/me", Status: 200, Email: Email},
		{Op: OpRevoke, Method: "DELETE", Path: "/v1/session", Status: 200, Email: Email},
		{Op: OpResource, Method: "GET", Path: "/v1/me", Status: 401},
	}
	if len(seen) != len(want) {
		t.Fatalf("the observer was told %d calls, want %d", len(seen), len(want))
	}
	for i, got := range seen {
		if got.Start.IsZero() || got.Duration < 0 {
			t.Errorf("call %d: got start %v and duration %v", i, got.Start, got.Duration)
		}
		got.Start, got.Duration = time.Time{}, 0
		if got != want[i] {
			t.Errorf("call %d: got %+v, want %+v", i, got, want[i])
		}
	}
}

// K1
func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	box := NewServer()
	defer box.Close()
	taken := strings.TrimSuffix(strings.TrimPrefix(box.URL, "http://"), "/v1")
	if _, err := Start(WithAddr(taken)); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("a port that is taken: got %v, want an error that names it", err)
	}
	if _, err := Start(InMemory(), WithTLS()); err == nil {
		t.Error("in memory with TLS: got no error")
	}
	defer func() {
		if recover() == nil {
			t.Error("NewServer did not panic")
		}
	}()
	NewServer(WithAddr(taken))
}

// K1
func TestCloseMayBeCalledAgain(t *testing.T) {
	box := NewServer(InMemory())
	client := box.Client()
	box.Close()
	box.Close()
	if _, err := client.Get(box.URL + "/me"); err == nil {
		t.Error("a closed server answers")
	}
}

// X1: a test's log is no place for the passwords of a box.
func TestAServerShowsItsURLAndNothingElse(t *testing.T) {
	const password = "CANARY-password"
	box := NewServer(WithUser("CANARY@example.com", password), WithSigningKey([]byte("CANARY-key")), WithExtra(map[string]string{"tenant": "CANARY"}))
	defer box.Close()
	box.NewOneTimeCode("CANARY@example.com")
	for box, want := range map[*Server]string{
		box: "sessiontest.Server(" + box.URL + ")",
		{}:  "sessiontest.Server()", // which was not started
		nil: "<nil>",
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if got := fmt.Sprintf(verb, box); got != want {
				t.Errorf("%s: got %s, want %s", verb, got, want)
			}
		}
		if got := fmt.Sprintf("%v", struct{ Box *Server }{box}); got != "{"+want+"}" {
			t.Errorf("in a struct: got %s, want {%s}", got, want)
		}
	}
	for _, got := range []string{
		fmt.Sprintf("%+v %#v", WithUser("CANARY@example.com", password), WithUser("CANARY@example.com", password)),
		fmt.Sprintf("%+v %#v", struct{ box *Server }{box}, []any{box, map[string]any{"box": box}}),
	} {
		if strings.Contains(got, "CANARY") {
			t.Errorf("got %s, want nothing that the box was given", got)
		}
	}
	text, err := json.Marshal(box)
	if want := `{"URL":"` + box.URL + `"}`; err != nil || string(text) != want {
		t.Errorf("as JSON: got %s and error %v, want %s", text, err, want)
	}
}
