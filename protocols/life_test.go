package protocols

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// extra has what the descriptions name besides the account.
var extra = map[string]map[string]string{
	"home-assistant":            {"refresh_token": "a refresh token", "client_id": "https://example.com/"},
	"jellyfin":                  {"device_id": "an0ther device"},
	"keystone":                  {"user_domain": "Default", "project": "a project", "project_domain": "Default"},
	"oauth2-client-credentials": {"scope": "read write"},
	"oauth2-password":           {"scope": "", "client_id": "an id", "client_secret": "a secret"},
	"oauth2-refresh-token":      {"refresh_token": "a refresh token", "client_id": "an id", "client_secret": ""},
	"supabase":                  {"apikey": "an-anon-key"},
}

// like is what servers do that a description does not tell.
var like = map[string][]sessiontest.Option{
	"cisco-aci":            {sessiontest.WithSlidingSessions()},
	"directus":             {sessiontest.WithReuseDetection()},
	"gin-jwt":              {sessiontest.WithReuseDetection()},
	"jellyfin":             {sessiontest.WithTokenLife(0)},
	"oauth2-password":      {sessiontest.WithReuseDetection()},
	"oauth2-refresh-token": {sessiontest.WithReuseDetection()},
	"pi-hole":              {sessiontest.WithSlidingSessions(), sessiontest.WithTokenLife(30 * time.Minute)},
	"redfish":              {sessiontest.WithSlidingSessions()},
	"supabase":             {sessiontest.WithReuseDetection(), sessiontest.WithUnixExpiry(time.Second)},
	"vcenter":              {sessiontest.WithSlidingSessions()},
}

// life is one life of a token, where its description leaves that to the server.
const life = 15 * time.Minute

// rig is a server that speaks an entry's protocol, and what its sources share.
type rig struct {
	t        *testing.T
	name     string
	protocol jwtsession.Protocol
	box      *sessiontest.Server
	store    cache.Cache
	life     time.Duration // zero: tokens do not expire
	extra    map[string]string
	before   sessiontest.Counts
	mu       sync.Mutex
	given    jwtsession.Credentials // what the provider says
}

func newRig(t *testing.T, name string, p jwtsession.Protocol) *rig {
	r := &rig{t: t, name: name, protocol: p, store: cache.NewMemory(), life: life, extra: extra[name]}
	options := []sessiontest.Option{
		sessiontest.InMemory(), sessiontest.Strict(t), sessiontest.WithExtra(r.extra),
		sessiontest.WithTokenLife(life), sessiontest.WithProtocol(p),
	}
	r.box = sessiontest.NewServer(append(options, like[name]...)...)
	t.Cleanup(r.box.Close)
	if fixed, err := time.ParseDuration(p.ExpiresIn); err == nil {
		r.life = fixed
	}
	switch name {
	case "jellyfin":
		r.life = 0
	case "pi-hole":
		r.life = 30 * time.Minute
	}
	r.given = r.right()
	return r
}

func (r *rig) right() jwtsession.Credentials {
	return jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password, Extra: r.extra}
}

// wrong are credentials that the server refuses: where a protocol has no password,
// another refresh token.
func (r *rig) wrong() jwtsession.Credentials {
	c := r.right()
	c.Password = "wrong"
	if _, has := c.Extra["refresh_token"]; has {
		c.Extra = map[string]string{"refresh_token": "wrong", "client_id": c.Extra["client_id"], "client_secret": ""}
		if r.name == "home-assistant" {
			delete(c.Extra, "client_secret")
		}
	}
	return c
}

func (r *rig) give(c jwtsession.Credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given = c
}

func (r *rig) source() *jwtsession.TokenSource {
	r.t.Helper()
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL: r.box.URL, HTTPClient: r.box.Client(), Protocol: &r.protocol, Cache: r.store,
		CacheKey: []byte("thirty-two bytes of a test's key"),
		Credentials: jwtsession.CredentialsProviderFunc(func(ctx context.Context) (jwtsession.Credentials, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.given, nil
		}),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { ts.Close() })
	return ts
}

// works makes a request that has to be served.
func (r *rig) works(ts *jwtsession.TokenSource, when string) {
	r.t.Helper()
	res, err := ts.Client().Get(r.box.URL + "/things")
	if err != nil {
		r.t.Fatalf("%s: %v", when, err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: got %s %s, want 200", when, res.Status, text)
	}
}

// calls compares what the server has got since the last time.
func (r *rig) calls(when string, creates, refreshes int) {
	r.t.Helper()
	now := r.box.Counts()
	if got, want := [2]int{now.Creates - r.before.Creates, now.Refreshes - r.before.Refreshes}, [2]int{creates, refreshes}; got != want {
		r.t.Errorf("%s: got %d sign-ins and refreshes, want %d", when, got, want)
	}
	if now.Reused != 0 {
		r.t.Errorf("%s: what a refresh had used up was sent again %d times", when, now.Reused)
	}
	r.before = now
}

// renews reports whether the protocol has a refresh, and ends whether it has a
// log-out.
func (r *rig) renews() bool { return r.protocol.Refresh != "" || r.name == "pacerpro" }
func (r *rig) ends() bool   { return r.protocol.LogOut != "" || r.name == "pacerpro" }

// refused is how many refreshes a session costs that has ended at the server.
func (r *rig) refused() int {
	if r.renews() {
		return 1
	}
	return 0
}

// O7, O8
func TestEveryProtocolLivesThroughAWholeSessionOnAStrictServer(t *testing.T) {
	for name, p := range All() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, name, p)
				first, second := r.source(), r.source()
				r.works(first, "signed in")
				r.works(second, "a second source")
				r.calls("a sign-in for both", 1, 0)
				for _, trial := range []func(first, second *jwtsession.TokenSource){r.fiveLives, r.revoked, r.wrongPassword, r.away, r.logOut} {
					trial(first, second)
					// A rejection soon after another one is answered by less (T12), and by then
					// the second source has looked for what the first one got.
					time.Sleep(2*time.Minute + r.life/8)
				}
			})
		})
	}
}

