package jwtsession

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/internal/origin"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// S3
func TestOnlyHTTPSAndHTTPToThisMachineAreSecure(t *testing.T) {
	const (
		fine = iota
		insecure
		mistaken // an error of another kind
	)
	cases := map[string]int{
		"":                                     fine, // production
		"https://api.example.com":              fine,
		"HTTPS://API.EXAMPLE.COM/v1":           fine,
		"https://api.example.com:8443/v1/":     fine,
		"https://192.0.2.1":                    fine,
		"https://[2001:db8::1]:8443/v1":        fine,
		"http://localhost:8080/v1":             fine,
		"http://LOCALHOST":                     fine,
		"HTTP://localhost":                     fine,
		"http://127.0.0.1:8080":                fine,
		"http://127.255.255.254":               fine,
		"http://[::1]:8080/v1":                 fine,
		"http://[0:0:0:0:0:0:0:1]":             fine,
		"http://[::ffff:127.0.0.1]":            fine,
		"http://api.example.com":               insecure,
		"HTTP://api.example.com":               insecure,
		"http://127.0.0.1.evil.com":            insecure,
		"http://localhost.evil.com":            insecure,
		"http://evil-localhost":                insecure,
		"http://127.1":                         insecure, // an address to some resolvers only
		"http://2130706433":                    insecure,
		"http://0.0.0.0:8080":                  insecure,
		"http://[::]:8080":                     insecure,
		"http://192.168.0.1":                   insecure,
		"http://[2001:db8::1]":                 insecure,
		"http://[::ffff:192.0.2.1]":            insecure,
		"http://user@api.example.com":          insecure,
		"http://localhost@evil.com":            insecure,
		"http://localhost:80@evil.com/v1":      insecure,
		"ftp://localhost":                      insecure,
		"ws://localhost":                       insecure,
		"//api.example.com/v1":                 insecure,
		"http://user:CANARY@localhost":         mistaken,
		"https://user:CANARY@api.example.com":  mistaken,
		"https://CANARY@api.example.com":       mistaken,
		"https://api.example.com/?key=CANARY":  mistaken,
		"https://api.example.com/?":            mistaken,
		"https://api.example.com/#CANARY":      mistaken,
		"https://":                             mistaken,
		"https:///v1":                          mistaken,
		"https://:443/CANARY":                  mistaken,
		"https:api.example.com":                mistaken,
		"api.example.com":                      mistaken,
		"localhost:8080":                       mistaken,
		"https://api.example.com:CANARY":       mistaken,
		"https://api.example.com/%zz?k=CANARY": mistaken,
		"https://[::1":                         mistaken,
		"https://api.example.com\r\nX: CANARY": mistaken,
		"file:///etc/hosts":                    mistaken,
	}
	for u, want := range cases {
		_, clientErr := NewClient(u, canaryCredentials, nil)
		ts, sourceErr := New(Config{BaseURL: u, Credentials: canaryCredentials})
		if ts != nil {
			ts.Close()
		}
		errs := map[string]error{"NewClient": clientErr, "New": sourceErr}
		if u != "" {
			_, errs["New, as one of Origins"] = New(Config{Credentials: canaryCredentials, Origins: []string{strings.Replace(u, "/v1", "", 1)}})
		}
		for from, err := range errs {
			got := fine
			switch {
			case errors.Is(err, ErrInsecureURL):
				got = insecure
			case err != nil:
				got = mistaken
			}
			if got != want {
				t.Errorf("%s with %q: got error %v, want %s", from, u, err, []string{"none", "ErrInsecureURL", "one, but not ErrInsecureURL"}[want])
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s with %q: the error shows what may be a secret: %v", from, u, err)
			}
		}
	}
}

// S3
func TestThePathOfABaseURLIsKept(t *testing.T) {
	for base, want := range map[string]string{
		"":                            "https://api.pacerpro.com/v1/session",
		"https://api.example.com":     "https://api.example.com/session",
		"https://api.example.com/":    "https://api.example.com/session",
		"https://api.example.com/v2":  "https://api.example.com/v2/session",
		"https://api.example.com/v2/": "https://api.example.com/v2/session",
		"https://sdx94nst9f.execute-api.us-east-1.amazonaws.com/qa": "https://sdx94nst9f.execute-api.us-east-1.amazonaws.com/qa/session",
	} {
		if got := clientOf(t, base, nil).baseURL + sessionPath; got != want {
			t.Errorf("the session of %q is at %q, want %q", base, got, want)
		}
	}
}

