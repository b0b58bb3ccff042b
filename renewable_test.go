package jwtsession

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// onRotation makes sources of one account at a server that rotates refresh tokens:
// all on one cache, or none with any if store is nil.
func onRotation(t *testing.T, server *rotation, store cache.Cache) sources {
	return func(change ...func(*Config)) *TokenSource {
		if store != nil {
			change = append([]func(*Config){through(store)}, change...)
		}
		return newSourceOf(t, Config{Issuer: server, Account: "worker@example.com", BaseURL: "https://api.example.com"}, change...)
	}
}

// withRotation runs f with such a server, with and without a cache.
func withRotation(t *testing.T, f func(t *testing.T, server *rotation, open sources)) {
	t.Helper()
	for name, store := range map[string]func() cache.Cache{
		"with a cache":    func() cache.Cache { return cache.NewMemory() },
		"without a cache": func() cache.Cache { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
				server := newRotation()
				f(t, server, onRotation(t, server, store()))
			})
		})
	}
}

// expectLog compares the calls that a server got.
func expectLog(t testing.TB, server *rotation, creates, refreshes, revokes int) {
	t.Helper()
	c, r, d := server.count("create"), server.count("refresh"), server.count("revoke")
	if c != creates || r != refreshes || d != revokes {
		t.Errorf("the server got %d sign-ins, %d refreshes and %d revocations, want %d, %d and %d", c, r, d, creates, refreshes, revokes)
	}
	if n := server.count("reuse"); n != 0 {
		t.Errorf("a refresh token was used again %d times, want never", n)
	}
}

// expire has a source's refreshes fail until its token has expired, and the server
// back.
func expire(t *testing.T, server *rotation, ts *TokenSource) {
	t.Helper()
	old := token(t, ts)
	server.next("refresh", fails(unsent{})...)
	pass(time.Until(ts.Status().ExpiresAt) + time.Minute)
	server.next("")
	server.mu.Lock()
	server.log = server.log[:1] // the sign-in
	server.mu.Unlock()
	if server.opens(old) {
		t.Fatal("the access token lives: the test would show nothing")
	}
}

// T17: a password is the dearest thing to send.
func TestAnExpiredSessionThatCanBeRenewedIsRefreshedAndNotSignedIn(t *testing.T) {
	withRotation(t, func(t *testing.T, server *rotation, open sources) {
		ts := open()
		expire(t, server, ts)
		if got := token(t, ts); !server.opens(got) {
			t.Errorf("got %q, which does not open the API", got)
		}
		expectLog(t, server, 1, 1, 0)
	})
}

// T17: by another process as well, that has the session from the cache only.
func TestAnExpiredSessionInTheCacheIsRefreshedByAColdSource(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		server := newRotation()
		open := onRotation(t, server, cache.NewMemory())
		first := open()
		token(t, first)
		first.Close()
		pass(time.Hour)
		cold := []*TokenSource{open(), open(), open()}
		together(len(cold), func(i int) {
			if got := token(t, cold[i]); !server.opens(got) {
				t.Errorf("source %d got %q, which does not open the API", i, got)
			}
		})
		expectLog(t, server, 1, 1, 0)
		for _, ts := range cold {
			ts.Close()
		}
		pass(25 * time.Hour) // beyond RenewableUntil
		token(t, open())
		expectLog(t, server, 2, 1, 0)
	})
}

// T17: after a 401 the refresh comes first, and once.
func TestARejectedSessionThatCanBeRenewedIsRefreshedOnce(t *testing.T) {
	withRotation(t, func(t *testing.T, server *rotation, open sources) {
		ts := open()
		ts.Invalidate(token(t, ts))
		second := token(t, ts)
		expectLog(t, server, 1, 1, 0)
		ts.Invalidate(second)
		third := token(t, ts)
		expectLog(t, server, 2, 1, 0)
		ts.Invalidate(third)
		if got := token(t, ts); got != third {
			t.Errorf("got %q after the third rejection within a minute, want %q kept", got, third)
		}
		expectLog(t, server, 2, 1, 0)
	})
}

