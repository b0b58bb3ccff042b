package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestFiftyTokensFromAShellMakeOneSignIn(t *testing.T) {
	b := newBox(t, "--latency", "300ms")
	cmd := b.command(t)
	script := `i=0; while [ $i -lt 50 ]; do "$0" token & i=$((i+1)); done; wait`
	shell := b.command(t)
	shell.Path, shell.Args = "/bin/sh", []string{"sh", "-c", script, cmd.Path}
	code, stdout, stderr := finish(t, shell)
	tokens := strings.Fields(stdout)
	distinct := len(slices.Compact(slices.Sorted(slices.Values(tokens))))
	// Who got no processor in the time that a cache has says that it did without. That
	// happens to a few, on a machine with other work.
	alone := strings.Count(stderr, ": no answer within ")
	if code != exitOK || strings.Count(stderr, "\n") != alone || alone > 5 || len(tokens) != 50 || distinct > 1+alone {
		t.Errorf("got code %d, stderr %q and %d tokens, %d of them distinct; want 50 times the same", code, stderr, len(tokens), distinct)
	}
	if calls := b.calls(t); calls[sessiontest.OpCreate] != distinct || len(calls) != 1 {
		t.Errorf("got %d tokens by the calls %v, want one sign-in for each", distinct, calls)
	}
}

func TestATokenComesFromTheCacheWithoutTheServer(t *testing.T) {
	b := newBox(t)
	first := b.token(t)
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1})
	if second := b.token(t); second != first {
		t.Error("with the server gone: got another token, want the one in the cache")
	}
	code, stdout, _ := b.run(t, "token", "--cache", "none", "--timeout", "500ms")
	if code != exitUnreachable || stdout != "" {
		t.Errorf("--cache none: got code %d and %d bytes on stdout, want %d and none", code, len(stdout), exitUnreachable)
	}
}

func TestTheFormatsOfATokenAreThoseOfScripts(t *testing.T) {
	b := newBox(t)
	token := b.token(t)
	if _, header, _ := b.run(t, "token", "-o", "header"); header != "Authorization: Bearer "+token+"\n" {
		t.Errorf("-o header: got %d bytes, want the header line of the token", len(header))
	}
	_, text, _ := b.run(t, "token", "--output", "json")
	var got map[string]string
	err := json.Unmarshal([]byte(text), &got)
	expiry, timeErr := time.Parse(time.RFC3339, got["expiresAt"])
	if err != nil || timeErr != nil || len(got) != 2 || got["token"] != token || time.Until(expiry) < 14*time.Minute || time.Until(expiry) > 15*time.Minute {
		t.Errorf("-o json: got %d fields, expiresAt %q and errors %v, %v; want the token, and its expiry in 15 minutes", len(got), got["expiresAt"], err, timeErr)
	}
}

// Real time and a real process: from 80 % of its life on, a refresh is due.
func TestATokenWhoseRefreshIsDueIsRefreshedFirst(t *testing.T) {
	t.Parallel()
	b := newBox(t, "--token-life", "10s")
	first := b.token(t)
	begin := time.Now()
	for time.Since(begin) < 8100*time.Millisecond {
		time.Sleep(100 * time.Millisecond)
	}
	if second := b.token(t); second == first {
		t.Error("at 81 % of its life: got the same token, want a refreshed one")
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1, sessiontest.OpRefresh: 1})
}

// inMemory is an account of a server in memory, in virtual time, with what
// connects them.
func inMemory(server *sessiontest.Server) (*account, func(*jwtsession.Config)) {
	sessions := cache.NewMemory()
	pacerPros, err := protocolOf(nil)
	if err != nil {
		panic(err)
	}
	a := &account{
		protocol: pacerPros,
		baseURL:  setting{server.URL, "the test"},
		email:    setting{sessiontest.Email, "the test"},
		password: &secretSource{"the test", func(context.Context) (string, error) {
			return sessiontest.Password, nil
		}},
		timeout: defaultTimeout,
		store: store{"memory", "memory", "", func(context.Context) (cache.Cache, func(), error) {
			return sessions, func() {}, nil
		}},
	}
	return a, func(c *jwtsession.Config) { c.HTTPClient = server.Client() }
}

func TestARefreshThatFailsDelaysTheTokenByAFewSecondsAtMost(t *testing.T) {
	for name, c := range map[string]struct {
		fault   sessiontest.Fault
		longest time.Duration
		isNewer bool
	}{
		"a refresh that works":                {sessiontest.Fault{Delay: time.Second}, time.Second, true},
		"an outage":                           {sessiontest.Fault{Status: 503}, 0, false},
		"a server that does not answer":       {sessiontest.Fault{Hang: true}, longestRefreshWait + time.Second, false}, // in which Close would store a late answer
		"a refused refresh, and so a sign-in": {sessiontest.Fault{Status: 401}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(15*time.Minute))
				defer server.Close()
				a, connect := inMemory(server)
				first, err := a.liveToken(t.Context(), demand{}, t.Output(), connect)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(12*time.Minute + time.Second)
				server.Inject(sessiontest.OpRefresh, 1, c.fault)
				begin := time.Now()
				second, err := a.liveToken(t.Context(), demand{}, t.Output(), connect)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took != c.longest {
					t.Errorf("it took %v, want %v", took, c.longest)
				}
				if isNewer := second.Expiry.After(first.Expiry); isNewer != c.isNewer {
					t.Errorf("got a token that expires at %v after one that expired at %v, want a newer one: %v", second.Expiry, first.Expiry, c.isNewer)
				}
			})
		})
	}
}

