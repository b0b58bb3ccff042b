package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestStatusShowsTheSessionAndNoSecret(t *testing.T) {
	b := newBox(t)
	code, before, _ := b.run(t, "status")
	if code != exitOK || !strings.Contains(before, "session   none") || !strings.Contains(before, "there is no session in the cache") {
		t.Errorf("before the sign-in: got code %d and\n%s\nwant that there is no session", code, before)
	}
	token := b.token(t)
	code, text, stderr := b.run(t, "status")
	if code != exitOK || stderr != "" {
		t.Errorf("got code %d and stderr %q, want %d and none", code, stderr, exitOK)
	}
	for _, want := range []string{
		"account   clerk@example.com (JWTSESSION_EMAIL)\n",
		"password  from JWTSESSION_PASSWORD\n",
		"API       " + b.base + " (JWTSESSION_BASE_URL)\n",
		"cache     file, ", "jwtsession (default)\n",
		"session   live, 14m", "refresh   due at 70 to 80 % of its life\n",
		"claims    exp = ", "scp = \"user\"\n", "sub = 1\n", "…\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q in\n%s", want, text)
		}
	}
	code, output, _ := b.run(t, "status", "--output", "json")
	var got struct {
		Account, Password, BaseURL found
		Origin                     string
		Cache                      cacheReport
		Live                       bool
		Session                    liveSession
	}
	if err := json.Unmarshal([]byte(output), &got); err != nil || code != exitOK {
		t.Fatalf("--output json: got code %d and error %v", code, err)
	}
	s := got.Session
	if got.Account != (found{sessiontest.Email, emailSetting.variable()}) || got.Password != (found{"", passwordVariable}) || got.BaseURL.Value != b.base || !strings.HasPrefix(b.base, got.Origin+"/") ||
		got.Cache.Kind != "file" || !got.Live || s.RefreshIsDue || s.SecondsLeft < 800 || s.SecondsLeft > 900 || !s.RefreshAt.Before(s.ExpiresAt) || s.Claims["sub"] != 1.0 {
		t.Errorf("--output json: got %s", output)
	}
	jti, _ := claimsOf(token)["jti"].(string)
	if !strings.Contains(output, jti) || strings.Contains(output, "RefreshIn") {
		t.Errorf("--output json: got %s", output)
	}
	for name, text := range map[string]string{"text": text, "json": output} {
		for what, secret := range map[string]string{"the password": sessiontest.Password, "the token": token, "its signature": token[strings.LastIndex(token, ".")+1:]} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %s is in it", name, what)
			}
		}
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1})
}

// A session close to its end is one that any other use would refresh.
func TestStatusOnlyLooksWhateverItFinds(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		isDue bool
		want  error
	}{
		"a young session":    {5 * time.Minute, false, nil},
		"one that is due":    {12*time.Minute + time.Second, true, nil},
		"one near its end":   {14*time.Minute + 50*time.Second, true, nil},
		"one that has ended": {16 * time.Minute, false, errNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(15*time.Minute))
				defer server.Close()
				a, connect := inMemory(server)
				if _, err := a.liveToken(t.Context(), demand{}, t.Output(), connect); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.after)
				credentials, _ := a.Retrieve(t.Context())
				begin := time.Now()
				s, err := a.peek(t.Context(), credentials)
				if !errors.Is(err, c.want) || (s == nil) != (c.want != nil) {
					t.Fatalf("got %+v and error %v, want error %v", s, err, c.want)
				}
				if s != nil && s.RefreshIsDue != c.isDue {
					t.Errorf("got that the refresh is due: %v, want %v", s.RefreshIsDue, c.isDue)
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("it took %v, want no wait", took)
				}
				if got := server.Counts(); got.Creates != 1 || got.Refreshes != 0 {
					t.Errorf("got %+v, want the one sign-in", got)
				}
			})
		})
	}
}

