package jwtsession

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// C2: whoever knows the address only, or has another password, gets nothing.
func TestAWrongPasswordOpensNoEntryAndAsksTheServer(t *testing.T) {
	for name, key := range map[string][]byte{"a key": []byte("thirty-two bytes of a test's key"), "the password alone": nil} {
		t.Run(name, func(t *testing.T) {
			box := sessiontest.NewServer()
			defer box.Close()
			store := cache.NewMemory()
			with := func(password string) *TokenSource {
				return newSource(t, box, func(c *Config) {
					c.Cache, c.CacheKey = store, key
					c.Credentials = Credentials{Email: sessiontest.Email, Password: password}
				})
			}
			want := token(t, with(sessiontest.Password))
			if _, err := with("wrong").Token(); !errors.Is(err, ErrInvalidCredentials) {
				t.Errorf("a wrong password got %v, want the server's rejection", err)
			}
			expectCalls(t, box, 2, 0, 0)
			if got := token(t, with(sessiontest.Password)); got != want {
				t.Error("the rightful session is gone")
			}
			expectCalls(t, box, 2, 0, 0)
		})
	}
}

// C2
func TestNoStoreEverSeesASecret(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		seen := &witness{Cache: cache.NewMemory()}
		ts := newSource(t, box, through(seen))
		secret := token(t, ts)
		pass(time.Hour)
		ts.Revoke(t.Context())
		secrets := []string{secret, token(t, ts), sessiontest.Password, sessiontest.Email, "eyJhbGciOi"}
		all := seen.all()
		if len(all) < 500 {
			t.Fatalf("the store saw %d bytes only: the test shows nothing", len(all))
		}
		for _, s := range secrets {
			if strings.Contains(all, s) {
				t.Errorf("the store saw a secret, or who the account is: %.10q…", s)
			}
		}
	})
}

// witness keeps all that a store sees.
type witness struct {
	cache.Cache
	mu   sync.Mutex
	text []byte
}

func (w *witness) all() string { w.mu.Lock(); defer w.mu.Unlock(); return string(w.text) }

func (w *witness) Lock(ctx context.Context, key string) (cache.Lease, error) {
	lease, err := w.Cache.Lock(ctx, key)
	w.note(key)
	return witnessLease{lease, w}, err
}

func (w *witness) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(append(w.text, text...), '\n')
}

type witnessLease struct {
	cache.Lease
	of *witness
}

func (l witnessLease) Store(ctx context.Context, e cache.Entry) error {
	l.of.note(string(e.Data))
	return l.Lease.Store(ctx, e)
}

// C3
func TestAnEntryThatCannotBeUsedIsAMissThatIsReportedAndOverwritten(t *testing.T) {
	entries := map[string]func(cache.Entry) cache.Entry{
		"empty": func(cache.Entry) cache.Entry { return cache.Entry{} },
		"garbage": func(cache.Entry) cache.Entry {
			return cache.Entry{Data: []byte("garbage, and a lot of it"), TTL: time.Hour}
		},
		"damaged":   func(e cache.Entry) cache.Entry { e.Data[len(e.Data)/2] ^= 1; return e },
		"truncated": func(e cache.Entry) cache.Entry { e.Data = e.Data[:len(e.Data)-1]; return e },
		"immortal":  func(e cache.Entry) cache.Entry { e.TTL = 0; return e },
	}
	for name, spoil := range entries {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
				store := cache.NewMemory()
				first := newSource(t, box, through(store))
				token(t, first)
				key, entry := entryIn(t, store, first)
				put(t, store, key, spoil(entry))

				var j journal
				token(t, newSource(t, box, through(store), j.record))
				synctest.Wait()
				expectCalls(t, box, 2, 0, 0)
				if got, want := j.kinds(), "cache failed, cache failed, signed in"; got != want {
					t.Errorf("events: %s; want %s", got, want)
				}
				token(t, newSource(t, box, through(store)))
				expectCalls(t, box, 2, 0, 0)
			})
		})
	}
}

// entryIn returns the entry of a source's account in a store, and its name.
func entryIn(t *testing.T, store cache.Cache, ts *TokenSource) (key string, e cache.Entry) {
	t.Helper()
	key = ts.sharing.Name()
	e, err := store.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("the entry of the account: got error %v, want it in the cache", err)
	}
	return key, e
}

func put(t *testing.T, store cache.Cache, key string, e cache.Entry) {
	t.Helper()
	lease, err := store.Lock(t.Context(), key)
	if err == nil {
		err = lease.Store(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
	lease.Unlock()
}

// C2: what a store says of an entry's life can shorten it, and not more.
func TestAStoreCannotProlongASession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		store := cache.NewMemory()
		first := newSource(t, box, through(store))
		token(t, first)
		key, entry := entryIn(t, store, first)
		entry.TTL = 1000 * time.Hour
		put(t, store, key, entry)
		second := newSource(t, box, through(store))
		token(t, second)
		if left := time.Until(second.Status().ExpiresAt); left > 15*time.Minute {
			t.Errorf("the session lives for %v, want 15 min at most", left)
		}
	})
}
