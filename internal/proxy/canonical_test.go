package proxy

import (
	"slices"
	"strings"
	"testing"
)

func TestTheSessionsPathIsRefusedInEverySpelling(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	get(t, p, "/me")
	before := len(a.got())
	for _, path := range []string{
		"/session", "/SESSION", "/Session/", "/sEsSiOn", "/session;x=1", "/;/session", "/;x/session", "/session.json", "/session.", "/session..json",
		"/session%20", "/session%20/", "/%20session", "/session+", "/%73ession", "/%2573ession", "/%252573ession", "/session%3fx", "/session%3Fx/y",
		"/session%23x", "/session%253fx", "/%5csession", "/session%5c", "/.%5csession", "//session", "/./session", "/.;/session", "/%2e/session",
		"/%2fsession", "/session%2f", "/session%2f.", "/session%3bx", "/session;/x", "/ses%ef%bd%93ion", "/%ef%bc%8fsession", "/%c5%bfession",
		"/ses%c5%bfion", "/sess%c4%b1on", "/session%e2%80%8b", "/s%c2%adession", "/%25u0073ession", "/%c1%b3ession", "/session%c0%af", "/session%e3%80%80",
		"/session?x", "/session.json?x", "/session.JSON;x",
		"/session%e2%80%a8", "/session%e2%80%a9", "/session%c2%85", "/session%85", "/%c2%85session", // spaces of other kinds
		"/%f8%80%80%81%b3ession", "/%fc%80%80%80%81%b3ession", "/%F8%80%80%81%B3ession", "/sessio%C1%AE", "/%c1%25U0025b3ession", // UTF-8 in five bytes and six (RFC 2279)
		"/se%c3%9fion", "/se%e1%ba%9eion", "/s%c3%a9ssion", "/se%cc%81ssion", "/%c5%9bession", // as case folding and narrower alphabets have them
		"/session%ff", "/ses%80sion", "/%fe/session", "/session%25ff", "/s%c3ession%c3", // bytes that are no UTF-8, which some decoders leave out
		"/session:", "/session::$DATA", "/session::$INDEX_ALLOCATION", "/session:$I30:x", "/session%3a", "/session:/", "/session::%24data/", "/session.json:", // streams of a file
	} {
		for _, method := range []string{"GET", "DELETE", "POST"} {
			send(t, p, method+" "+path+" HTTP/1.1\nHost: HOST\nConnection: close\n\n").expect(t, method+" "+path, 403, "session")
		}
	}
	if got := len(a.got()) - before; got != 0 {
		t.Errorf("the API got %d of them, want none", got)
	}
	if c := a.box.Counts(); c.Revokes != 0 || c.Creates != 1 || c.Refreshes != 0 {
		t.Errorf("the API got %+v, want no session call but the proxy's own sign-in", c)
	}
	for _, path := range []string{"/sessions", "/sessions/7", "/session/7", "/me/session", "/asession", "/session-1", "/Sessions.json", "/a%20session", "/session:end", "/a:session", "/s%e9ance", "/%25x0073ession"} {
		if got := get(t, p, path); got.status != 200 {
			t.Errorf("%s: got %d, want 200", path, got.status)
		}
	}
}

func TestNoReadingOfAPathLeadsOut(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	for _, path := range []string{
		"/..%3fx", "/..%23x", "/..%253fx", "/%c0%ae%c0%ae", "/%c0%ae%c0%ae/x", "/%e0%80%ae%e0%80%ae", "/%f0%80%80%ae.", "/%ef%bc%8e%ef%bc%8e",
		"/..%e2%80%8b", "/.%e2%80%8b.", "/%e2%80%a5", "/..%c0%af", "/..%ef%bc%8fx", "/..%ef%bc%bcx", "/..%e2%88%95x", "/..%e2%81%84x", "/%25u002e%25u002e/x", "/%25u002e./x",
		"/..%c2%a0", "/..+", "/%25u002e.", "/%e2%80%a4%e2%80%a4", "/..%c2%ad", "/%25c0%ae%c0%25ae/x", "/%25uff0e%25uff0e/x", "/..%25u2215x", "/.%f8%80%80%80%ae", "/%fc%80%80%80%80%ae.",
		"/..%e2%80%a8", "/..%c2%85", "/..%85", "/.%cc%81.",
		"/.%20./x", "/.+./x", "/.%20.%20/x", "/..%20./x", "/.%c2%a0./x", "/..%ff/x", "/.%ff./x", "/%80../x", "/..%25ff", "/..:/x", "/..::$INDEX_ALLOCATION/x",
	} {
		send(t, p, "GET "+path+" HTTP/1.1\nHost: HOST\n\n").expect(t, path, 400, "path")
	}
	a.expectNothingAsked(t, "a path that leads out")
	for _, path := range []string{"/%c3%a9t%c3%a9", "/%e9t%e9", "/%e6%97%a5%e6%9c%ac", "/%F0%9F%8F%83", "/a%e2%80%a6", "/v1..2", "/...", "/a.%20.b", "/.%20/x", "/a:b", "/12:30:00", "/a%3fb", "/a%23b", "/100%25", "/%25zz"} {
		if got := send(t, p, "GET "+path+" HTTP/1.1\nHost: HOST\n\n"); got.status != 200 || a.last(t).target != "/v1"+path {
			t.Errorf("%s: got %d, want 200, and the path as it came", path, got.status)
		}
	}
}

