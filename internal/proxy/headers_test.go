package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jwtsession/jwtsession"
)

// unwanted are headers that pass neither way, in no form.
var unwanted = []string{
	"X-Real-Ip", "X-Client-Ip", "Via", "X-Forwarded-For", "X-Forwarded-Client-Cert", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip",
	"X_Forwarded_For", "X_real_ip", "X-Envoy-External-Address", "X.Real.Ip", "X-Forwarded.For", "Proxy-Authorization", "Keep-Alive", "Jwtsession-Secret",
	"Forwarded-For", "X-Original-For", "Ali-Cdn-Real-Ip", "X-Original-Forwarded-For", "X-Vercel-Forwarded-For", "X-Proxied-For", "Cdn-Src-Ip", "X-Nf-Client-Connection-Ip",
	"Do-Connecting-Ip", "X-Ms-Forwarded-Client-Ip", "Incap-Client-Ip", "Akamai-Client-Ip", "Fastly-Client-Ip", "Fly-Client-Ip", "Cf-Connecting-Ipv6", "Cf-Pseudo-Ipv4",
	"X-Azure-Clientip", "X-Azure-Socketip", "X-Sucuri-Clientip", "Clientip", "Z-Forwarded-For", "X-Realip", "X-ProxyUser-Ip", "Wl-Proxy-Client-Ip", "Proxy-Client-Ip", "X-Appengine-User-Ip",
	"X-Appengine-City", "Cloudfront-Viewer-Address", "Cloudfront-Viewer-Country", "Cf-Ipcity", "X-Vercel-Ip-City", "X-Remote-Addr", "Remote-Addr", "X-Client-Addr", "X-Client-Address", "X-Client-Cert-Chain", "X-Client-Geo-Location",
	"Client-Ip", "X-Originating-Ip", "X-Forwarded", "X-Ip", "Forwarded_for", "X_source_ip", "X-Akamai-Edgescape", "X-Bluecoat-Via", "Client-Cert", "Client-Cert-Chain", "Ssl-Client-Cert", "X-Ssl-Client-Dn",
}

func TestWhatTellsOfTheClientsNetworkPassesInNoForm(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	raw := "POST /runs HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked\nTrailer: X-Real-Ip, X-Sum, Cookie\nX-Kept: header\n"
	for _, name := range unwanted {
		raw += name + ": canary\n"
	}
	got := send(t, p, raw+"\n1\nx\n0\nX-Real-Ip: canary\nX-Sum: kept\nCookie: canary\n\n")
	sent := fmt.Sprint(a.last(t).header)
	if got.status != 200 || strings.Contains(sent, "canary") || a.last(t).header.Get("X-Kept") != "header" {
		t.Errorf("got %d, and the API %s; want nothing that tells of the client", got.status, sent)
	}
}

// What APIs ask their clients for, of people and of programs, passes.
func TestWhatAnAPIAsksForPassesThoughItIsNamedAlike(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	names := []string{
		"Psu-Ip-Address", "Psu-Ip-Port", "X-Fapi-Customer-Ip-Address", "X-Request-Id", "Traceparent", "X-Amzn-Trace-Id", "If-Match", "Prefer", "X-Csrf-Token", "X-Api-Key",
		"X-Tenant-Id", "Idempotency-Key", "X-Ship", "X-Membership", "Zip", "X-Look-For", "Destination", "Depth", "Base-Url", "Client-Id", "X-Client-Id", "X-Client-Version", "X-Client-Info", "Cdn-Loop", "Voice0ip", "Voice9ip",
	}
	raw := "GET /me HTTP/1.1\nHost: HOST\n"
	for _, name := range names {
		raw += name + ": kept\n"
	}
	send(t, p, raw+"\n")
	for _, name := range names {
		if got := a.last(t).header.Get(name); got != "kept" {
			t.Errorf("%s: the API got %q, want it as it was sent", name, got)
		}
	}
}