// T17, T8: what judges nothing does not end what can be renewed, but the
// callers' wait; a refusal does, and the sign-in follows at once.
func TestAnExpiredSessionIsSignedInAnewOnlyWhenItsRefreshIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer             error
		creates, refreshes int
		after              int // refreshes, when the server is well again
	}{
		"500":       {&APIError{Op: "refresh", Host: "api.example.com", StatusCode: 500}, 1, 0, 1},
		"HTML":      {ErrMalformedToken, 1, 0, 1},
		"302":       {&APIError{Op: "refresh", Host: "api.example.com", StatusCode: 302}, 1, 0, 1},
		"not sent":  {unsent{}, 1, 0, 1},
		"401":       {ErrUnauthorized, 2, 0, 0},
		"400":       {&APIError{Op: "refresh", Host: "api.example.com", StatusCode: 400}, 2, 0, 0},
		"not found": {&APIError{Op: "refresh", Host: "api.example.com", StatusCode: 404}, 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			withRotation(t, func(t *testing.T, server *rotation, open sources) {
				ts := open()
				expire(t, server, ts)
				server.next("refresh", fails(c.answer)...)
				_, err := ts.Token()
				if refused := c.creates > 1; (err == nil) != refused {
					t.Errorf("got error %v; a token is wanted only where the refresh was refused", err)
				}
				if n := server.count("create"); n != c.creates {
					t.Errorf("%d sign-ins, want %d", n, c.creates)
				}
				server.next("")
				pass(2 * time.Minute)
				before := server.count("refresh")
				token(t, ts)
				if n := server.count("refresh") - before; n != c.after || server.count("create") != c.creates {
					t.Errorf("with the server well: %d refreshes and %d sign-ins in all, want %d and %d", n, server.count("create"), c.after, c.creates)
				}
			})
		})
	}
}

// O3: a refresh token whose use was not answered may be used up: what lives is
// kept, and the way on is signing in.
func TestARefreshTokenIsNotUsedAgainWhenItsAnswerWasLost(t *testing.T) {
	withRotation(t, func(t *testing.T, server *rotation, open sources) {
		ts := open()
		first := token(t, ts)
		server.next("refresh", trouble{after: errLost})
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		if got := token(t, ts); got == first || !server.opens(got) {
			t.Errorf("a second after the lost answer the token is %q, want that of a new sign-in", got)
		}
		expectLog(t, server, 2, 1, 0)
		cold := open()
		token(t, cold)
		pass(time.Hour)
		token(t, ts)
		expectLog(t, server, server.count("create"), server.count("refresh"), 0)
	})
}

// O3, T10: with the password refused as well, callers keep the live token.
func TestTheLiveTokenIsKeptWhereNeitherRefreshNorSignInWorks(t *testing.T) {
	for name, refused := range map[string]error{
		"refused":    ErrInvalidCredentials,
		"server bad": &APIError{Op: "create", Host: "api.example.com", StatusCode: 503},
	} {
		t.Run(name, func(t *testing.T) {
			withRotation(t, func(t *testing.T, server *rotation, open sources) {
				ts := open()
				first := token(t, ts)
				server.next("refresh", trouble{after: errLost})
				server.mu.Lock()
				server.refused = refused
				server.mu.Unlock()
				pass(time.Until(ts.Status().ExpiresAt) - time.Millisecond)
				if got := token(t, ts); got != first {
					t.Errorf("got %q, want the live token kept", got)
				}
				if cold, err := open().Token(); err == nil && cold.AccessToken != first {
					t.Errorf("another source got %q, want the live token or an error", cold.AccessToken)
				}
				expectLog(t, server, server.count("create"), 1, 0)
				pass(time.Second)
				if _, err := ts.Token(); err == nil || !strings.Contains(err.Error(), refused.Error()) {
					t.Errorf("after the expiry: got %v, want the sign-in's error", err)
				}
			})
		})
	}
}

// O3: what was not sent, or was answered, is repeated with the same value.
func TestARefreshThatWasNotSentIsRepeatedWithTheSameValue(t *testing.T) {
	withRotation(t, func(t *testing.T, server *rotation, open sources) {
		ts := open()
		first := token(t, ts)
		server.next("refresh", trouble{before: unsent{}}, trouble{before: &APIError{Op: "refresh", StatusCode: 503}})
		pass(time.Until(ts.Status().RefreshAt) + 5*time.Second)
		if got := token(t, ts); got == first || !server.opens(got) {
			t.Errorf("got %q, want the refreshed token", got)
		}
		expectLog(t, server, 1, 3, 0)
	})
}

// T13: what a refresh under way brings is revoked as well.
func TestRevokeDuringARefreshEndsWhatItBrings(t *testing.T) {
	withRotation(t, func(t *testing.T, server *rotation, open sources) {
		ts := open()
		token(t, ts)
		hold := make(chan struct{})
		server.next("refresh", trouble{hold: hold})
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		time.AfterFunc(3*time.Second, func() { close(hold) })
		revoke(t, ts)
		if n := server.living(); n != 0 {
			t.Errorf("after Revoke returned nil %d sessions can be gone on with, want none", n)
		}
		expectLog(t, server, 1, 1, 1)
		if got := token(t, open()); !server.opens(got) {
			t.Errorf("the next process got %q, which does not open the API", got)
		}
		expectLog(t, server, 2, 1, 1)
	})
}

