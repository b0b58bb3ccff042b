package proxy

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTheAccessLogHasALineForEachRequestAndNoSecret(t *testing.T) {
	const secret = "a-secret-of-the-clients"
	a := newAPI(t, nil)
	var log logged
	p := a.running(t, func(c *Config) { c.Secret, c.AccessLog = secret, NewAccessLog(&log) })
	get(t, p, "/me?token=canary", "Authorization: Bearer "+secret)
	a.box.RevokeAll()
	do(t, request(t, "POST", p.URL()+"/runs/a%2Fb", strings.NewReader("canary"), "Authorization: Bearer "+secret))
	get(t, p, "/me")
	get(t, p, "/-/healthz")
	send(t, p, "GET /x\"y HTTP/1.1\nHost: evil.test\n\n")
	want := []string{
		`{"method":"GET","path":"/me","status":200,"recovered":false}`,
		`{"method":"POST","path":"/runs/a%2Fb","status":200,"recovered":true}`,
		`{"method":"GET","path":"/me","status":403,"recovered":false,"code":"secret"}`,
		`{"method":"GET","path":"/-/healthz","status":200,"recovered":false}`,
		`{"method":"GET","path":"/x%22y","status":403,"recovered":false,"code":"host"}`,
	}
	for deadline := time.Now().Add(patience); strings.Count(log.String(), "\n") < len(want) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // a line is written after the answer
	}
	lines := bufio.NewScanner(strings.NewReader(log.String()))
	for _, want := range want {
		if !lines.Scan() {
			t.Fatalf("the log ended, want %s", want)
		}
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("got %s: %v", lines.Text(), err)
		}
		if line["bytes"].(float64) <= 0 || line["seconds"].(float64) <= 0 || line["time"] == nil {
			t.Errorf("got %s, want bytes, seconds and a time", lines.Text())
		}
		for _, name := range []string{"bytes", "seconds", "time"} {
			delete(line, name)
		}
		var due map[string]any
		json.Unmarshal([]byte(want), &due)
		got, _ := json.Marshal(line)
		if expected, _ := json.Marshal(due); string(got) != string(expected) {
			t.Errorf("got %s, want %s", got, expected)
		}
	}
	if strings.Contains(log.String(), "canary") || strings.Contains(log.String(), secret) {
		t.Errorf("the log has a secret in it:\n%s", log.String())
	}
}

func TestSeveralAPIsAreEachBelowTheirNames(t *testing.T) {
	one, other := newAPI(t, nil), newAPI(t, redirectTo("/v1/runs/7"))
	var log logged
	p := one.running(t, func(c *Config) {
		c.AccessLog = NewAccessLog(&log)
		c.APIs = []API{{Name: "work", BaseURL: one.base, Source: one.source}, {Name: "Lab-2", BaseURL: other.base, Source: other.source, ProtocolPaths: []string{"/token"}}}
	})
	if got := get(t, p, "/work/files/a%2fb?q=1"); got.status != 200 || one.last(t).target != "/v1/files/a%2fb?q=1" {
		t.Errorf("got %d of %v, want 200 of /v1/files/a%%2fb?q=1", got.status, one.last(t))
	}
	if got := get(t, p, "/work"); got.status != 200 || one.last(t).target != "/v1/" {
		t.Errorf("/work: got %d of %v, want 200 of /v1/", got.status, one.last(t))
	}
	if got := get(t, p, "/Lab-2/me").header.Get("Location"); got != "/Lab-2/runs/7" {
		t.Errorf("got Location %q, want /Lab-2/runs/7", got)
	}
	for path, c := range map[string]struct {
		status int
		code   string
	}{
		"/work/session": {403, "session"}, "/work/%73ession": {403, "session"}, "/Lab-2/token.json": {403, "session"}, "/work/../Lab-2/me": {400, "path"},
		"/": {404, "unknown_api"}, "/me": {404, "unknown_api"}, "/Work/me": {404, "unknown_api"}, "/lab-2/me": {404, "unknown_api"}, "/%77ork/me": {404, "unknown_api"}, "//work/me": {404, "unknown_api"},
	} {
		get(t, p, path).expect(t, path, c.status, c.code)
	}
	if got := get(t, p, "/-/readyz"); got.status != 200 {
		t.Errorf("/-/readyz: got %d %s, want 200", got.status, got.text)
	}
	other.source.Close()
	if got := get(t, p, "/-/readyz"); got.status != 503 || got.text != "not signed in Lab-2\n" {
		t.Errorf("/-/readyz without one of the sessions: got %d %q, want 503 and which", got.status, got.text)
	}
	if got := get(t, p, "/-/metrics").text; !strings.Contains(got, `jwtsession_expiry_seconds{profile="work"} `) || !strings.Contains(got, `jwtsession_expiry_seconds{profile="Lab-2"} 0`) {
		t.Errorf("got metrics without each profile's expiry:\n%.500s", got)
	}
	if !strings.Contains(log.String(), `"api":"work"`) {
		t.Errorf("got the access log\n%s\nwant the API's name", log.String())
	}
}
