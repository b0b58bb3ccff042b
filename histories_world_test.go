package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	historyTimeout = 30 * time.Second

	// longestWait is what a caller may wait: for a lease and a call of a Revoke's, and
	// then for a lease and calls of its own.
	longestWait = 4 * historyTimeout

	// longestClose is for a refresh that is stored still, and code that does not
	// return.
	longestClose = 5 * time.Second
)

// world is where a history takes place.
type world struct {
	history
	server historyServer
	store  *faultyStore
	kept   *cache.Entry
	offset atomic.Int64 // of the one clock that all sources have

	mu          sync.Mutex // guards the rest, and all of the members
	members     []*member
	former      []*member
	pending     map[*errand]bool
	wrong       bool // the provider's password is
	disturbed   []time.Time
	quiet       time.Time // until when the server has asked anybody to be left alone
	quietShared bool      // and all can know it
	refused     time.Time // until when credentials are at rest, at least
	broken      string    // the first rule that was
}

// member is a source, and what is known of it without asking it.
type member struct {
	world *world
	index int
	ts    *TokenSource

	handed   map[string]bool      // tokens that it handed out
	told     map[string]rejection // that it was told were rejected, while they were current
	allTold  []rejection
	dead     map[string]time.Time // and then refused by the server
	revoked  map[string]time.Time // handed out before a Revoke that worked
	inFlight *sessionCall
	answers  []time.Time // when session calls were answered
	calls    []time.Time
	quiet    rest                 // the server asked to be left alone
	kept     rest                 // a question about it was answered by nobody who judges
	refused  map[string]time.Time // until when which password is at rest
	closed   bool
}

// rest is until when something is not to be done, unless another session than
// this one is held.
type rest struct {
	until time.Time
	held  string
}

// rejection is when a source was told of one, and how many session calls had been
// answered by then.
type rejection struct {
	at      time.Time
	answers int
}

// errand is a call that somebody waits for.
type errand struct {
	what   string
	start  time.Time
	within time.Duration
}

// enact plays a history, and returns what rule it broke.
func enact(t *testing.T, h history) (broken string) {
	t.Helper()
	w := &world{history: h, pending: map[*errand]bool{}}
	defer func() {
		if cause := recover(); cause != nil { // a goroutine that never ends, for one
			broken = fmt.Sprintf("%v; before that: %q", cause, w.broken)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		if h.rotating {
			w.server = newRotating(h)
		} else {
			box := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(h.life), sessiontest.WithLatency(h.latency))
			defer box.Close()
			w.server = boxed{box}
		}
		w.store = &faultyStore{Cache: cache.NewMemory()}
		for i := range h.sources {
			w.members = append(w.members, w.open(i))
		}
		for i, s := range h.steps {
			w.happens(s)
			synctest.Wait()
			if w.check(); w.broken != "" {
				w.broken = fmt.Sprintf("after step %d: %s", i, w.broken)
				break
			}
		}
		if w.broken == "" {
			w.recover()
		}
		w.end()
	})
	return w.broken
}

