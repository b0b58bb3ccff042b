package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
)

// browse has Chromium open a page, with the names given leading to this machine,
// and returns the page once done says so.
func browse(t *testing.T, url string, done <-chan string, names ...string) string {
	t.Helper()
	var rules []string
	for _, name := range names {
		rules = append(rules, "MAP "+name+" 127.0.0.1")
	}
	ctx, cancel := context.WithCancel(t.Context())
	browser := exec.CommandContext(ctx, program(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-popup-blocking",
		"--user-data-dir="+t.TempDir(), "--host-resolver-rules="+strings.Join(rules, ", "), "--remote-debugging-port=0", url)
	browser.Cancel = func() error { return browser.Process.Signal(os.Interrupt) } // so that it ends its children
	browser.WaitDelay = 10 * time.Second
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		browser.Wait()
	}()
	return await(t, done, "the page of "+url)
}

// site is a web site of another name, with one page that reports when it is done.
type site struct {
	*httptest.Server
	done chan string
}

func newSite(t *testing.T, page string) *site {
	s := &site{done: make(chan string, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, page)
	})
	mux.HandleFunc("/worker.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, "fetch(%q, {mode: 'no-cors'}).catch(() => {}); try { importScripts(%q) } catch {}", r.URL.Query().Get("api")+"worker-fetch", r.URL.Query().Get("api")+"worker-import")
	})
	mux.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.done <- r.URL.Query().Get("got"):
		default:
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// at is the site's URL under a name.
func at(url, name string) string {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	return "http://" + name + ":" + port
}

// attacks are what a page can have a browser request without asking, each with a
// path of its own below API.
const attacks = `<!doctype html><meta name="referrer" content="POLICY"><title>evil</title>
<link rel="stylesheet" href="APIcss"><link rel="preload" as="image" href="APIpreload"><link rel="prefetch" href="APIprefetch"><link rel="icon" href="APIicon">
<link rel="manifest" href="APImanifest"><link rel="modulepreload" href="APImodulepreload">
<style>@font-face { font-family: f; src: url(APIfont) } body { font-family: f; background: url(APIbackground) }</style>
<body>text<img src="APIimg"><img srcset="APIsrcset 2x"><script src="APIscript"></script><script type="module" src="APImodule"></script>
<iframe src="APIiframe"></iframe><iframe name="target"></iframe><embed src="APIembed"><object data="APIobject"></object>
<video src="APIvideo" preload="auto" poster="APIposter"></video><audio src="APIaudio" preload="auto"></audio><video><source src="APIsource"><track src="APItrack" default></video>
<svg><image href="APIsvgimage"/><use href="APIuse#a"/></svg><input type="image" src="APIinput">
<form action="APIform" target="target"><input name="a"></form>
<form id="post" action="APIformpost" method="post" target="target"><input name="a"></form>
<script>
fetch("APIfetch", {mode: "no-cors"}).catch(() => {});
fetch("APIfetchpost", {mode: "no-cors", method: "POST", body: "x"}).catch(() => {});
fetch("APIfetchcors").catch(() => {});
new Image().src = "APInewimage";
navigator.sendBeacon("APIbeacon", "x");
window.open("APIopen");
new Worker("/worker.js?api=" + encodeURIComponent("API"));
try { new EventSource("APIeventsource") } catch {}
try { new WebSocket("APIwebsocket".replace("http", "ws")) } catch {}
document.forms[0].submit();
setTimeout(() => document.forms[1].submit(), 500);
setTimeout(() => fetch("/done?got=all"), 4000);
</script>`

