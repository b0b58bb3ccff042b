package jwtsession

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// sessionCall is one that a source makes.
type sessionCall struct {
	op, token string // of a sign-in it is the password
	start     time.Time
	held      string // the session then
	doubted   bool
	inDoubt   bool // about what is held, whatever the call sends
	alone     bool // it has waited for the lease in vain, and can tell nobody
	wrong     bool // the password was, and its entry is another
}

// current is the token that callers get; "" if none.
func (m *member) current() string {
	if s := m.ts.current.Load(); s.liveAt(m.ts.clock()) {
		return s.token()
	}
	return ""
}

// began is told of each call before it is sent.
func (m *member) began(op, token string) *sessionCall {
	m.ts.mu.Lock()
	c := &sessionCall{op: op, token: token, start: time.Now(), held: m.ts.state.Held.Token}
	c.doubted = (m.ts.state.Trust == core.Doubted || m.ts.state.Trust == core.Suspect) && c.held == token
	c.inDoubt = m.ts.state.Trust == core.Doubted
	c.alone = m.ts.state.Way != nil && m.ts.state.Way.Alone
	m.ts.mu.Unlock()
	w := m.world
	w.mu.Lock()
	defer w.mu.Unlock()
	c.wrong = w.wrong
	if op == "resource" {
		if token != "" {
			m.handsLocked(token, c.start)
		}
		return c
	}
	if m.inFlight != nil {
		w.breaks("T5: source %d began a %s while its %s is under way", m.index, op, m.inFlight.op)
	}
	m.inFlight = c
	if m.closed {
		w.breaks("T14: source %d, which is closed, began a %s", m.index, op)
	}
	if op == "revoke" {
		return c
	}
	m.calls = append(m.calls, c.start)
	if !w.clocks {
		if c.start.Before(m.quiet.until) && c.held == m.quiet.held {
			w.breaks("T7: source %d began a %s %v before the server allows one", m.index, op, m.quiet.until.Sub(c.start))
		}
		if w.quietShared && !c.alone && c.start.Before(w.quiet) {
			w.breaks("T18: source %d began a %s %v before the server allows the fleet one", m.index, op, w.quiet.Sub(c.start))
		}
		if op == "create" && c.start.Before(m.refused[c.token]) {
			w.breaks("T10: source %d signs in with what was refused, %v too early", m.index, m.refused[c.token].Sub(c.start))
		}
	}
	recent := func(times []time.Time) (n int) {
		for _, at := range times {
			if c.start.Sub(at) < 10*time.Second {
				n++
			}
		}
		return n
	}
	if n, more := recent(m.calls), recent(w.disturbed); n > 25+4*more {
		w.breaks("E5: source %d made %d session calls in ten seconds", m.index, n)
	}
	return c
}

// ended is told how a call was answered; status is zero if it was not.
func (m *member) ended(c *sessionCall, status int, wait time.Duration) {
	w, now := m.world, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.op == "resource" {
		if status == 401 && m.current() == c.token {
			m.tell(c.token)
		}
		return
	}
	m.inFlight = nil
	m.answers = append(m.answers, now)
	judged := status >= 400 && status < 500 && status != 408 && status != 425 && status != 429
	switch {
	case c.op == "refresh" && judged && c.doubted:
		m.dead[c.token] = now
	case c.op == "create" && judged:
		w.refused = now.Add(time.Minute)
		m.refused[c.token] = w.refused
	case c.op == "create" && status/100 == 2:
		delete(m.refused, c.token)
	}
	if (c.inDoubt || m.kept.held == c.held) && !judged && c.op != "revoke" { // it is asked about again on the schedule (T7, T11)
		m.kept = rest{now.Add(min(72*time.Second, w.life/4)), c.held}
	}
	if wait > 0 && c.op != "revoke" {
		m.quiet = rest{now.Add(wait), c.held}
		w.quiet, w.quietShared = now.Add(wait), w.shared && !w.spoiled && !w.wrong && !c.wrong && !c.alone && !m.isLeaving()
	}
	if status/100 == 2 || c.op == "revoke" {
		w.quietShared = false
	}
}