func TestWhatIsTheAPIsOwnPassesInNoForm(t *testing.T) {
	names := append([]string{
		"Set-Cookie", "Authorization", "Refresh", "Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data", "Access-Control-Allow-Origin", "X-Accel-Redirect", "Set_Cookie", "Report-To",
	}, unwanted...)
	set := func(header http.Header, prefix string) {
		for _, name := range names {
			if name != "Keep-Alive" {
				header[prefix+name] = []string{"canary"}
			}
		}
	}
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		set(header, "")
		header.Set("Link", "</v1/style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		clear(header)
		set(header, "")
		header.Set("X-Kept", "header")
		header.Set("Trailer", "Set-Cookie, X-Sum")
		io.WriteString(w, "body")
		set(header, http.TrailerPrefix)
		header.Set("X-Sum", "announced")
		header.Set(http.TrailerPrefix+"X-Late", "not announced")
	})
	p := a.running(t)
	for name, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "HTTP/2": withoutTLS()} {
		hints := http.Header{}
		req := request(t, "GET", p.URL()+"/me", nil)
		req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = http.Header(header).Clone()
			return nil
		}}))
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, isAnnounced := res.Trailer["X-Sum"]
		io.ReadAll(res.Body)
		res.Body.Close()
		transport.CloseIdleConnections()
		if !isAnnounced {
			t.Errorf("%s: the header does not announce the trailer X-Sum, want it as the API has", name)
		}
		all := fmt.Sprint(hints, res.Header, res.Trailer)
		if strings.Contains(all, "canary") {
			t.Errorf("%s: got %s, want nothing that is the API's own", name, all)
		}
		for what, got := range map[string]string{
			"header": res.Header.Get("X-Kept"), "announced": res.Trailer.Get("X-Sum"), "not announced": res.Trailer.Get("X-Late"), "</style.css>; rel=preload": strings.TrimPrefix(hints.Get("Link"), p.URL()),
		} {
			if got != what {
				t.Errorf("%s: got %q, want %q", name, got, what)
			}
		}
	}
}

func TestTrailersOfARequestReachTheAPI(t *testing.T) {
	var got atomic.Value
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got.Store(r.Trailer.Get("X-Sum"))
	})
	p := a.running(t)
	send(t, p, "POST /runs HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked\nTrailer: X-Sum\n\n1\nx\n0\nX-Sum: 42\n\n")
	if got.Load() != "42" {
		t.Errorf("the API got %q, want 42", got.Load())
	}
	// HTTP/2 has trailers after a body of a known length, too.
	transport := withoutTLS()
	defer transport.CloseIdleConnections()
	req := request(t, "POST", p.URL()+"/runs", strings.NewReader("x"))
	req.Trailer = http.Header{"X-Sum": {"43"}}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, res); got.status != 200 {
		t.Errorf("over HTTP/2: got %d %s, want 200", got.status, got.text)
	}
	if got.Load() != "43" {
		t.Errorf("over HTTP/2: the API got %q, want 43", got.Load())
	}
}

func TestLinksLeadThroughTheProxy(t *testing.T) {
	var sent atomic.Value
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range sent.Load().(map[string]string) {
			w.Header().Set(name, value)
		}
	})
	p := a.running(t)
	for value, want := range map[string]string{
		`<` + a.base + `/runs?page=2>; rel="next", <` + a.base + `/runs?page=9>; rel="last"`: `<SELF/runs?page=2>; rel="next", <SELF/runs?page=9>; rel="last"`,
		`</v1/runs?page=2>; rel="next"`:                     `</runs?page=2>; rel="next"`,
		`<https://example.com/v1/x>; rel="help"`:            `<https://example.com/v1/x>; rel="help"`,
		`<?page=2>; rel="next"`:                             `<?page=2>; rel="next"`,
		`</v2/q>; rel="next", <../v2>`:                      `<` + a.URL + `/v2/q>; rel="next", <` + a.URL + `/v2>`,
		`</v1/a>; title="a < b \" <` + a.base + `/c>", </b`: `</a>; title="a < b \" <` + a.base + `/c>", </b`,
		`<` + strings.TrimPrefix(a.base, "http:") + `/a>`:   `<SELF/a>`,
		`</v1/a>; title="not at an end\`:                    `</a>; title="not at an end\`,
	} {
		sent.Store(map[string]string{"Link": value})
		if got := get(t, p, "/me").header.Get("Link"); got != strings.ReplaceAll(want, "SELF", p.URL()) {
			t.Errorf("Link: %s: got %q, want %q", value, got, want)
		}
	}
	for value, want := range map[string]string{a.base + "/runs/7?x": "/runs/7?x", "/v2/q": a.URL + "/v2/q"} {
		sent.Store(map[string]string{"Content-Location": value})
		if got := get(t, p, "/me").header.Get("Content-Location"); got != want {
			t.Errorf("Content-Location: %s: got %q, want %q", value, got, want)
		}
	}
}