// Without TLS a browser says nothing of where a request to a name is from.
func TestChromiumOnAPageOfAnotherSiteGetsNothing(t *testing.T) {
	longtest.Run(t) // security_test.go has the same rules without a browser
	a := newAPI(t, nil)
	const secret = "a-secret-of-the-clients"
	for name, c := range map[string]struct {
		host   string
		change func(*Config)
	}{
		"a further host": {"api.internal", func(c *Config) { c.Hosts, c.Secret = []string{"api.internal"}, secret }},
		"loopback":       {"127.0.0.1", func(*Config) {}},
		"localhost":      {"localhost", func(*Config) {}},
	} {
		for _, policy := range []string{"unsafe-url", "no-referrer"} {
			t.Run(name+" with "+policy, func(t *testing.T) {
				p := a.running(t, c.change)
				var mu sync.Mutex
				var asked []string
				judge := p.server.Handler
				p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					asked = append(asked, r.Method+" "+r.URL.Path)
					mu.Unlock()
					judge.ServeHTTP(w, r)
				})
				evil := newSite(t, strings.NewReplacer("API", at(p.URL(), c.host)+"/", "POLICY", policy).Replace(attacks))
				browse(t, at(evil.URL, "evil.test"), evil.done, "evil.test", "api.internal")
				mu.Lock()
				defer mu.Unlock()
				if len(asked) < 15 {
					t.Errorf("the page had the browser send %d requests to the proxy, want 15 at least, else this is no test: %q", len(asked), asked)
				}
				a.expectNothingAsked(t, name)
			})
		}
	}
}

func TestWhatCallsItselfABrowserMustSayWhereARequestIsFrom(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Origins = []string{"http://localhost:3000"} })
	const safari = "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Safari/605.1.15"
	for header, want := range map[string]int{
		safari:                                  403,
		safari + "\nReferer: http://evil.test/": 403,
		safari + "\nSec-Fetch-Site: cross-site": 403,
		safari + "\nSec-Fetch-Site: none":       200,
		safari + "\nSec-Fetch-Site: same-origin\nReferer: http://HOST/me":         200,
		safari + "\nSec-Fetch-Site: same-origin\nReferer: http://evil.test/":      403,
		safari + "\nOrigin: http://localhost:3000":                                200,
		safari + "\nReferer: http://localhost:3000/page":                          200,
		"Referer: http://evil.test/":                                              403,
		"Referer: http://HOST.evil.test/":                                         403,
		"Referer: about:blank":                                                    403,
		"Referer: http://HOST/":                                                   200,
		"User-Agent: curl/8.5\nAccept-Language: *\nSec-Fetch-Mode: cors":          200, // as node's fetch
		"User-Agent: Mozilla/5.0 (compatible; some program)":                      403,
		"User-Agent: node\nAccept-Language: *\nSec-Fetch-Mode: cors\nReferer: \n": 403,
	} {
		if got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n"); got.status != want {
			t.Errorf("%q: got %d, want %d", header, got.status, want)
		}
	}
}

func TestWhoHasTheSecretIsNoForeignPage(t *testing.T) {
	const secret = "a-secret-of-the-clients"
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.Secret = secret })
	for _, header := range []string{"Referer: http://evil.test/", "Origin: http://evil.test", "Sec-Fetch-Site: cross-site", "User-Agent: Mozilla/5.0"} {
		with := send(t, p, "GET /me HTTP/1.1\nHost: HOST\nAuthorization: Bearer "+secret+"\n"+header+"\n\n")
		if with.status != 200 || with.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s, with the secret: got %d shared with %q, want 200, shared with no page", header, with.status, with.header.Get("Access-Control-Allow-Origin"))
		}
		send(t, p, "GET /me HTTP/1.1\nHost: HOST\n"+header+"\n\n").expect(t, header, 403, "cross_site")
	}
}

// The API's answers must not act in the proxy's origin, where a script could read
// all that the API has.
func TestChromiumRunsNoScriptOfAnAnswer(t *testing.T) {
	longtest.Run(t)
	report := newSite(t, "")
	page := `<!doctype html><title>page</title><script>new Image().src = "REPORT/done?got=script"</script><noscript><img src="REPORT/done?got=none"></noscript>`
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, strings.ReplaceAll(page, "REPORT", report.URL))
	})
	for name, c := range map[string]struct {
		cookies bool
		want    string
	}{"as it is": {false, "none"}, "with cookies": {true, "script"}} {
		p := a.running(t, func(c2 *Config) { c2.KeepCookies = c.cookies })
		if got := browse(t, p.URL()+"/page", report.done); got != c.want {
			t.Errorf("%s: got %q from the page, want %q", name, got, c.want)
		}
		header := get(t, p, "/page").header
		if got := header.Get("X-Content-Type-Options") + " " + header.Get("X-Frame-Options"); got != "nosniff DENY" {
			t.Errorf("%s: got %q, want nosniff DENY", name, got)
		}
	}
}