// The source that will refresh the token draws the moment, which no other can know.
func TestStatusSaysOfTheRefreshWhatCanBeKnown(t *testing.T) {
	const signIn = "POST /login\n\nu={email}&p={password}"
	for name, c := range map[string]struct {
		protocol    jwtsession.Protocol
		from, until time.Duration // of the life; zero: unknown
	}{
		"PacerPro's":         {jwtsession.Protocol{}, 0, 0},
		"a fixed life":       {jwtsession.Protocol{SignIn: signIn, Token: "t", ExpiresIn: "15m"}, 10*time.Minute + 30*time.Second, 12 * time.Minute},
		"an opaque token":    {jwtsession.Protocol{SignIn: signIn, Token: "t", ExpiresIn: "in"}, 0, 0},
		"a life that is not": {jwtsession.Protocol{SignIn: signIn, Token: "t", ExpiresAt: "at", ExpiresIn: "24h"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithProtocol(c.protocol), sessiontest.WithTokenLife(15*time.Minute))
				defer server.Close()
				a, connect := inMemory(server)
				var err error
				if a.protocol, err = newProtocol(setting{name, "the test"}, c.protocol); err != nil {
					t.Fatal(err)
				}
				if _, err := a.liveToken(t.Context(), demand{}, t.Output(), connect); err != nil {
					t.Fatal(err)
				}
				credentials, _ := a.Retrieve(t.Context())
				from, until := time.Now().Add(c.from), time.Now().Add(c.until)
				want := "refresh   due at 70 to 80 % of its life\n"
				if c.until > 0 {
					want = "refresh   due between " + from.Local().Format(time.DateTime) + " and " + until.Local().Format(time.DateTime) + "\n"
				}
				for range 20 {
					s, err := a.peek(t.Context(), credentials)
					if err != nil {
						t.Fatal(err)
					}
					var text strings.Builder
					if err := (report{Session: s}).print(&text); err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(text.String(), want) {
						t.Fatalf("got no %q in\n%s", want, text.String())
					}
					if c.until > 0 && (!s.RefreshAt.Equal(from) || !s.RefreshBefore.Equal(until)) || c.until == 0 && (s.RefreshAt.IsZero() || !s.RefreshBefore.IsZero()) {
						t.Fatalf("got %v and %v, want %v and %v", s.RefreshAt, s.RefreshBefore, from, until)
					}
				}
			})
		})
	}
}

func TestTheLifeOfATokenIsThatOfItsClaimsWhereTheyFit(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	for name, c := range map[string]struct {
		claims           string
		expires, drawn   time.Duration
		first, last      time.Duration
		fixed            time.Duration
		isDue, isUnknown bool
	}{
		"iat and exp":                    {claims: `{"iat":NOW,"exp":END}`, expires: 1000 * time.Second, drawn: 750 * time.Second, first: 700 * time.Second, last: 800 * time.Second},
		"a clock of the server's own":    {claims: `{"iat":5000,"exp":6000}`, expires: 1000 * time.Second, drawn: 750 * time.Second, first: 700 * time.Second, last: 800 * time.Second},
		"drawn at once":                  {claims: `{"iat":NOW,"exp":END}`, expires: 1000 * time.Second, drawn: 700 * time.Second, first: 700 * time.Second, last: 800 * time.Second},
		"an iat of the first of several": {claims: `{"iat":NOW,"exp":END}`, expires: 500 * time.Second, drawn: 375 * time.Second, isUnknown: true},
		"no iat":                         {claims: `{"exp":END}`, expires: 1000 * time.Second, drawn: 750 * time.Second, isUnknown: true},
		"an iat that is none":            {claims: `{"iat":"then","exp":END}`, expires: 1000 * time.Second, drawn: 750 * time.Second, isUnknown: true},
		"a fixed life beside them":       {claims: `{"iat":NOW,"exp":END}`, fixed: 500 * time.Second, expires: 500 * time.Second, drawn: 375 * time.Second, first: 350 * time.Second, last: 400 * time.Second},
		"one that is due":                {claims: `{"iat":NOW,"exp":END}`, expires: 1000 * time.Second, drawn: -time.Second, isDue: true, isUnknown: true},
	} {
		payload := strings.NewReplacer("NOW", fmt.Sprint(now.Unix()), "END", fmt.Sprint(in(1000*time.Second).Unix())).Replace(c.claims)
		encode := base64.RawURLEncoding.EncodeToString
		token := encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(payload)) + ".c2ln"
		s := describeSession(token, jwtsession.Status{ExpiresAt: in(c.expires), RefreshAt: in(c.drawn)}, c.fixed)
		first, last := in(c.first), in(c.last)
		if c.isUnknown {
			first, last = in(c.drawn), time.Time{}
		}
		if c.isDue {
			first = time.Time{}
		}
		if s.RefreshIsDue != c.isDue || !s.RefreshAt.Equal(first) || !s.RefreshBefore.Equal(last) {
			t.Errorf("%s: got due %v, and between %v and %v; want %v, %v and %v", name, s.RefreshIsDue, s.RefreshAt, s.RefreshBefore, c.isDue, first, last)
		}
	}
}

