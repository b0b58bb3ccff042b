package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// library is an API of pages and notes behind the session API in a box: what a
// request was comes back, but for the pages.
func library(t *testing.T) (*sessiontest.Server, *box) {
	box := sessiontest.NewServer()
	t.Cleanup(box.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/session":
			box.ServeHTTP(w, r)
			return
		case "/v1/pages":
			page := r.URL.Query().Get("page")
			switch page {
			case "":
				w.Header().Add("Link", `</v1/pages?page=9>; rel="last"`)
				w.Header().Add("Link", `</v1/pages>; rel=prev, </v1/pages?page=2>; title="a, b"; rel="next first"`)
			case "2":
				w.Header().Set("Link", "<http://"+r.Host+`/v1/pages?page=3>;rel=next`)
			case "3":
				w.Header().Set("Link", `<https://elsewhere.example.com/>; rel="nextish", <x>; rel="prev"`)
			case "round":
				w.Header().Set("Link", `<?page=round>; rel="next"`)
			case "foreign":
				w.Header().Set("Link", `<https://elsewhere.example.com/>; rel="next"`)
			}
			fmt.Fprintf(w, "page %s\n", page)
			return
		case "/v1/forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "/v1/away":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/v1/none":
			w.WriteHeader(http.StatusNotFound)
		}
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode(map[string]any{
			"request": r.Method + " " + r.URL.String(), "type": r.Header.Get("Content-Type"), "etag": strings.Join(r.Header.Values("If-Match"), ", "),
			"signedIn": strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey"), "body": string(body),
		})
	}))
	t.Cleanup(server.Close)
	return box, boxAt(t, server.URL+"/v1")
}

