package jwtsession

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// inVirtualTime runs f in a bubble with a session API of its own.
func inVirtualTime(t *testing.T, f func(t *testing.T, box *sessiontest.Server), opts ...sessiontest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box := sessiontest.NewServer(append([]sessiontest.Option{sessiontest.InMemory()}, opts...)...)
		t.Cleanup(box.Close)
		f(t, box)
	})
}

// pass lets virtual time go by, and what is due by then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// newSource returns a source that signs in to the box, and closes it at the
// test's end.
func newSource(t testing.TB, box *sessiontest.Server, change ...func(*Config)) *TokenSource {
	t.Helper()
	config := Config{
		BaseURL:     box.URL,
		Credentials: Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
		HTTPClient:  box.Client(),
	}
	return newSourceOf(t, config, change...)
}

func newSourceOf(t testing.TB, config Config, change ...func(*Config)) *TokenSource {
	t.Helper()
	for _, c := range change {
		c(&config)
	}
	ts, err := New(config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { ts.Close() })
	return ts
}

// token returns a live token, which the test cannot do without.
func token(t testing.TB, ts *TokenSource) string {
	t.Helper()
	got, err := ts.Token()
	if err != nil {
		t.Fatalf("Token: got error %v, want a token", err)
	}
	return got.AccessToken
}

// expectCalls compares what the box has got so far.
func expectCalls(t testing.TB, box *sessiontest.Server, creates, refreshes, revokes int) {
	t.Helper()
	got := box.Counts()
	if got.Creates != creates || got.Refreshes != refreshes || got.Revokes != revokes {
		t.Errorf("the server got %d sign-ins, %d refreshes and %d revocations, want %d, %d and %d",
			got.Creates, got.Refreshes, got.Revokes, creates, refreshes, revokes)
	}
}

// together runs f n times at once, and returns when all have returned.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// took returns how long f takes.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// journal keeps the events of a source.
type journal struct {
	mu     sync.Mutex
	events []Event
}

func (j *journal) record(c *Config) {
	c.OnEvent = func(e Event) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.events = append(j.events, e)
	}
}

func (j *journal) all() []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

func (j *journal) kinds() string {
	var kinds []string
	for _, e := range j.all() {
		kinds = append(kinds, string(e.Kind))
	}
	return strings.Join(kinds, ", ")
}

// issuerFuncs is an Issuer for what a server in a box cannot be made to do. A
// nil function issues the next of a row of tokens that live for life.
type issuerFuncs struct {
	life    time.Duration
	create  func(context.Context) (Session, error)
	refresh func(context.Context, Session) (Session, error)
	revoke  func(context.Context, Session) error

	mu                          sync.Mutex
	creates, refreshes, revokes int
}

func (i *issuerFuncs) next() Session {
	life := i.life
	if life == 0 {
		life = 15 * time.Minute
	}
	return Session{Token: fmt.Sprintf("token-%d-%d", i.creates, i.refreshes), ExpiresAt: time.Now().Add(life)}
}

func (i *issuerFuncs) Create(ctx context.Context) (Session, error) {
	i.mu.Lock()
	i.creates++
	s := i.next()
	i.mu.Unlock()
	if i.create != nil {
		return i.create(ctx)
	}
	return s, nil
}

func (i *issuerFuncs) Refresh(ctx context.Context, old Session) (Session, error) {
	i.mu.Lock()
	i.refreshes++
	s := i.next()
	i.mu.Unlock()
	if i.refresh != nil {
		return i.refresh(ctx, old)
	}
	return s, nil
}

func (i *issuerFuncs) Revoke(ctx context.Context, s Session) error {
	i.mu.Lock()
	i.revokes++
	i.mu.Unlock()
	if i.revoke != nil {
		return i.revoke(ctx, s)
	}
	return nil
}

func (i *issuerFuncs) counts() (creates, refreshes, revokes int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.creates, i.refreshes, i.revokes
}

// roundTripperFunc is a function as an http.RoundTripper.
type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// jsonOf is v as JSON.
func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// A refresh falls due between these shares of a life (T2).
const earliestRefresh, latestRefresh = 70, 80 // per cent

// refreshesIn is how often, at least and at most, a session that lives for so long
// is refreshed in a span of time.
func refreshesIn(span, life time.Duration) (least, most int) {
	return int(span/(life*latestRefresh/100)) - 1, int(span/(life*earliestRefresh/100)) + 1
}

// refreshNow has a source's refresh fall due.
func refreshNow(ts *TokenSource) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.state.Due = core.At(ts.clock())
	ts.step(core.Input{Kind: core.Tick})
}

// status makes a request through the source, and returns the answer's status.
func status(t testing.TB, box *sessiontest.Server, ts *TokenSource) int {
	t.Helper()
	res, err := ts.Client().Get(box.URL + "/me")
	if err != nil {
		t.Fatalf("a request got %v, want an answer", err)
	}
	res.Body.Close()
	return res.StatusCode
}

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