func TestStatusTellsWhatIsWrong(t *testing.T) {
	b := newBox(t)
	b.token(t)
	code, _, _ := b.with("JWTSESSION_PASSWORD=wrong").run(t, "token")
	if code != exitRejected {
		t.Errorf("a wrong password: got code %d, want %d", code, exitRejected)
	}
	entries, err := filepath.Glob(filepath.Join(strings.TrimPrefix(b.environment[0], "HOME="), ".cache", "jwtsession", "*.entry"))
	if err != nil || len(entries) != 2 {
		t.Fatalf("got the entries %q and error %v, want that of a session and that of a refusal", entries, err)
	}
	wrong := b.with("JWTSESSION_PASSWORD=wrong")
	if _, text, _ := wrong.run(t, "status"); !strings.Contains(text, "401 Unauthorized") {
		t.Errorf("refused credentials: got\n%s\nwant the server's refusal", text)
	}
	if _, text, _ := b.with("JWTSESSION_PASSWORD=", "JWTSESSION_EMAIL=").run(t, "status"); !strings.Contains(text, "no credentials: ") || !strings.Contains(text, "set JWTSESSION_EMAIL and JWTSESSION_PASSWORD") {
		t.Errorf("no credentials: got\n%s\nwant what to set", text)
	}
	if _, text, _ := b.run(t, "status", "--password-file", "/no/such/file"); !strings.Contains(text, "open /no/such/file: no such file") {
		t.Errorf("no password file: got\n%s\nwant that there is none", text)
	}
	if _, text, _ := b.run(t, "status", "--cache", "none"); !strings.Contains(text, "cache     none (--cache)") {
		t.Errorf("no cache: got\n%s\nwant that there is none", text)
	}
	for _, entry := range entries {
		if err := os.WriteFile(entry, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, text, _ := b.run(t, "status"); !strings.Contains(text, "the cache is done without") {
		t.Errorf("a damaged entry: got\n%s\nwant that the cache is damaged", text)
	}
	_, _, stderr := b.run(t, "token")
	if !strings.HasPrefix(stderr, "jwtsession: warning: filecache: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a damaged entry: got %q on stderr of token, want a warning", stderr)
	}
}

// What a server puts into its claims is not to steer the terminal.
func TestTheClaimsOfATokenAreShownAsText(t *testing.T) {
	r := report{Session: &liveSession{Claims: map[string]any{"name\x1b[2J": "\x1b[31m\u202e<b>", "exp": json.Number("12")}}}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.ContainsAny(got, "\x1b\u202e") || !strings.Contains(got, "<b>") || !strings.Contains(got, "exp = 12 (1970-01-01") {
		t.Errorf("got %q, want no control characters, and the time of exp", got)
	}
	if got := claimsOf("opaque"); got != nil {
		t.Errorf("a token that is no JWT: got %v, want no claims", got)
	}
}

func TestACheckTellsScriptsHowTheSessionStands(t *testing.T) {
	longtest.Run(t) // most of a token's life, in real time
	t.Parallel()
	b := newBox(t, "--token-life", "20s", "--fault", "refresh:503:1")
	if code, stdout, stderr := b.run(t, "status", "--check"); code != exitFailure || !strings.Contains(stdout, "there is no session in the cache") || stderr != "" {
		t.Errorf("without a session: got code %d, %q and %q, want %d", code, stdout, stderr, exitFailure)
	}
	first := b.token(t)
	if code, stdout, stderr := b.run(t, "status", "--check"); code != exitOK || !strings.Contains(stdout, "live") || stderr != "" {
		t.Errorf("with one: got code %d, %q and %q, want %d", code, stdout, stderr, exitOK)
	}
	for begin := time.Now(); time.Since(begin) < 17*time.Second; {
		time.Sleep(100 * time.Millisecond)
	}
	if code, _, stderr := b.run(t, "status", "--check"); code != exitUnreachable || !strings.Contains(stderr, "due, and could not be had") {
		t.Errorf("a refresh that fails: got code %d and %q, want %d", code, stderr, exitUnreachable)
	}
	if code, _, stderr := b.run(t, "status", "--check"); code != exitOK {
		t.Errorf("a refresh that works: got code %d and %q, want %d", code, stderr, exitOK)
	}
	if b.token(t) == first {
		t.Error("got the same token, want the refreshed one")
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1, sessiontest.OpRefresh: 2})
}

// A token that has expired, and a refresh token that lives.
func TestStatusKnowsASessionThatCanBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithProtocol(protocols.GinJWT), sessiontest.WithTokenLife(15*time.Minute))
		defer server.Close()
		a, connect := inMemory(server)
		var err error
		if a.protocol, err = protocolByName(setting{"gin-jwt", "the test"}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.liveToken(t.Context(), demand{}, t.Output(), connect); err != nil {
			t.Fatal(err)
		}
		credentials, _ := a.Retrieve(t.Context())
		for _, c := range []struct {
			after time.Duration
			live  bool
			want  error
		}{{12*time.Minute + time.Second, true, nil}, {time.Hour, false, errOnlyRenewable}, {31 * 24 * time.Hour, false, errNoSession}} {
			time.Sleep(c.after)
			begin := time.Now()
			s, err := a.peek(t.Context(), credentials)
			if (s != nil) != c.live || err != c.want {
				t.Errorf("after %v: got %+v and %v, want %v", c.after, s, err, c.want)
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("after %v: it took %v, want no wait", c.after, took)
			}
		}
		if got := server.Counts(); got.Creates != 1 || got.Refreshes != 0 {
			t.Errorf("got %+v, want the one sign-in", got)
		}
	})
}