// fiveLives has each life end with one call for both sources.
func (r *rig) fiveLives(first, second *jwtsession.TokenSource) {
	r.t.Helper()
	if r.life == 0 {
		time.Sleep(1000 * time.Hour)
		r.works(first, "after a long time")
		r.calls("after a long time", 0, 0)
		return
	}
	for n := 1; n <= 5; n++ {
		start := time.Now()
		op, creates, refreshes := sessiontest.OpRefresh, 0, 1
		if !r.renews() {
			op, creates, refreshes = sessiontest.OpCreate, 1, 0
		}
		select {
		case <-r.box.Await(op, r.before.Creates*creates+r.before.Refreshes*refreshes+1):
		case <-time.After(r.life):
			r.t.Fatalf("life %d: there was no %s within %v", n, op, r.life)
		}
		synctest.Wait()
		if lived := time.Since(start); n > 1 && lived < r.life/2 {
			r.t.Errorf("life %d: it took %v, of %v; want at least half, whatever the window of T2 is", n, lived, r.life)
		}
		r.works(first, "in another life")
		r.works(second, "a second source in another life")
		r.calls(fmt.Sprint("life ", n), creates, refreshes)
	}
}

// revoked has the server end all sessions: one sign-in heals that for both.
func (r *rig) revoked(first, second *jwtsession.TokenSource) {
	r.t.Helper()
	r.box.RevokeAll()
	r.works(first, "revoked")
	r.works(second, "a second source, revoked")
	r.calls("revoked", 1, r.refused())
}

// wrongPassword has the server end all sessions while the provider has a wrong
// password: it is sent once, and what is right is tried at once.
func (r *rig) wrongPassword(first, second *jwtsession.TokenSource) {
	r.t.Helper()
	r.give(r.wrong())
	r.box.RevokeAll()
	for range 3 {
		if res, err := first.Client().Get(r.box.URL + "/things"); err == nil {
			res.Body.Close()
			if res.StatusCode/100 == 2 {
				r.t.Errorf("a wrong password: got %s", res.Status)
			}
		}
	}
	if _, err := first.Token(); r.renews() && !errors.Is(err, jwtsession.ErrInvalidCredentials) {
		r.t.Errorf("a wrong password: got the error %v, want ErrInvalidCredentials", err)
	}
	r.calls("a wrong password", 1, r.refused())
	r.give(r.right())
	r.works(first, "the right password")
	r.works(second, "a second source with the right password")
	r.calls("the right password", 1, 0)
}

// away has the server fail: while the token lives nobody notices, and after that
// the first call that succeeds heals it.
func (r *rig) away(first, second *jwtsession.TokenSource) {
	r.t.Helper()
	if r.life == 0 {
		return
	}
	r.box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: http.StatusServiceUnavailable})
	time.Sleep(time.Until(first.Status().ExpiresAt) * 9 / 10)
	r.works(first, "while the server is away")
	r.works(second, "a second source while the server is away")
	r.box.Heal()
	time.Sleep(2 * time.Minute)
	r.works(first, "after the server has come back")
	r.works(second, "a second source after the server has come back")

	r.box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: http.StatusServiceUnavailable})
	time.Sleep(r.life + time.Minute)
	var api *jwtsession.APIError
	if _, err := first.Token(); !errors.As(err, &api) || api.StatusCode != http.StatusServiceUnavailable {
		r.t.Errorf("the server is away for too long: got the error %v, want its 503", err)
	}
	r.box.Heal()
	time.Sleep(2 * time.Minute)
	r.works(first, "after the server was away for long")
	r.works(second, "a second source after the server was away for long")
	r.before = r.box.Counts()
}

// logOut ends the session for both, where the server can do that; the next
// request signs in.
func (r *rig) logOut(first, second *jwtsession.TokenSource) {
	r.t.Helper()
	seen := &recorder{base: r.box.Client().Transport}
	client := &http.Client{Transport: &jwtsession.Transport{Source: first, Base: seen}}
	res, err := client.Get(r.box.URL + "/things")
	if err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("before the log-out: got %v, %v", res, err)
	}
	res.Body.Close()
	if err := first.Revoke(context.Background()); err != nil {
		r.t.Fatalf("the log-out: %v", err)
	}
	if first.Status().Live {
		r.t.Error("after the log-out the source has a session still")
	}
	want := http.StatusOK
	if r.ends() {
		want = cmp.Or(append([]int{0}, r.protocol.Rejects...)[len(r.protocol.Rejects)], http.StatusUnauthorized)
	}
	if res, err = r.box.Client().Transport.RoundTrip(seen.last); err != nil || res.StatusCode != want {
		r.t.Fatalf("the token after the log-out: got %v, %v; want %d", res, err, want)
	}
	res.Body.Close()
	if got := r.box.Counts(); r.ends() != (got.Revoked == 1) {
		r.t.Errorf("got %d log-outs", got.Revoked)
	}
	r.works(first, "after the log-out")
	r.works(second, "a second source after the log-out")
	r.calls("after the log-out", 1, 0)
}

// recorder keeps the last request that it carried.
type recorder struct {
	base http.RoundTripper
	last *http.Request
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.last = req
	return r.base.RoundTrip(req)
}