// T14: what a refresh brings while the source is closed is stored: the next
// process would else use a token that is used up.
func TestCloseDuringARefreshLeavesWhatItBringsToTheNextProcess(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		server := newRotation()
		open := onRotation(t, server, cache.NewMemory())
		ts := open()
		token(t, ts)
		hold := make(chan struct{})
		server.next("refresh", trouble{hold: hold})
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		time.AfterFunc(500*time.Millisecond, func() { close(hold) })
		if waited := took(func() { ts.Close() }); waited > 2*time.Second {
			t.Errorf("Close took %v, want a second or two at most", waited)
		}
		if _, err := ts.Token(); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: got %v, want ErrClosed", err)
		}
		if got := token(t, open()); !server.opens(got) {
			t.Errorf("the next process got %q, which does not open the API", got)
		}
		expectLog(t, server, 1, 1, 0)
		if n := server.living(); n != 1 {
			t.Errorf("%d sessions live, want the one: Close never revokes", n)
		}
	})
}

// T14: a refresh that does not end keeps nobody, and the next process knows that
// its value may be used up.
func TestCloseDuringARefreshThatIsNotAnsweredReturnsSoon(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		server := newRotation()
		open := onRotation(t, server, cache.NewMemory())
		ts := open()
		token(t, ts)
		server.next("refresh", trouble{hold: make(chan struct{})})
		pass(time.Until(ts.Status().RefreshAt) + time.Second)
		if waited := took(func() { ts.Close() }); waited > 3*time.Second {
			t.Errorf("Close took %v, want a second or two at most", waited)
		}
		server.next("")
		pass(time.Hour)
		if got := token(t, open()); !server.opens(got) {
			t.Errorf("the next process got %q, which does not open the API", got)
		}
		synctest.Wait()
	})
}

// O3: fifty processes rotate one family, and none uses a value again.
func TestFiftySourcesRotateOneRefreshToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		server := newRotation()
		server.latency = 300 * time.Millisecond
		open := onRotation(t, server, cache.NewMemory())
		fleet := make([]*TokenSource, 50)
		for i := range fleet {
			fleet[i] = open()
		}
		for range 40 {
			together(len(fleet), func(i int) { token(t, fleet[i]) })
			pass(3 * time.Minute)
		}
		least, most := refreshesIn(2*time.Hour, 10*time.Minute)
		if n := server.count("refresh"); n < least || n > most {
			t.Errorf("50 sources refreshed %d times in two hours of ten-minute tokens, want %d to %d", n, least, most)
		}
		expectLog(t, server, 1, server.count("refresh"), 0)
	})
}

// O3: which value is current the cache knows: one that is not there any more may
// have been used by others.
func TestARefreshTokenThatTheCacheKnowsNothingOfIsNotUsed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		server := newRotation()
		open := onRotation(t, server, cache.NewMemory())
		behind, ahead := open(), open()
		token(t, behind)
		token(t, ahead)
		pass(time.Minute)
		refreshNow(ahead)
		synctest.Wait()
		ahead.Invalidate(token(t, ahead))
		token(t, ahead)                   // the refresh
		ahead.Invalidate(token(t, ahead)) // is rejected as well:
		token(t, ahead)                   // a new family
		revoke(t, ahead)                  // and the cache has none
		pass(20 * time.Minute)
		if got := token(t, behind); !server.opens(got) {
			t.Errorf("got %q, which does not open the API", got)
		}
		expectLog(t, server, 3, server.count("refresh"), 1)
	})
}

// O3, C4: in a store that takes no writes nobody else finds the value.
func TestARefreshTokenThatCouldNotBeStoredIsUsed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		server, store := newRotation(), &faultyStore{Cache: cache.NewMemory()}
		away := waysToFail["fails"]
		store.store.Store(&away)
		ts := onRotation(t, server, store)()
		token(t, ts)
		pass(time.Hour)
		token(t, ts)
		if n := server.count("refresh"); n < 5 {
			t.Errorf("%d refreshes in an hour of ten-minute tokens, want at least 5", n)
		}
		expectLog(t, server, 1, server.count("refresh"), 0)
	})
}
