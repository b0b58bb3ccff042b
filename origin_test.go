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
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// S3: wherever a URL is given; package origin has the cases.
func TestAURLThatIsNotSecureIsAnErrorOfNewAndOfNewClient(t *testing.T) {
	for u, insecure := range map[string]bool{
		"http://api.example.com":              true,
		"https://user:CANARY@api.example.com": false,
	} {
		_, clientErr := NewClient(u, canaryCredentials, nil)
		_, sourceErr := New(Config{BaseURL: u, Credentials: canaryCredentials})
		_, originErr := New(Config{Credentials: canaryCredentials, Origins: []string{u}})
		for from, err := range map[string]error{"NewClient": clientErr, "New": sourceErr, "New, as one of Origins": originErr} {
			if err == nil || errors.Is(err, ErrInsecureURL) != insecure || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s with %q: got error %v, want one without the secret that is ErrInsecureURL: %v", from, u, err, insecure)
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
		if got := clientOf(t, base, nil).baseURL + "/session"; got != want {
			t.Errorf("the session of %q is at %q, want %q", base, got, want)
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