// isLeaving reports whether Revoke or Close is under way: what a call brings then
// is told to nobody.
func (m *member) isLeaving() bool {
	for e := range m.world.pending {
		if strings.HasSuffix(e.what, "Revoke") || strings.HasSuffix(e.what, "Close") {
			return true
		}
	}
	return false
}

// tell notes that a source was told of a rejection of its current token.
func (m *member) tell(token string) {
	told := rejection{time.Now(), len(m.answers)}
	m.told[token] = told
	m.allTold = append(m.allTold, told)
	m.world.disturbed = append(m.world.disturbed, time.Now())
}

func (m *member) invalidate() {
	m.world.mu.Lock()
	token := m.current()
	if token != "" {
		m.tell(token)
	}
	m.world.mu.Unlock()
	m.ts.Invalidate(token)
}

func (m *member) hands(token string, start time.Time) {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	m.handsLocked(token, start)
}

// handsLocked judges a token that a source has handed out to who asked at start.
func (m *member) handsLocked(token string, start time.Time) {
	w := m.world
	putBack := w.rotating && w.spoiled // what has no exp, and was put back, lives once more (C10)
	if at, ok := m.dead[token]; ok && at.Before(start) && !w.isFresh(token, at) && !putBack {
		w.breaks("T6: source %d handed out a token that the server refused %v before", m.index, start.Sub(at))
	}
	for d, at := range m.dead {
		if at.Before(start) && w.isOlder(token, d) {
			w.breaks("T6: source %d handed out a token that was issued before one that the server refused %v before", m.index, start.Sub(at))
		}
	}
	if at, ok := m.revoked[token]; ok && at.Before(start) && !w.isFresh(token, at) && !putBack {
		w.breaks("T13: source %d handed out a token %v after it was revoked", m.index, start.Sub(at))
	}
	if told, ok := m.told[token]; ok && told.at.Before(start) && told.answers == len(m.answers) && !m.mayKeep(told.at) &&
		!(m.kept.held == token && (start.Before(m.kept.until) || m.inFlight != nil)) {
		w.breaks("T11: source %d handed out a token that was rejected %v before, and that nobody has been asked about", m.index, start.Sub(told.at))
	}
	m.handed[token] = true
}

// mayKeep reports whether a session that was rejected then may be kept without a
// question: in the pause of T12, or where the server, or credentials, rest.
func (m *member) mayKeep(rejected time.Time) bool {
	n := 0
	for _, told := range m.allTold {
		at := told.at
		if told.answers < len(m.answers) {
			at = m.answers[told.answers] // by the planned refresh only, perhaps
		}
		if rejected.Sub(at) < 130*time.Second {
			n++
		}
	}
	if w := m.world; w.shared && n > 1 {
		return true // a refresh of what the cache had from before a log-out is the first answer
	}
	return n > 2 || rejected.Before(m.world.quiet) || rejected.Before(m.world.refused.Add(core.LongestLockout)) || m.world.clocks
}

// isFresh reports whether a token was issued in the second of a moment: PacerPro's
// tokens of one second are equal.
func (w *world) isFresh(token string, at time.Time) bool {
	exp := lifetime.OfToken(token).Expiry
	return !exp.IsZero() && at.Sub(exp.Add(-w.life)).Abs() < 2*time.Second
}

// isOlder reports whether one token was surely issued before the other.
func (w *world) isOlder(token, than string) bool {
	for _, s := range w.steps {
		if slices.Contains(shortLives, s.what) {
			return false
		}
	}
	a, b := lifetime.OfToken(token).Expiry, lifetime.OfToken(than).Expiry
	return !a.IsZero() && !b.IsZero() && a.Add(2*time.Second).Before(b)
}

func (m *member) revoke(start time.Time) {
	w := m.world
	w.mu.Lock()
	var before []string
	for token := range m.handed {
		before = append(before, token)
	}
	w.mu.Unlock()
	w.disturb()
	err := m.ts.Revoke(context.Background())
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, token := range before {
		m.revoked[token] = time.Now()
		exp := lifetime.OfToken(token).Expiry
		if !w.lies && !w.clocks && !w.rotating && w.server.lives(token) && exp.After(time.Now()) {
			w.breaks("T13: source %d's Revoke, begun %v before, returned nil, and a token that it had handed out opens the API", m.index, time.Since(start))
		}
	}
}