// breaks notes a broken rule. mu is held.
func (w *world) breaks(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

func (w *world) retrieve(context.Context) (Credentials, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong {
		return Credentials{Email: sessiontest.Email, Password: "wrong"}, nil
	}
	return Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, nil
}

// base is the API's. Each history has a host of its own, since a process knows for
// each by how much its clock is off.
func (w *world) base() string {
	return fmt.Sprintf("http://127.%d.%d.%d/v1", byte(w.seed>>16), byte(w.seed>>8), byte(w.seed))
}

// open starts a source.
func (w *world) open(index int) *member {
	m := &member{
		world: w, index: index, handed: map[string]bool{}, told: map[string]rejection{},
		dead: map[string]time.Time{}, revoked: map[string]time.Time{}, refused: map[string]time.Time{},
	}
	config := w.server.config(m)
	config.Timeout = historyTimeout
	if w.shared {
		through(w.store)(&config)
	}
	ts, err := New(config)
	if err != nil {
		panic(err)
	}
	if w.clocks {
		clock := func() time.Time { return time.Now().Round(0).Add(time.Duration(w.offset.Load())) }
		ts.clock = clock
		if client, ok := (*ts.issuer).(*Client); ok {
			client.clock = clock
		}
	}
	m.ts = ts
	return m
}

// begin has somebody wait for a call.
func (w *world) begin(what string, within time.Duration, call func(start time.Time)) {
	e := &errand{what, time.Now(), within}
	w.mu.Lock()
	w.pending[e] = true
	w.mu.Unlock()
	go func() {
		call(e.start)
		w.mu.Lock()
		delete(w.pending, e)
		if took := time.Since(e.start); took > within {
			w.breaks("%s took %v", what, took)
		}
		w.mu.Unlock()
	}()
}

// happens has one thing happen.
func (w *world) happens(s happening) {
	m := w.members[s.source]
	of := fmt.Sprintf("source %d's ", s.source)
	switch s.kind {
	case passes:
		time.Sleep(s.d)
	case asks:
		w.begin(of+"Token", longestWait, func(start time.Time) { m.ask(context.Background(), start) })
	case asksBriefly:
		w.begin(of+"TokenContext", s.d, func(start time.Time) {
			ctx, cancel := context.WithTimeout(context.Background(), s.d)
			defer cancel()
			m.ask(ctx, start)
		})
	case requests:
		w.begin(of+"request", 2*longestWait, func(time.Time) { m.request(nil) })
	case uploads:
		w.begin(of+"upload", 2*longestWait, func(time.Time) { m.request(struct{ io.Reader }{strings.NewReader("x")}) })
	case invalidates:
		m.invalidate()
	case invalidatesOld:
		w.mu.Lock()
		current := m.current()
		var old []string
		for token := range m.handed {
			if token != current {
				old = append(old, token)
			}
		}
		w.mu.Unlock()
		for _, token := range old {
			m.ts.Invalidate(token)
		}
	case revokes:
		w.begin(of+"Revoke", longestWait, m.revoke)
	case reopens:
		w.mu.Lock()
		w.former = append(w.former, m)
		w.members[s.source] = w.open(s.source)
		w.mu.Unlock()
		w.begin(of+"Close", longestClose, func(time.Time) { m.close() })
	case logsOutElsewhere:
		w.disturb()
		w.server.logOut()
	case serverFails:
		w.server.fail(s)
	case serverHeals:
		w.server.heal()
	case cacheFails:
		w.store.befall(s.what)
	case cacheHeals:
		w.store.befall("")
	case keepsEntry:
		if e, err := w.store.Cache.Load(context.Background(), w.entry(m)); err == nil {
			w.kept = &e
		}
	case putsEntryBack:
		w.putBack(m)
	case takesWrongPassword, takesRightPassword:
		w.disturb()
		w.mu.Lock()
		w.wrong = s.kind == takesWrongPassword
		w.quietShared = false // under the entry of the other
		w.mu.Unlock()
	case setsClock:
		w.disturb()
		w.setClock(s.d)
	}
}

// setClock sets the clock of all sources. What they would learn of that from the
// monotonic clock they are told.
func (w *world) setClock(offset time.Duration) {
	back := time.Duration(w.offset.Swap(int64(offset))) - offset
	for _, m := range w.members {
		m.ts.mu.Lock()
		m.ts.stepped += max(0, back)
		m.ts.mu.Unlock()
	}
}

// disturb notes what may lead to calls that are not in any plan.
func (w *world) disturb() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disturbed = append(w.disturbed, time.Now())
}

// entry is the name of the entry in the cache; "none" before it is known.
func (w *world) entry(m *member) string {
	m.ts.mu.Lock()
	defer m.ts.mu.Unlock()
	if m.ts.running != nil || !m.ts.sharing.Named() {
		return "none"
	}
	return m.ts.sharing.Name()
}

// putBack writes to the store as somebody without the key can.
func (w *world) putBack(m *member) {
	name := w.entry(m)
	if w.kept == nil || name == "none" {
		return
	}
	w.disturb()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if lease, err := w.store.Cache.Lock(ctx, name); err == nil {
		lease.Store(ctx, *w.kept)
		lease.Unlock()
	}
}

// befall has a store fail in one way; "" for none.
func (s *faultyStore) befall(what string) {
	s.fault.Store(nil)
	s.store.Store(nil)
	slow := func(context.Context) error { time.Sleep(700 * time.Millisecond); return errAway }
	fails, hangs := waysToFail["fails"], waysToFail["hangs"]
	switch what {
	case "":
	case "writes fail":
		s.store.Store(&fails)
	case "writes hang":
		s.store.Store(&hangs)
	case "writes are slow":
		s.store.Store(&slow)
	default:
		way := waysToFail[what]
		s.fault.Store(&way)
	}
}

func (m *member) ask(ctx context.Context, start time.Time) {
	token, err := m.ts.TokenContext(ctx)
	if err == nil {
		if now := m.ts.clock(); !token.Expiry.IsZero() && !now.Round(0).Before(token.Expiry) {
			m.world.mu.Lock()
			m.world.breaks("E5: source %d handed out a token that expired %v ago", m.index, now.Sub(token.Expiry))
			m.world.mu.Unlock()
		}
		m.hands(token.AccessToken, start)
	} else if m.isClosedSince(start) && !errors.Is(err, ErrClosed) && ctx.Err() == nil {
		m.world.mu.Lock()
		m.world.breaks("T14: a closed source answers %v", err)
		m.world.mu.Unlock()
	}
}

func (m *member) request(body io.Reader) (status int) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, _ := http.NewRequest(method, m.world.base()+"/me", body)
	res, err := m.ts.Client().Do(req)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}