// H1
func TestAnOriginHasNoPath(t *testing.T) {
	for s, fine := range map[string]bool{
		"https://files.example.com":    true,
		"https://files.example.com/":   true,
		"https://files.example.com/a":  false,
		"https://files.example.com?a":  false,
		"https://files.example.com/#a": false,
	} {
		if _, err := New(Config{Credentials: canaryCredentials, Origins: []string{s}}); (err == nil) != fine {
			t.Errorf("%q as one of Origins: got error %v, want none: %v", s, err, fine)
		}
	}
}

// H1: one host has many spellings, and an origin has one.
func TestAHostIsReadInOneWayHoweverItIsSpelled(t *testing.T) {
	for base, cases := range map[string]map[string]bool{
		"https://api.example.com": {
			"https://api.example.com": true, "https://API.Example.COM": true, "https://api.example.com.": true, "https://api.example.com:443": true, "https://api.example.com.:443": true,
			"https://api.example.com:": true, "https://user:word@api.example.com/path?query": true,
			"http://api.example.com": false, "https://api.example.com:444": false, "https://api.example.com:80": false, "https://api.example.com.evil.com": false, "https://api.example.com..": false,
			"https://xapi.example.com": false, "https://example.com": false, "https://аpi.example.com": false, // a Cyrillic а
			"https://ａｐｉ.example.com": false, "https://api。example。com": false, // to net/http alone, they are the same
			"https://api.example.com@evil.com": false, "https://": false, "https://.": false, "/path": false,
		},
		"HTTPS://Bücher.EXAMPLE.:443": {
			"https://xn--bcher-kva.example": true, "https://XN--BCHER-KVA.example.": true, "https://bücher.example": true, "https://BÜCHER.example": true, "https://b%C3%BCcher.example": true,
			"https://bu\u0308cher.example": false,
			"https://bucher.example":       false, "https://bücher.example.com": false, "https://buecher.example": false,
		},
		"https://xn--strae-oqa.example": {"https://straße.example": true, "https://strasse.example": false},
		"https://strasse.example":       {"https://STRASSE.example": true, "https://straße.example": false},
		"https://例え.テスト":                {"https://xn--r8jz45g.xn--zckzah": true, "https://例え.テスト.": true},
		"https://[0:0:0:0:0:0:0:1]:8443": {
			"https://[::1]:8443": true, "https://[0000::0001]:8443": true, "https://[0:0::1]:8443": true,
			"https://[::1]": false, "https://[::2]:8443": false, "https://127.0.0.1:8443": false, "https://[::ffff:0.0.0.1]:8443": false,
		},
		"https://[2001:DB8::A]":  {"https://[2001:db8:0:0::a]:443": true, "https://[2001:db8::b]": false},
		"http://localhost.:8080": {"http://LOCALHOST:8080": true, "http://localhost:8080": true, "http://127.0.0.1:8080": false},
		"http://127.0.0.1:80":    {"http://127.0.0.1": true, "http://127.0.0.1.": true, "http://127.0.0.1:8080": false, "http://127.1": false},
	} {
		o, err := origin.Parse(base)
		if err != nil {
			t.Errorf("%q as an origin: got error %v, want none", base, err)
			continue
		}
		for s, want := range cases {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Match(u) != nil; got != want {
				t.Errorf("%q, of the origin %q: got %v, want %v", s, base, got, want)
			}
			if !want {
				continue
			}
			before := *u
			normal := origin.Normalized(u)
			if again := origin.Normalized(normal); again != normal || o.Match(normal) != normal || *u != before {
				t.Errorf("%q is normalized to %q and that to %q, want the origin's host at once, and the first one as it was", s, normal, again)
			}
		}
	}
}

