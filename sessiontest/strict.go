package sessiontest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// inspect fails the strict test whose call is not as the API describes it.
func (s *Server) inspect(read reading, r *http.Request, body []byte) {
	t, op := s.options.strict, read.op
	t.Helper()
	if read.wrong != nil {
		t.Errorf("sessiontest: %s %s: %v", r.Method, r.URL.Path, read.wrong)
	}
	if s.speaker != nil || r.URL.Path != sessionPath {
		return
	}
	if op == OpResource {
		t.Errorf("sessiontest: %s /session: the session knows POST, GET and DELETE only", r.Method)
		return
	}
	want := map[Op]map[string]string{
		OpCreate:  {"Accept": "application/json", "Content-Type": "application/json"},
		OpRefresh: {"Accept": "application/json", "Authorization": "Bearer …"},
		OpRevoke:  {"Authorization": "Bearer …"},
	}[op]
	for _, name := range sortedKeys(want) {
		got := r.Header.Values(name)
		switch {
		case len(got) != 1:
			t.Errorf("sessiontest: %s /session: got %d %s headers, want one: %s", r.Method, len(got), name, want[name])
		case name == "Authorization":
			if token, found := strings.CutPrefix(got[0], "Bearer "); !found || token == "" {
				t.Errorf("sessiontest: %s /session: the Authorization header is no bearer token", r.Method)
			}
		case got[0] != want[name]:
			t.Errorf("sessiontest: %s /session: %s is %q, want %q", r.Method, name, got[0], want[name])
		}
	}
	for _, name := range sortedKeys(r.Header) {
		switch name {
		case "User-Agent", "Accept-Encoding", "Content-Length", "Connection", "Host":
		default:
			if _, belongs := want[name]; !belongs {
				t.Errorf("sessiontest: %s /session: got a %s header, want none", r.Method, name)
			}
		}
	}
	if r.URL.RawQuery != "" {
		t.Errorf("sessiontest: %s /session: got a query, want none", r.Method)
	}
	s.inspectBody(op, r, body)
}

func (s *Server) inspectBody(op Op, r *http.Request, body []byte) {
	t := s.options.strict
	t.Helper()
	if op != OpCreate {
		if len(body) > 0 || len(r.TransferEncoding) > 0 {
			t.Errorf("sessiontest: %s /session: got a body of %d bytes, want none", r.Method, len(body))
		}
		return
	}
	var credentials map[string]string
	if err := json.Unmarshal(body, &credentials); err != nil || !slices.Equal(sortedKeys(credentials), []string{"email", "password"}) {
		t.Errorf(`sessiontest: POST /session: the body is not {"email":…,"password":…}`)
	}
}

// sortedKeys is for messages that read the same each time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