func TestLinksOfOneOfSeveralAPIsLeadThroughItsPartOfTheProxy(t *testing.T) {
	var sent atomic.Value
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", sent.Load().(string)) })
	p := a.running(t, func(c *Config) {
		c.APIs = []API{{Name: "work", Source: a.source, BaseURL: a.base}, {Name: "lab", Source: a.source, BaseURL: a.URL}}
	})
	for path, c := range map[string]struct{ link, want string }{
		"/work/me": {"/v1/q", "/work/q"}, "/work/a": {"/v2/q", a.URL + "/v2/q"}, "/work/b/c": {"../../v2/q", a.URL + "/v2/q"}, "/work/d/e": {"../q", "/work/q"},
		"/lab/me": {"/v2/q", "/lab/v2/q"}, "/lab/a": {"../../q", "/lab/q"},
	} {
		sent.Store(c.link)
		if got := get(t, p, path).header.Get("Location"); got != c.want {
			t.Errorf("%s: Location: %s: got %q, want %q", path, c.link, got, c.want)
		}
	}
}

// Some servers read X_auth_token and X-Auth-Token as one, and some a trailer as a
// header.
func TestNothingOfAClientsIsReadInPlaceOfTheSession(t *testing.T) {
	var header, trailer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			io.WriteString(w, `{"token": "ours"}`)
			return
		}
		io.Copy(io.Discard, r.Body)
		header.Store(r.Header.Clone())
		trailer.Store(r.Trailer.Clone())
	}))
	t.Cleanup(server.Close)
	source := newSource(t, jwtsession.Config{BaseURL: server.URL, Protocol: &jwtsession.Protocol{
		SignIn: "POST /login\n\nu={email}", Token: "token", ExpiresIn: "1h", Send: []string{"X-Auth-Token: {token}", "Cookie: SID={token}"},
	}})
	for _, keep := range []bool{false, true} {
		p := (&api{source: source, base: server.URL}).running(t, func(c *Config) {
			c.KeepCookies, c.APIs[0].SessionHeaders = keep, []string{"X-Auth-Token"}
		})
		got := send(t, p, "POST /me HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked\nTrailer: X-Auth-Token, Cookie, X-Sum\nX_auth_token: mine\nX-Auth_Token: mine\nX.Auth.Token: mine\n"+
			"X-Auth-Token: mine\nCookie: SID=mine; other=theirs\nCookie: SID =mine\n\n1\nx\n0\nX-Auth-Token: mine\nCookie: SID=mine\nX-Sum: 1\n\n")
		all := fmt.Sprint(header.Load(), trailer.Load())
		if got.status != 200 || strings.Contains(all, "mine") || strings.Count(all, "ours") != 2 || !strings.Contains(all, "X-Sum:[1]") || strings.Contains(all, "other=theirs") != keep {
			t.Errorf("cookies kept: %v: got %d, and the API %s; want the session twice, and nothing of the client's that is named so", keep, got.status, all)
		}
	}
}

func TestEveryHeaderRuleHasAReason(t *testing.T) {
	for _, rule := range headerRules {
		if rule.reason == "" || rule.way == 0 {
			t.Errorf("%s: got way %d and reason %q, want both", rule.names, rule.way, rule.reason)
		}
		for name := range strings.FieldsSeq(rule.names) {
			if bare := strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(name, "*"), "*"), "-"); textproto.CanonicalMIMEHeaderKey(strings.TrimSuffix(bare, "-")) != strings.TrimSuffix(bare, "-") {
				t.Errorf("%s is not as net/http writes it: it would stop nothing", name)
			}
		}
	}
}