func TestAPIMakesARequestThatIsSignedIn(t *testing.T) {
	t.Parallel()
	_, b := library(t)
	type exchange struct {
		Request, Type, Etag, Body string
		SignedIn                  bool
	}
	note := t.TempDir() + "/note.json"
	if err := os.WriteFile(note, []byte(`{"n":7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const isJSON = "application/json"
	for _, c := range []struct {
		args []string
		code int
		want exchange
	}{
		{[]string{"GET", "/notes"}, exitOK, exchange{Request: "GET /v1/notes"}},
		{[]string{"get", "notes?a=1", "-f", "b=x y&z"}, exitOK, exchange{Request: "GET /v1/notes?a=1&b=x+y%26z"}},
		{[]string{"DELETE", b.base + "/notes/7"}, exitOK, exchange{Request: "DELETE /v1/notes/7"}},
		{[]string{"POST", "/notes", "-f", "text=a=b", "-f", "by="}, exitOK, exchange{Request: "POST /v1/notes", Type: isJSON, Body: `{"by":"","text":"a=b"}`}},
		{[]string{"PUT", "/notes/7", "--input", note, "-H", `If-Match: "3"`}, exitOK, exchange{Request: "PUT /v1/notes/7", Type: isJSON, Etag: `"3"`, Body: `{"n":7}`}},
		{[]string{"GET", "/notes", "-H", `If-Match: "3"`, "-H", `if-match:"4"`}, exitOK, exchange{Request: "GET /v1/notes", Etag: `"3", "4"`}},
		{[]string{"POST", "/notes", "--input", note, "-H", "content-type: text/plain"}, exitOK, exchange{Request: "POST /v1/notes", Type: "text/plain", Body: `{"n":7}`}},
		{[]string{"GET", "/forbidden"}, exitRejected, exchange{Request: "GET /v1/forbidden"}},
		{[]string{"GET", "/away"}, exitUnreachable, exchange{Request: "GET /v1/away"}},
		{[]string{"GET", "/none"}, exitFailure, exchange{Request: "GET /v1/none"}},
	} {
		code, stdout, stderr := b.run(t, append([]string{"api"}, c.args...)...)
		answer, rest := stdout, stderr
		if c.code != exitOK { // which a file of answers has nothing of
			answer, rest, _ = strings.Cut(stderr, "\n")
			if stdout != "" || !strings.HasPrefix(rest, "jwtsession: "+c.want.Request+": ") || strings.Count(rest, "\n") != 1 {
				t.Errorf("%q: got %q on stdout, and %q after the answer on stderr, want nothing, and one line", c.args, stdout, rest)
			}
		}
		var got exchange
		err := json.Unmarshal([]byte(answer), &got)
		c.want.SignedIn = true
		if err != nil || code != c.code || got != c.want || c.code == exitOK && rest != "" {
			t.Errorf("%q: got code %d, %+v, error %v, stdout %q and stderr %q, want %d and %+v", c.args, code, got, err, stdout, stderr, c.code, c.want)
		}
	}
}

func TestAPIFollowsTheLinksToTheNextPageAndNowhereElse(t *testing.T) {
	_, b := library(t)
	if code, stdout, _ := b.run(t, "api", "GET", "/pages", "--paginate"); code != exitOK || stdout != "page \npage 2\npage 3\n" {
		t.Errorf("got code %d and %q, want three pages", code, stdout)
	}
	if code, stdout, _ := b.run(t, "api", "GET", "/pages"); code != exitOK || stdout != "page \n" {
		t.Errorf("without --paginate: got code %d and %q, want one page", code, stdout)
	}
	code, stdout, stderr := b.run(t, "api", "GET", "/pages?page=foreign", "--paginate")
	if code != exitFailure || stdout != "page foreign\n" || !strings.Contains(stderr, "https://elsewhere.example.com/ is not of the API's origin") {
		t.Errorf("a page elsewhere: got code %d, %q and %q, want %d and that it gets no token", code, stdout, stderr, exitFailure)
	}
	code, stdout, stderr = b.run(t, "api", "GET", "/pages?page=round", "--paginate")
	if code != exitFailure || stdout != "page round\n" || !strings.Contains(stderr, "has been there already") {
		t.Errorf("a page that is its own next: got code %d, %d bytes and %q, want %d and one page", code, len(stdout), stderr, exitFailure)
	}
	code, _, stderr = b.run(t, "api", "GET", "https://elsewhere.example.com/")
	if code != exitUsage || !strings.Contains(stderr, "is not of the API's origin") {
		t.Errorf("a URL elsewhere: got code %d and %q, want %d and that it gets no token", code, stderr, exitUsage)
	}
}

// H1: what -H gives may be as secret as the token.
func TestARedirectOfAPIToAForeignHostTakesNoHeaderAlong(t *testing.T) {
	var got http.Header
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	t.Cleanup(foreign.Close)
	box := sessiontest.NewServer()
	t.Cleanup(box.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/session":
			box.ServeHTTP(w, r)
		case r.URL.Path == "/v1/near":
			http.Redirect(w, r, "/v1/far", http.StatusFound)
		case r.Header.Get("X-Api-Key") == "hunter2":
			http.Redirect(w, r, foreign.URL, http.StatusFound)
		}
	}))
	t.Cleanup(api.Close)
	code, _, stderr := boxAt(t, api.URL+"/v1").run(t, "api", "GET", "/near?key=hunter2", "-H", "X-Api-Key: hunter2", "-H", "authorization: Basic hunter2")
	if code != exitOK || got == nil || strings.Contains(fmt.Sprint(got), "hunter2") {
		t.Errorf("got code %d and %q, and the foreign host %v; want it to get none of the headers", code, stderr, got)
	}
}

// What -f gives may be as secret as what -H does.
func TestAPIDoesNotRepeatAQueryThatWasNotAnswered(t *testing.T) {
	b := newBox(t, "--fault", "resource:drop:all")
	host, path, _ := strings.Cut(strings.TrimPrefix(b.base, "http://"), "/")
	code, _, stderr := b.run(t, "api", "GET", "/me", "-f", "key=hunter2")
	if code != exitUnreachable || !strings.Contains(stderr, fmt.Sprintf("GET /%s/me at %s: EOF", path, host)) || strings.Contains(stderr, "hunter2") {
		t.Errorf("got code %d and %q, want %d, and what was asked for without its query", code, stderr, exitUnreachable)
	}
}

// What a script left empty, and what no request could carry, is no trouble of the
// network.
func TestAnArgumentOfAPIThatCannotBeMeantIsAMistake(t *testing.T) {
	_, b := library(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"GET", ""}, "the method or the path is empty"},
		{[]string{"", "/notes"}, "the method or the path is empty"},
		{[]string{"GET", "/notes", "-H", "a name: b"}, "give a name, a colon and a value"},
		{[]string{"GET", "/notes", "-H", "A: b", "-H", "Authorization Basic hunter2"}, "-H number 2 is no header"},
		{[]string{"GET", "/notes", "-H", "A: b\nC: d"}, "give a name, a colon and a value"},
		{[]string{"GET", "/notes", "-H", "host: other.example.com"}, "the URL and the body decide that"},
		{[]string{"GET", "/notes", "-H", "Content-Length: 7"}, "the URL and the body decide that"},
	} {
		if code, stdout, stderr := b.run(t, append([]string{"api"}, c.args...)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%q: got code %d, %q and %q, want %d and %q", c.args, code, stdout, stderr, exitUsage, c.want)
		}
	}
}

func TestAPIRenewsATokenThatTheServerRejects(t *testing.T) {
	b := newBox(t)
	first := b.token(t)
	if code, _, stderr := b.run(t, "api", "DELETE", "/session"); code != exitOK { // behind the session's back
		t.Fatalf("got code %d and %q", code, stderr)
	}
	code, stdout, stderr := b.run(t, "api", "GET", "/me")
	if code != exitOK || !strings.Contains(stdout, sessiontest.Email) || stderr != "" {
		t.Errorf("got code %d, %q and %q, want who is signed in", code, stdout, stderr)
	}
	if b.token(t) == first {
		t.Error("got the revoked token, want another one")
	}
}

// A cron job that waits for ever is started again, and again.
func TestAPIDoesNotWaitForEverForAnAnswer(t *testing.T) {
	t.Parallel()
	box := sessiontest.NewServer()
	defer box.Close()
	hung := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/session":
			box.ServeHTTP(w, r)
		case "/v1/slow": // begins in time, and goes on for longer than it could wait
			w.Write([]byte("first "))
			w.(http.Flusher).Flush()
			select {
			case <-time.After(2 * time.Second):
				w.Write([]byte("last\n"))
			case <-hung:
			}
		default:
			<-hung
		}
	}))
	defer server.Close()
	defer close(hung)
	b := boxAt(t, server.URL+"/v1")
	b.token(t)
	large := t.TempDir() + "/large"
	if err := os.WriteFile(large, make([]byte, 20<<20), 0o600); err != nil { // more than sockets take
		t.Fatal(err)
	}
	for _, args := range [][]string{{"GET", "/notes"}, {"POST", "/notes", "-f", "a=b"}, {"POST", "/notes", "--input", large}} {
		code, stdout, stderr := b.run(t, append([]string{"api", "--answer-timeout", "1s"}, args...)...)
		want := args[0] + " /v1/notes at " + strings.TrimPrefix(server.URL, "http://") + ": the API has not begun an answer within 1s (see --answer-timeout)"
		if code != exitUnreachable || stdout != "" || stderr != "jwtsession: "+want+"\n" {
			t.Errorf("%q: got code %d, %d bytes on stdout and %q, want %d, none and %q", args, code, len(stdout), stderr, exitUnreachable, want)
		}
	}
	if code, stdout, stderr := b.run(t, "api", "GET", "/slow", "--answer-timeout", "1s"); code != exitOK || stdout != "first last\n" {
		t.Errorf("a slow answer: got code %d, %q and %q, want all of it", code, stdout, stderr)
	}
	if code, _, stderr := b.run(t, "api", "GET", "/notes", "--answer-timeout", "0s"); code != exitUsage || !strings.Contains(stderr, "give more than zero") {
		t.Errorf("--answer-timeout 0s: got code %d and %q, want %d", code, stderr, exitUsage)
	}
}