func (m *member) close() {
	m.ts.Close()
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	m.closed = true
}

func (m *member) isClosedSince(start time.Time) bool {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	return m.closed
}

// check judges what can be seen at a moment.
func (w *world) check() {
	w.mu.Lock()
	members := slices.Concat(w.members, w.former)
	for e := range w.pending {
		if d := time.Since(e.start); d > e.within {
			w.breaks("T9: somebody waits for %s since %v", e.what, d)
		}
	}
	if r, ok := w.server.(*rotatingServer); ok && !w.spoiled && (w.shared || w.sources == 1) && r.count("reuse") > 0 {
		w.breaks("O3: a refresh token was used again")
	}
	w.mu.Unlock()
	for _, m := range members {
		m.checkRest()
	}
}

// checkRest judges a source at which no operation is under way.
func (m *member) checkRest() {
	ts := m.ts
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.running != nil {
		return
	}
	now := core.At(ts.clock())
	s := ts.state
	held := s.Held.Token != "" && (s.Trust == core.Good || s.Trust == core.Doubted) && s.Held.Expires != 0 && now < s.Held.Expires
	breaks := func(format string, args ...any) {
		m.world.mu.Lock()
		m.world.breaks(format, args...)
		m.world.mu.Unlock()
	}
	planned := held && !s.Closed && s.Due < s.Held.Expires
	switch {
	case ts.waiting != nil || ts.leaving != nil || s.Want || s.Leave:
		breaks("nobody waits for nothing: source %d is at rest, and somebody waits for it", m.index)
	case planned != (ts.alarm != 0) && !m.world.clocks: // which it has not looked at yet, perhaps
		breaks("the timer of source %d is armed: %v; want it to be: %v", m.index, ts.alarm != 0, planned)
	case planned && s.Due < now && !m.world.clocks:
		breaks("the refresh of source %d was due %v ago", m.index, now.Sub(s.Due))
	case s.Way != nil:
		breaks("source %d is at rest in the middle of something", m.index)
	}
}

// recover is what must come of any history, once all is well again.
func (w *world) recover() {
	w.server.heal()
	w.store.befall("")
	w.mu.Lock()
	w.wrong = false
	w.mu.Unlock()
	time.Sleep(2*longestWait + time.Second)
	w.mu.Lock()
	for e := range w.pending {
		w.breaks("nobody waits for nothing: somebody waits for %s since %v", e.what, time.Since(e.start))
	}
	w.mu.Unlock()
	time.Sleep(65 * time.Minute)
	w.check()
	for _, m := range w.members {
		_, err := m.ts.Token()
		status := m.request(nil)
		if status == 401 { // it had not met the last log-outs: what the cache has ended in one, too (H3)
			status = m.request(nil)
		}
		if err != nil || status != 200 {
			w.mu.Lock()
			w.breaks("an hour after all was well source %d returns error %v, and a request is answered with %d", m.index, err, status)
			w.mu.Unlock()
		}
	}
	time.Sleep(2*w.life + time.Minute)
	synctest.Wait()
	w.check()
	for _, m := range w.members {
		if m.current() == "" && w.latency < w.life/10 {
			w.mu.Lock()
			w.breaks("T3: two lives after all was well source %d has no live session, although nobody has disturbed it", m.index)
			w.mu.Unlock()
		}
	}
}

// end closes all, after which nothing may be left.
func (w *world) end() {
	for _, m := range w.members {
		if d := took(m.close); d > longestClose {
			w.mu.Lock()
			w.breaks("T14: Close took %v", d)
			w.mu.Unlock()
		}
		if _, err := m.ts.Token(); !errors.Is(err, ErrClosed) {
			w.mu.Lock()
			w.breaks("T14: a closed source answers %v", err)
			w.mu.Unlock()
		}
	}
	w.server.heal()
	time.Sleep(2 * time.Hour) // for stores that ignore time
}
