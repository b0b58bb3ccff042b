package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/internal/longtest"
)

func TestAPageOfAnAllowedOriginNeedsNothingButTheSecret(t *testing.T) {
	longtest.Run(t) // a browser; preflights are below
	const secret = "a-secret-of-the-clients"
	a := newAPI(t, nil)
	page := newSite(t, `<!doctype html><script>
const api = new URLSearchParams(location.search).get("api");
(async () => {
  let got;
  try {
    const answer = await fetch(api + "/runs", {method: "PUT", body: "{}", headers: {"Authorization": "Bearer `+secret+`", "Content-Type": "application/json", "X-Mine": "1"}});
    got = answer.status + " " + (await answer.json()).path + " " + answer.headers.get("Content-Type");
    const refused = await fetch(api + "/runs", {headers: {"Authorization": "Bearer wrong"}});
    got += " " + refused.status + " " + (await refused.json()).code;
  } catch (error) { got = String(error); }
  fetch("/done?got=" + encodeURIComponent(got));
})();
</script>`)
	for name, host := range map[string]string{"a name": "page.test", "localhost": "localhost"} {
		origin := at(page.URL, host)
		p := a.running(t, func(c *Config) { c.Secret, c.Origins = secret, []string{origin} })
		got := browse(t, origin+"/?api="+p.URL(), page.done, "page.test")
		if want := "200 /runs application/json 403 secret"; got != want {
			t.Errorf("%s: the page got %q, want %q", name, got, want)
		}
		other := a.running(t, func(c *Config) { c.Secret, c.Origins = secret, []string{"http://other.test"} })
		if got := browse(t, origin+"/?api="+other.URL(), page.done, "page.test"); !strings.Contains(got, "Failed to fetch") {
			t.Errorf("%s, which is not allowed: the page got %q, want nothing", name, got)
		}
	}
	if sent := a.last(t).header; sent.Get("X-Mine") != "1" || sent.Get("Origin") != "" {
		t.Errorf("the API got X-Mine %q and Origin %q, want 1 and none", sent.Get("X-Mine"), sent.Get("Origin"))
	}
}

func TestPreflightsAreAnsweredByTheProxy(t *testing.T) {
	t.Parallel()
	const secret, origin = "a-secret-of-the-clients", "http://localhost:3000"
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Secret, c.Origins = secret, []string{origin} })
	for name, got := range map[string]string{
		"curl": output(t, "curl", "-sS", "-i", "-X", "OPTIONS", "-H", "Origin: "+origin, "-H", "Access-Control-Request-Method: PUT", "-H", "Access-Control-Request-Headers: authorization, x-mine", p.URL()+"/runs"),
		"python3": output(t, "python3", "-c", fmt.Sprintf(`
import http.client, urllib.parse
api = http.client.HTTPConnection(urllib.parse.urlsplit(%q).netloc)
api.request("OPTIONS", "/runs", headers={"Origin": %q, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization, x-mine"})
answer = api.getresponse()
print("HTTP/1.1", answer.status, answer.headers)`, p.URL(), origin)),
		"node": output(t, "node", "-e", fmt.Sprintf(`
require("http").request(%q, {method: "OPTIONS", headers: {"Origin": %q, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization, x-mine", "Connection": "close"}}, answer => {
  answer.resume();
  console.log("HTTP/1.1", answer.statusCode);
  for (let i = 0; i < answer.rawHeaders.length; i += 2) console.log(answer.rawHeaders[i] + ": " + answer.rawHeaders[i + 1]);
}).end();`, p.URL()+"/runs", origin)),
	} {
		for _, want := range []string{"HTTP/1.1 204", "Access-Control-Allow-Origin: " + origin, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: authorization, x-mine", "Vary: "} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got\n%s\nwant %q in it", name, got, want)
			}
		}
	}
	for _, header := range []string{"Origin: http://evil.test", "Origin: null", "X: no origin"} {
		got := send(t, p, "OPTIONS /runs HTTP/1.1\nHost: HOST\n"+header+"\nAccess-Control-Request-Method: PUT\n\n")
		if got.status != 403 || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got %d shared with %q, want 403 shared with nobody", header, got.status, got.header.Get("Access-Control-Allow-Origin"))
		}
	}
	send(t, p, "OPTIONS /runs HTTP/1.1\nHost: evil.test\nOrigin: "+origin+"\nAccess-Control-Request-Method: PUT\n\n").expect(t, "another Host", 403, "host")
	a.expectNothingAsked(t, "preflights")
	for _, network := range []string{"Private", "Local"} {
		for _, asked := range []string{"true", "false"} {
			got := send(t, p, "OPTIONS /runs HTTP/1.1\nHost: HOST\nOrigin: "+origin+"\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-"+network+"-Network: "+asked+"\n\n")
			if allowed := got.header.Get("Access-Control-Allow-" + network + "-Network"); (allowed == "true") != (asked == "true") {
				t.Errorf("%s network asked for with %s: got it allowed with %q, want it where it is asked for", network, asked, allowed)
			}
			if names, has := got.header["Access-Control-Allow-Headers"]; has {
				t.Errorf("got headers %q allowed, want none: none was asked for", names)
			}
		}
	}
	a.expectNothingAsked(t, "preflights")

	// Half of a preflight is none: it is for the API.
	for _, half := range []string{"OPTIONS /runs HTTP/1.1", "PUT /runs HTTP/1.1\nAccess-Control-Request-Method: PUT"} {
		line, _, _ := strings.Cut(half, " HTTP")
		got := send(t, p, half+"\nHost: HOST\nOrigin: "+origin+"\nAuthorization: Bearer "+secret+"\n\n")
		if sent := a.got(); got.status == 204 || len(sent) == 0 || sent[len(sent)-1].String() != strings.Replace(line, "/", "/v1/", 1) {
			t.Errorf("%q: got %d, and the API %v; want the API's answer", half, got.status, sent)
		}
	}
}

