package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// A bad Config is an error of New, which says what to set.
func TestAConfigThatCannotWorkIsAnErrorThatSaysWhatToSet(t *testing.T) {
	issuer := &issuerFuncs{}
	key := bytes.Repeat([]byte("k"), 32)
	for want, c := range map[string]Config{
		"no Credentials":                              {},
		"e-mail address":                              {Credentials: Credentials{Password: "x"}},
		"Config.Timeout is -1s":                       {Credentials: canaryCredentials, Timeout: -time.Second},
		"has 31 bytes":                                {Credentials: canaryCredentials, CacheKey: key[:31]},
		"has 0 bytes":                                 {Credentials: canaryCredentials, CacheKey: []byte{}},
		"Config.CacheKey and":                         {Issuer: issuer, Cache: cache.NewMemory(), Account: "worker"},
		"and Config.Account":                          {Issuer: issuer, Cache: cache.NewMemory(), CacheKey: key},
		"has no host":                                 {Credentials: canaryCredentials, BaseURL: "https://"},
		"insecure URL":                                {Issuer: issuer, BaseURL: "http://api.example.com"},
		"*jwtsession.Client that is nil":              {Issuer: (*Client)(nil)},
		"NewClient has not made":                      {Issuer: new(Client)},
		"*jwtsession.Credentials that is nil":         {Credentials: (*Credentials)(nil)},
		"CredentialsProviderFunc that is nil":         {Credentials: CredentialsProviderFunc(nil)},
		"Config.Cache is a *cache.Memory that is nil": {Credentials: canaryCredentials, Cache: (*cache.Memory)(nil)},
		"the port in the URL":                         {Credentials: canaryCredentials, BaseURL: "https://api.example.com:65536"},
		"(in Config.Origins)":                         {Credentials: canaryCredentials, Origins: []string{"files.example.com"}},
		"has a path":                                  {Credentials: canaryCredentials, Origins: []string{"https://files.example.com/a"}},
	} {
		ts, err := New(c)
		if ts != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "jwtsession: ") {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
}

func TestASourceThatNewHasNotMadeCanBePrinted(t *testing.T) {
	if got, want := fmt.Sprint(&TokenSource{}), "jwtsession.TokenSource()"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// All fields but Credentials have a good default, and New makes no call.
func TestTheZeroValueOfAConfigIsAGoodOne(t *testing.T) {
	ts, err := New(Config{Credentials: canaryCredentials})
	if err != nil {
		t.Fatalf("got %v, want a source", err)
	}
	defer ts.Close()
	if got := ts.Status(); got.Origin != "https://api.pacerpro.com" || got.Live || got.LastError != nil {
		t.Errorf("the status is %+v, want PacerPro's origin and no session yet", got)
	}
	if ts.config.Timeout != DefaultTimeout || DefaultTimeout != 30*time.Second {
		t.Errorf("the time-out is %v, want 30 s", ts.config.Timeout)
	}
	if got, want := fmt.Sprint(ts), "jwtsession.TokenSource(api.pacerpro.com)"; got != want {
		t.Errorf("the source is %q, want %q", got, want)
	}
}

// A Client that a program gives as an Issuer has credentials, as any Issuer.
func TestAClientAsAnIssuerSignsInWithItsOwnCredentials(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		own := Credentials{Email: sessiontest.Email, Password: sessiontest.Password}
		client, err := NewClient(box.URL, own, box.Client())
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		beside := CredentialsProviderFunc(func(context.Context) (Credentials, error) {
			asked++
			return Credentials{Email: "beside@example.com", Password: "beside"}, nil
		})
		store := cache.NewMemory()
		key := bytes.Repeat([]byte("k"), 32)
		for name, c := range map[string]Config{
			"alone":                      {},
			"with a cache":               {Cache: store, CacheKey: key, Account: "clerk@example.com"},
			"beside others":              {Credentials: beside},
			"beside others, and a cache": {Credentials: beside, Cache: store, CacheKey: key},
		} {
			c.Issuer, c.BaseURL = client, box.URL
			ts := newSourceOf(t, c)
			if !opens(t, box, token(t, ts)) {
				t.Errorf("%s: the token does not open the API", name)
			}
		}
		expectCalls(t, box, 4, 0, 0)
		if asked != 2 {
			t.Errorf("the provider was asked %d times, want twice: once by each source that has it", asked)
		}
	})
}

// T5: Timeout bounds an operation.
func TestAConfigsTimeoutIsHeeded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box, func(c *Config) { c.Timeout = 7 * time.Second })
		if waited := took(func() { ts.Token() }); waited != 7*time.Second {
			t.Errorf("a sign-in that hangs took %v, want 7 s", waited)
		}
	})
}

// Both what signs in and what the program sends.
func TestTheHTTPClientCarriesTheSessionCallsAndTheRequests(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	var paths []string
	base := box.Client().Transport
	ts := newSource(t, box, func(c *Config) {
		c.HTTPClient = &http.Client{Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			paths = append(paths, req.Method+" "+req.URL.Path)
			return base.RoundTrip(req)
		})}
	})
	res, err := ts.Client().Get(box.URL + "/me")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got, want := fmt.Sprint(paths), "[POST /v1/session GET /v1/me]"; got != want {
		t.Errorf("the client carried %s, want %s", got, want)
	}
}

// T15
func TestAPanicOfALoggerOrOfOnEventReachesNobody(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		told := 0
		ts := newSource(t, box, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(writerFunc(func([]byte) (int, error) { panic("the log is broken") }), nil))
			c.OnEvent = func(Event) { told++; panic(errors.New("the callback is broken")) }
		})
		token(t, ts)
		pass(time.Hour)
		token(t, ts)
		if told < 4 {
			t.Errorf("OnEvent was told %d events in an hour, want each of them", told)
		}
	})
}

// T15: the log tells of it, and only then, by the kind of what it was.
func TestAPanicOfOnEventIsLogged(t *testing.T) {
	for name, c := range map[string]struct {
		callback func(Event)
		want     bool
	}{
		"a callback that panics": {func(Event) { panic(errors.New("with a secret")) }, true},
		"one that does not":      {func(Event) {}, false},
	} {
		inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
			var log bytes.Buffer
			token(t, newSource(t, box, func(config *Config) {
				config.Logger, config.OnEvent = slog.New(slog.NewTextHandler(&log, nil)), c.callback
			}))
			pass(time.Second)
			if got := log.String(); strings.Contains(got, `"jwtsession: a callback panicked" panic=*errors.errorString`) != c.want || strings.Contains(got, "secret") {
				t.Errorf("%s: the log is %q; a line about it is wanted: %v", name, got, c.want)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Account, X2.
func TestTheStatusOfAnIssuersSourceHasItsAccountAndOrigin(t *testing.T) {
	ts := newSourceOf(t, Config{Issuer: &issuerFuncs{}, Account: "clerk@example.com", Origins: []string{"https://files.example.com"}})
	if got := ts.Status(); got.Account != "example.com" || got.Origin != "https://files.example.com" {
		t.Errorf("the status is %+v, want the account's domain and the origin", got)
	}
}
