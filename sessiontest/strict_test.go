package sessiontest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// failures is a test that may fail without failing the one that looks.
type failures struct {
	mu  sync.Mutex
	all []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fmt.Sprintf(format, args...))
}

func (f *failures) take() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := strings.Join(f.all, "\n")
	f.all = nil
	return all
}

var _ Failer = (*testing.T)(nil)

// request is a call of the session, to be spoilt.
func request(t *testing.T, box *Server, method string) *http.Request {
	t.Helper()
	body := ""
	if method == "POST" {
		body = credentials(Email, Password)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, box.URL+"/session", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body = nil
		req.Header.Set("Authorization", "Bearer "+box.NewToken(Email, time.Hour))
	}
	if method != "DELETE" {
		req.Header.Set("Accept", "application/json")
	}
	return req
}

// K4
func TestAStrictBoxFailsTheTestThatMadeAWrongCall(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	del := func(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	chunked := func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), -1 }
	method := func(name string) func(*http.Request) { return func(r *http.Request) { r.Method = name } }
	query := func(r *http.Request) { r.URL.RawQuery = "a=1" }
	for _, opts := range [][]Option{nil, {WithTLS()}, {InMemory()}} {
		var failed failures
		box := NewServer(append(opts, Strict(&failed))...)
		for _, c := range []struct {
			method string
			spoil  func(*http.Request)
			want   string // in the failure; none if it is empty
		}{
			{"POST", func(*http.Request) {}, ""}, {"GET", func(*http.Request) {}, ""}, {"DELETE", func(*http.Request) {}, ""},
			{"POST", set("User-Agent", "any/1"), ""}, {"GET", set("Accept-Encoding", "identity"), ""},
			{"POST", set("User-Agent", ""), ""},

			{"GET", method("PUT"), "PUT /session"}, {"GET", method("PATCH"), "PATCH /session"}, {"GET", method("HEAD"), "HEAD /session"}, {"GET", method("OPTIONS"), "OPTIONS /session"},
			{"POST", set("Authorization", "Bearer x"), "Authorization"}, {"POST", set("Content-Type", "application/x-www-form-urlencoded"), "Content-Type"},
			{"POST", set("Content-Type", "application/json; charset=utf-8"), "Content-Type"}, {"POST", del("Content-Type"), "Content-Type"}, {"POST", del("Accept"), "Accept"}, {"POST", set("Accept", "*/*"), "Accept"},
			{"POST", set("X-Extra", "1"), "X-Extra"}, {"POST", set("Cookie", "a=b"), "Cookie"}, {"POST", query, "query"},
			{"POST", body(""), "body"}, {"POST", body("{}"), "body"}, {"POST", body(`{"email":"a"}`), "body"}, {"POST", body(`{"password":"a"}`), "body"}, {"POST", body(`{"email":"a","password":"b","c":1}`), "body"},
			{"POST", body(`{"Email":"a","Password":"b"}`), "body"}, {"POST", body(`{"email":"a","password":1}`), "body"}, {"POST", body(`{"email":"a","password":"b"}{}`), "body"}, {"POST", body(`[]`), "body"}, {"POST", body(`null`), "body"}, {"POST", body("email=a&password=b"), "body"},

			{"GET", set("Content-Type", "application/json"), "Content-Type"}, {"GET", del("Accept"), "Accept"}, {"GET", set("Accept", "text/html"), "Accept"}, {"GET", del("Authorization"), "Authorization"}, {"GET", set("Authorization", "Basic x"), "Authorization"},
			{"GET", set("Authorization", "Bearer "), "Authorization"}, {"GET", set("X-Extra", "1"), "X-Extra"}, {"GET", func(r *http.Request) { r.Header.Add("Accept", "application/json") }, "Accept"}, {"GET", query, "query"},
			{"GET", body("{}"), "body"}, {"GET", chunked, ""},

			{"DELETE", set("Content-Type", "application/json"), "Content-Type"}, {"DELETE", set("Accept", "application/json"), "Accept"}, {"DELETE", del("Authorization"), "Authorization"}, {"DELETE", body("{}"), "body"}, {"DELETE", query, "query"},
		} {
			req := request(t, box, c.method)
			c.spoil(req)
			res, err := box.Client().Do(req)
			if err != nil {
				t.Fatalf("%s: %v", req.Method, err)
			}
			res.Body.Close()
			got := failed.take()
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%s with %v: the test failed with %q, want %q", req.Method, req.Header, got, c.want)
			}
			if strings.Contains(got, Password) || strings.Contains(got, "eyJ") {
				t.Errorf("%s: the failure shows a secret: %s", req.Method, got)
			}
		}
		call(t, box, "PUT", "/files/1", "content", map[string]string{"X-Extra": "1", "Content-Type": "text/plain"})
		if got := failed.take(); got != "" {
			t.Errorf("a request for the resource fails the test: %s", got)
		}
		box.Close()
	}
}

// K4: it is not the default, since the API itself is not strict.
func TestABoxThatIsNotStrictAnswersAGeneratedClient(t *testing.T) {
	box := NewServer()
	defer box.Close()
	for _, method := range []string{"POST", "GET", "DELETE"} {
		req := request(t, box, method)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "*/*")
		req.Header.Set("X-Generated-By", "openapi")
		res, err := box.Client().Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: got %v, %v; want 200", method, res, err)
		}
		res.Body.Close()
	}
}