func TestAPageSeesWhenToComeAgain(t *testing.T) {
	const origin = "http://localhost:3000"
	_, p := away(t, func(c *Config) { c.Origins = []string{origin} })
	got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\nOrigin: "+origin+"\n\n")
	got.expect(t, "an API that is away", 502, "api_unreachable")
	for name := range got.header {
		if exposed := got.header["Access-Control-Expose-Headers"]; !strings.HasPrefix(name, "Access-Control-") && name != "Date" && !isListed(exposed, name) {
			t.Errorf("got %s, and %q to be seen by pages; want it among them", name, exposed)
		}
	}
	if got.header.Get("Retry-After") == "" {
		t.Errorf("got %v, want a Retry-After: this is no test else", got.header)
	}
	own := send(t, p, "GET /-/healthz HTTP/1.1\nHost: HOST\nOrigin: "+origin+"\n\n")
	if exposed := own.header["Access-Control-Expose-Headers"]; own.status != 200 || !isListed(exposed, "Content-Type") {
		t.Errorf("/-/healthz: got %d and %q to be seen by pages, want 200 and all that there is", own.status, exposed)
	}
}

// An origin is compared as browsers send it, in whatever way it was written.
func TestAnAllowedOriginIsReadAsBrowsersWriteIt(t *testing.T) {
	for written, sent := range map[string]string{
		"https://x:443": "https://x", "http://x:80": "http://x", "http://x:443": "http://x:443", "HTTPS://X": "https://x", "http://[::0:1]:80": "http://[::1]",
		"https://b\u00fccher.example": "https://xn--bcher-kva.example", "chrome-extension://abc": "chrome-extension://abc", "capacitor://localhost": "capacitor://localhost",
	} {
		g, err := newGuard(Config{Origins: []string{written}}, nil)
		if err != nil {
			t.Errorf("%s: got error %v, want none", written, err)
			continue
		}
		if !g.origins[sent] {
			t.Errorf("%s: got %v, want %s", written, g.origins, sent)
		}
	}
	for _, written := range []string{"", "x", "ftp://x", "ws://x", "file://x", "htps://x", "https://", "https://x/", "https://u@x", "https://*.x", "https://x?", "null", "https://[x]", "//x"} {
		if err := (Config{Origins: []string{written}}).Validate(); err == nil || !strings.Contains(err.Error(), "give ") {
			t.Errorf("%s: got error %v, want one that says what to give", written, err)
		}
	}
}

// Most clients leave out Authorization when a redirect leads to another host.
func TestTheSecretDoesNotFollowARedirectToAnotherHost(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-the-clients"
	elsewhere := newAPI(t, nil)
	a := newAPI(t, redirectTo(strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+"/elsewhere"))
	p := a.running(t, func(c *Config) { c.Secret = secret })
	for name, got := range map[string]string{
		"curl": output(t, "curl", "-sS", "-L", "-H", "Authorization: Bearer "+secret, "-o", "/dev/null", "-w", "%{num_redirects}", p.URL()+"/me"),
		"node": output(t, "node", "--input-type=module", "-e", fmt.Sprintf(`const answer = await fetch(%q, {headers: {Authorization: "Bearer %s"}}); console.log(answer.redirected ? 1 : 0);`, p.URL()+"/me", secret)),
	} {
		if got != "1" {
			t.Errorf("%s: got %s redirects followed, want 1, else this is no test", name, got)
		}
	}
	// Python's urllib sends Authorization along, as the help says: with http.client,
	// which follows nothing, the choice is the program's.
	python := output(t, "python3", "-c", fmt.Sprintf(`
import http.client, urllib.parse
api = http.client.HTTPConnection(urllib.parse.urlsplit(%q).netloc)
api.request("GET", "/me", headers={"Authorization": "Bearer %s"})
print(api.getresponse().status)`, p.URL(), secret))
	if python != "302" {
		t.Errorf("python3: got %s, want 302", python)
	}
	followed := elsewhere.got()
	if len(followed) != 2 {
		t.Errorf("the other host got %d requests, want 2", len(followed))
	}
	for _, request := range followed {
		if strings.Contains(fmt.Sprint(request.header), secret) {
			t.Errorf("the other host got the secret in %v", request.header)
		}
	}
}

func redirectTo(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
}