// S3: what no request could be sent to is an error at once.
func TestAHostThatNoRequestCouldBeSentToIsAnError(t *testing.T) {
	for _, s := range []string{"https://.", "https://[::1%25é]x", "https://[v1.x]", "https://[12345::]"} {
		if client, err := NewClient(s, canaryCredentials, nil); err == nil {
			t.Errorf("%q: got a client of %s, want an error", s, client.baseURL)
		}
	}
}

// S1, H1: a host beyond ASCII, as it goes over the wire.
func TestARequestGoesToTheHostThatItsOriginIs(t *testing.T) {
	type seen struct{ host, authorization string }
	var all []seen
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all = append(all, seen{r.Host, r.Header.Get("Authorization")})
		io.WriteString(w, `{"jwtToken":"opaque"}`)
	}))
	defer server.Close()
	var dialed []string
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed = append(dialed, address)
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	ts := newSourceOf(t, Config{BaseURL: "https://BÜCHER.example./v1", Credentials: canaryCredentials, HTTPClient: &http.Client{Transport: transport}})
	for _, s := range []string{"https://bücher.example/me", "https://xn--bcher-kva.example.:443/me", "https://Bücher.Example./me"} {
		res, err := ts.Client().Get(s)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if len(all) != 4 || len(dialed) != 4 {
		t.Fatalf("the server saw %d requests over %d connections, want a sign-in and three requests", len(all), len(dialed))
	}
	for i := range all {
		if dialed[i] != "xn--bcher-kva.example:443" || i > 0 && all[i].authorization != "Bearer opaque" || !strings.HasPrefix(strings.ToLower(all[i].host), "xn--bcher-kva.example") {
			t.Errorf("request %d went to %s as %+v, want it at xn--bcher-kva.example:443, signed in", i, dialed[i], all[i])
		}
	}
}

// S3: what stays on this machine goes through no proxy, in the clear, whatever
// the spelling. The environment is read once in a process, so this is one of its
// own.
func TestNoProxySeesWhatIsForThisMachine(t *testing.T) {
	proxied := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		proxied <- fmt.Sprint(r.URL, r.Header["Authorization"], string(body))
		io.WriteString(w, `{"jwtToken":"proxied"}`)
	}))
	defer proxy.Close()
	box := sessiontest.NewServer()
	defer box.Close()
	port := box.URL[strings.LastIndexByte(box.URL, ':'):]
	for _, host := range []string{"LOCALHOST", "localhost.", "LocalHost.", "127.0.0.1", "127.0.0.1."} {
		process := exec.Command(os.Args[0])
		process.Env = []string{localVariable + "=http://" + host + port, "HTTP_PROXY=" + proxy.URL, "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + t.TempDir()} // with -cover it would else print a warning
		out, err := process.CombinedOutput()
		if err != nil || string(out) != "200" {
			t.Errorf("%s: got %s, %v; want a request that was signed in", host, out, err)
		}
	}
	if len(proxied) != 0 {
		t.Errorf("the proxy saw %s and %d more, want nothing", <-proxied, len(proxied))
	}
	expectCalls(t, box, 5, 0, 0)
	// Without us, the proxy is asked.
	process := exec.Command(os.Args[0])
	process.Env = []string{localVariable + "=http://LOCALHOST" + port, "HTTP_PROXY=" + proxy.URL, "PATH=" + os.Getenv("PATH"), localVariable + "_PLAIN=1"}
	if out, err := process.CombinedOutput(); err != nil || len(proxied) != 1 {
		t.Errorf("a plain request: got %s, %v, and the proxy saw %d, want that it goes through the proxy", out, err, len(proxied))
	}
}

const localVariable = "JWTSESSION_TEST_LOCAL"

// requestLocally is what a process does that a test made for it: a request to a
// server on this machine, with whatever proxy is in the environment.
func requestLocally(base string) {
	client := http.DefaultClient
	if os.Getenv(localVariable+"_PLAIN") == "" {
		ts, err := New(Config{BaseURL: base, Credentials: Credentials{Email: sessiontest.Email, Password: sessiontest.Password}})
		if err != nil {
			panic(err)
		}
		client = ts.Client()
	}
	res, err := client.Get(base + "/me")
	if err != nil {
		panic(err)
	}
	fmt.Print(res.StatusCode)
}