func TestATokenLivesOnForAsLongAsIsAskedOrIsAnError(t *testing.T) {
	for _, c := range []struct {
		name    string
		minLife time.Duration
		fault   sessiontest.Fault
		isNewer bool
		code    int
		want    string
	}{
		{"enough is left", 8 * time.Minute, sessiontest.Fault{Status: 503}, false, exitOK, ""},
		{"less is left", 10 * time.Minute, sessiontest.Fault{}, true, exitOK, ""},
		{"less is left, and the API is away", 10 * time.Minute, sessiontest.Fault{Status: 503}, false, exitUnreachable, "503"},
		{"no token of the API's lives so long", time.Hour, sessiontest.Fault{}, false, exitUnreachable, "the token has 15m0s left, and --min-life is 1h0m0s: the API gives none that lives longer; lower --min-life"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(15*time.Minute))
				defer server.Close()
				a, connect := inMemory(server)
				first, err := a.liveToken(t.Context(), demand{}, t.Output(), connect)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * time.Minute)
				if c.fault.Status != 0 {
					server.Inject(sessiontest.OpSession, -1, c.fault)
				}
				token, err := a.liveToken(t.Context(), demand{minLife: c.minLife}, t.Output(), connect)
				if counts := server.Counts(); counts.Created != 1 {
					t.Errorf("got %d sign-ins, want that the token is refreshed", counts.Created)
				}
				if got := exitCode(err); got != c.code || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got code %d and error %v, want %d and %q in it", got, err, c.code, c.want)
				}
				if err == nil && token.Expiry.After(first.Expiry) != c.isNewer {
					t.Errorf("got a token that expires at %v after one that expired at %v, want a newer one: %v", token.Expiry, first.Expiry, c.isNewer)
				}
			})
		})
	}
}

func TestARememberedRefusalIsAskedAboutAgainWhenThatIsDemanded(t *testing.T) {
	b := newBox(t, "--fault", "create:401:1")
	const question = "nobody was asked now: --retry does"
	if code, _, stderr := b.run(t, "token"); code != exitRejected || strings.Contains(stderr, question) {
		t.Errorf("the refusal: got code %d and %q, want %d and not that nobody was asked", code, stderr, exitRejected)
	}
	if code, _, stderr := b.run(t, "token"); code != exitRejected || !strings.Contains(stderr, question) {
		t.Errorf("what is remembered of it: got code %d and %q, want %d and how to ask at once", code, stderr, exitRejected)
	}
	const other = "nobody was asked now: jwtsession token --retry does"
	for _, args := range [][]string{{"api", "GET", "/me"}, {"token", "--write", t.TempDir() + "/token"}} {
		if code, _, stderr := b.run(t, args...); code != exitRejected || !strings.Contains(stderr, other) {
			t.Errorf("%q: got code %d and %q, want %d and %q", args, code, stderr, exitRejected, other)
		}
	}
	first := b.token(t, "--retry")
	if b.token(t) != first || b.token(t, "--retry") != first {
		t.Error("after it: got another token, want that of the session which there is now")
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 2})
}

func TestARefusalThatWasHeardNowIsNotAskedForTwice(t *testing.T) {
	b := newBox(t, "--fault", "create:401:all")
	if code, stdout, _ := b.run(t, "token", "--retry"); code != exitRejected || stdout != "" {
		t.Errorf("got code %d and %d bytes on stdout, want %d and none", code, len(stdout), exitRejected)
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 1})
}

// Who was told 401 would be given the same token for as long as it seems to live.
func TestATokenIsRenewedForWhoWasToldThatItIsRefused(t *testing.T) {
	b := newBox(t)
	b.token(t, "--renew") // is that of a sign-in, which is new
	second := b.token(t, "--renew")
	if b.token(t) != second {
		t.Error("after it: got another token, want the renewed one from the cache")
	}
	if code, _, stderr := b.run(t, "api", "DELETE", "/session"); code != exitOK { // behind the session's back
		t.Fatalf("log out elsewhere: got code %d and %q", code, stderr)
	}
	if b.token(t) != second {
		t.Error("after a log-out elsewhere: got another token, want the one in the cache, of which nobody knows")
	}
	third := b.token(t, "--renew", "--output", "text")
	if claimsOf(third)["jti"] == claimsOf(second)["jti"] {
		t.Error("--renew after a log-out elsewhere: got a token of the same jti, want that of a sign-in")
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 2, sessiontest.OpRefresh: 2, sessiontest.OpRevoke: 1})
	for _, command := range [][]string{{"token", "--renew"}, {"exec", "--renew", "--", "env"}} {
		code, stdout, stderr := b.run(t, command...)
		if code != exitUnreachable || stdout != "" || !strings.Contains(stderr, "the session could not be renewed (--renew)") {
			t.Errorf("%q without the server: got code %d, %d bytes on stdout and %q, want %d, none, and that it could not be asked", command, code, len(stdout), stderr, exitUnreachable)
		}
	}
}