func TestTheProtocolsPathsAreOfTheAPIsOwn(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) {
		c.APIs[0].ProtocolPaths = []string{"/api/token/", "/api/token/refresh/", "/login.php", "/users/{id}/logout", "/auth/{token}", "/Seats({id})/end", "/Fermé", "/authorize", "/.leave", strings.Repeat("/deep", mostSegments)}
	})
	for path, want := range map[string]int{
		"/api/token": 403, "/API/token/": 403, "/api//token.json": 403, "/api/token/refresh": 403, "/api/token/other": 200, "/api": 200,
		"/login": 403, "/login.php": 403, "/login.PHP%20": 403, "/users/7/logout": 403, "/users/logout": 200, "/users/7/logout/x": 200, "/Seats(7)/End": 403,
		"/auth/7": 403, "/auth/7.json": 403, "/auth": 200, "/auth/a%2fb": 403, "/auth/a/b": 403, "/seats(7)": 200, "/session": 200,
		"/ferm%c3%a9": 403, "/FERM%C3%89": 403, "/ferme": 403, "/Authorize": 403, "/authoriZe": 403, "/.leave": 403, "/.other": 200,
		strings.Repeat("/deep", mostSegments): 403, strings.Repeat("/deep", mostSegments-1): 200,
	} {
		got := send(t, p, "GET "+path+" HTTP/1.1\nHost: HOST\n\n")
		if got.status != want && !(path == "/session" && got.status != 403) {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.text, want)
		}
	}
	for _, path := range []string{"", "/", "/..", "/;x", "/a\x00", "/a\x7f", strings.Repeat("/x", mostSegments+1)} {
		if _, err := parseProtocolPaths([]string{path}); err == nil {
			t.Errorf("the protocol's own path %q: got no error, want one", path)
		}
	}
}

// The library escapes what it puts into a path; servers undo that before they look
// at the slashes, or after.
func TestAValueWithASlashInItHidesNoPathOfTheProtocols(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) {
		c.APIs[0].ProtocolPaths = []string{"/users/{email}/session", "/{tenant}/{id}/end"}
	})
	for _, path := range []string{
		"/users/x/session", "/users/team%2Fa/session", "/users/team%252Fa/session", "/users/team%5Ca/session", "/users/team/a/session", "/users/a/session/session",
		"/users/a%2Fb%2Fc/session.json", "/users/%3Bx/session", "/users/%3Fx/session", "/users/%23/session/;/", "/users/a%3Bb/session;x",
		"/a/b/end", "/a/b/c/end", "/a%2Fb/c/end/", "/a/;x/end", "/%20/b/end.json",
	} {
		send(t, p, "DELETE "+path+" HTTP/1.1\nHost: HOST\n\n").expect(t, path, 403, "session")
	}
	a.expectNothingAsked(t, "a path of the protocol's")
	for _, path := range []string{"/users/session", "/users/x/sessions", "/users/x/session/y", "/users/x/session.json/y", "/user/x/session", "/a/end"} {
		if got := send(t, p, "DELETE "+path+" HTTP/1.1\nHost: HOST\n\n"); got.status == 403 {
			t.Errorf("%s: got %d %s, want it passed on", path, got.status, got.text)
		}
	}
}

func TestHeadersThatChangeThePathOrTheMethodDoNotPass(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	for _, name := range []string{
		"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Http-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override",
		"X_Original_URL", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Method", "X-Override-Url",
		"X.Original.Url", "X-Original!Url", "x.http~method-override", "X-Envoy-Original-Path", "X-Replaced-Path",
		"X-Middleware-Rewrite", "X-Middleware-Subrequest", "X-Matched-Path", "X-Now-Route-Matches", "X-Invoke-Path", "X-Invoke-Query", "X_middleware_rewrite", "X-Original-Target",
		"X-Waws-Unencoded-Url", "X-Sendfile-Type", "X-Accel-Mapping",
	} {
		send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+name+": /session\n\n")
		for got, values := range a.last(t).header {
			if len(values) > 0 && values[0] == "/session" {
				t.Errorf("%s: the API got %s: %q, want none", name, got, values)
			}
		}
	}
}

func FuzzAPathThatPassesIsNoSpellingOfTheSessions(f *testing.F) {
	own, err := parseProtocolPaths(PacerProPaths)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"/session", "/%73ession", "/a/b", "/Session;x", "/%0%8\xc500", "/%2573ession%3f", "/ſession", "/x%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		readings, ok := readingsOf(path)
		if !ok || slices.ContainsFunc(readings[:], own.have) {
			return
		}
		// Whatever layer a server takes off a path that passes, what is left passes.
		for _, left := range []string{unescape(path), strings.ToValidUTF8(unescape(path), "")} {
			if again, ok := readingsOf(left); !ok || slices.ContainsFunc(again[:], own.have) {
				t.Errorf("%q passes, and %q does not", path, left)
			}
		}
	})
}
