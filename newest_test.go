package jwtsession

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// sources makes a test's sources: all on one cache, or none with any.
type sources func(change ...func(*Config)) *TokenSource

// withAndWithoutACache runs f twice, each time with a session API of its own.
func withAndWithoutACache(t *testing.T, f func(t *testing.T, box *sessiontest.Server, open sources), opts ...sessiontest.Option) {
	t.Helper()
	for name, shared := range map[string]bool{"with a cache": true, "without a cache": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				f(t, box, func(change ...func(*Config)) *TokenSource {
					if shared {
						change = append([]func(*Config){through(store)}, change...)
					}
					return newSource(t, box, change...)
				})
			}, opts...)
		})
	}
}

// opens reports whether a token opens the API, whatever a source thinks of it.
func opens(t testing.TB, box *sessiontest.Server, token string) bool {
	t.Helper()
	req := get(t, box.URL+"/me")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := box.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// upload sends what cannot be sent again, and returns the answer's status.
func upload(t testing.TB, box *sessiontest.Server, ts *TokenSource) int {
	t.Helper()
	body := struct{ io.Reader }{bytes.NewReader([]byte("content"))} // http.NewRequest makes no GetBody for it
	req, err := http.NewRequest(http.MethodPost, box.URL+"/me", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := ts.Client().Do(req)
	if err != nil {
		t.Fatalf("a request got %v, want an answer", err)
	}
	res.Body.Close()
	return res.StatusCode
}

// revoke logs out, which must work.
func revoke(t testing.TB, ts *TokenSource) {
	t.Helper()
	if err := ts.Revoke(t.Context()); err != nil {
		t.Fatalf("Revoke: got error %v, want none", err)
	}
}

// T13: the newest session is not always the one that is held.
func TestRevokeEndsTheNewestSessionWhateverItHoldsItself(t *testing.T) {
	for name, c := range map[string]struct {
		hold func(t *testing.T, box *sessiontest.Server, here *TokenSource)
		then func(box *sessiontest.Server)
	}{
		"nothing":                  {func(*testing.T, *sessiontest.Server, *TokenSource) {}, nil},
		"one that ended unnoticed": {func(t *testing.T, box *sessiontest.Server, here *TokenSource) { expectOK(t, box, here) }, nil},
		"one that was rejected": {func(t *testing.T, box *sessiontest.Server, here *TokenSource) {
			here.Invalidate(token(t, here))
		}, nil},
		"one that ended unnoticed, and the first DELETE fails": {
			func(t *testing.T, box *sessiontest.Server, here *TokenSource) { expectOK(t, box, here) },
			func(box *sessiontest.Server) { box.Inject(sessiontest.OpRevoke, 1, sessiontest.Fault{Status: 503}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				here, there := newSource(t, box, through(store)), newSource(t, box, through(store))
				expectOK(t, box, there)
				c.hold(t, box, here)
				pass(time.Second)
				box.RevokeAll()
				expectOK(t, box, there) // signs in anew
				newest := token(t, there)
				if c.then != nil {
					c.then(box)
				}
				revoke(t, here)
				if opens(t, box, newest) {
					t.Error("after Revoke returned nil, the session that another source had brought still opens the API")
				}
				if got := token(t, here); got == newest || !opens(t, box, got) {
					t.Error("the next token does not open the API, want that of a new sign-in")
				}
				expectCalls(t, box, 3, box.Counts().Refreshes, box.Counts().Revokes)
			})
		})
	}
}

// T13: a session that has expired, or that the cache cannot tell of, is nothing
// to delete; a DELETE that the server answers with 401 is then as good as done.
func TestRevokeOfASessionThatEndedUnnoticedIsDoneIfNoOtherIsKnown(t *testing.T) {
	withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
		ts := open()
		dead := token(t, ts)
		box.RevokeAll()
		revoke(t, ts)
		expectCalls(t, box, 1, 0, 1)
		if got := token(t, ts); got == dead {
			t.Error("the dead token was handed out after Revoke")
		}
		revoke(t, ts)
		pass(time.Hour) // nothing is refreshed that was revoked
		expectCalls(t, box, 2, 0, 2)
	})
}

// T13: what has been said of a session does not keep it from being deleted.
func TestRevokeDeletesASessionThatWasRejectedAndLives(t *testing.T) {
	for name, reject := range map[string]func(*testing.T, *sessiontest.Server, *TokenSource){
		"a 401 to a request that cannot be repeated": func(t *testing.T, box *sessiontest.Server, ts *TokenSource) {
			box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: 401})
			if got := upload(t, box, ts); got != 401 {
				t.Fatalf("the request got %d, want the 401", got)
			}
		},
		"Invalidate": func(t *testing.T, _ *sessiontest.Server, ts *TokenSource) { ts.Invalidate(token(t, ts)) },
		"a 401, and a refresh that judges nothing": func(t *testing.T, box *sessiontest.Server, ts *TokenSource) {
			box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 503})
			ts.Invalidate(token(t, ts))
			token(t, ts)
		},
	} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				old := token(t, ts)
				reject(t, box, ts)
				revoke(t, ts)
				if opens(t, box, old) {
					t.Error("after Revoke returned nil, the session still opens the API")
				}
				expectCalls(t, box, 1, box.Counts().Refreshes, 1)
			})
		})
	}
}

// T6: wherever it comes back from.
func TestARejectedTokenIsNotBackAfterRevoke(t *testing.T) {
	for name, ended := range map[string]bool{"ended elsewhere": true, "rejected without a reason": false} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutACache(t, func(t *testing.T, box *sessiontest.Server, open sources) {
				ts := open()
				old := token(t, ts)
				if ended {
					box.RevokeAll()
				}
				ts.Invalidate(old)
				revoke(t, ts)
				for _, source := range []*TokenSource{ts, open()} {
					if got := token(t, source); got == old || !opens(t, box, got) {
						t.Error("the next token is the rejected one, or dead")
					}
				}
			})
		})
	}
}

// T6, C4: a cache that keeps what it is told to delete brings nothing back.
func TestARevokedTokenIsNotBackFromACacheThatKeepsIt(t *testing.T) {
	for name, rejected := range map[string]bool{"rejected before": true, "good until then": false} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				ts := newSource(t, box, through(store))
				old := token(t, ts)
				key := ts.sharing.Name()
				kept, err := store.Load(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				if rejected {
					ts.Invalidate(old)
				}
				revoke(t, ts)
				for range 3 {
					put(t, store, key, kept)
					if token(t, ts) == old {
						t.Fatal("the revoked token was handed out again")
					}
					pass(time.Minute)
					revoke(t, ts)
				}
			})
		})
	}
}
