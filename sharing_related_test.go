package jwtsession

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// related is an issuer of JWTs that share a jti until somebody spins it, as
// PacerPro's do.
type related struct {
	mu     sync.Mutex
	jti    string
	count  int
	issued map[string]bool // the tokens that live
}

func (r *related) issue() Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	expiry := time.Now().Add(time.Hour)
	s := Session{Token: signedToken(map[string]any{"jti": r.jti, "exp": expiry.Unix(), "n": r.count}), ExpiresAt: expiry}
	r.issued[s.Token] = true
	return s
}

func (r *related) spin(jti string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jti = jti
	clear(r.issued)
}

func (r *related) lives(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.issued[token]
}

// source returns one of the fleet, and what it has called.
func (r *related) source(t *testing.T, store cache.Cache) (*TokenSource, *issuerFuncs) {
	t.Helper()
	calls := &issuerFuncs{
		create: func(context.Context) (Session, error) { return r.issue(), nil },
		refresh: func(_ context.Context, old Session) (Session, error) {
			if !r.lives(old.Token) {
				return Session{}, ErrUnauthorized
			}
			return r.issue(), nil
		},
	}
	return newSourceOf(t, Config{Issuer: calls, Cache: store, CacheKey: bytes.Repeat([]byte("k"), cacheKeySize), Account: "fleet"}), calls
}

// C1, T11: the beginning of two jtis may be the same, and says nothing: that of
// UUIDs of version 7 is the time.
func TestSessionsOfDifferentJTIsAreNotTakenForRelated(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		r, store := &related{jti: "0197f6a1-5d3c-7000-8000-000000000001", issued: map[string]bool{}}, cache.NewMemory()
		var fleet []*TokenSource
		var calls []*issuerFuncs
		for range 5 {
			ts, c := r.source(t, store)
			token(t, ts)
			fleet, calls = append(fleet, ts), append(calls, c)
		}
		pass(time.Minute)
		r.spin("0197f6a1-6e4d-7000-8000-000000000002")
		for _, ts := range fleet {
			ts.Invalidate(token(t, ts))
			if !r.lives(token(t, ts)) {
				t.Error("after the log-out: got a token that has ended")
			}
		}
		var creates, refreshes int
		for _, c := range calls {
			n, m, _ := c.counts()
			creates, refreshes = creates+n, refreshes+m
		}
		if creates != 2 || refreshes != 1 {
			t.Errorf("got %d sign-ins and %d refreshes, want 2 and 1: the others adopt what the first has signed in for", creates, refreshes)
		}
	})
}
