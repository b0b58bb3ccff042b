package core

import (
	"slices"
	"time"
)

// InputKind is what has happened.
type InputKind uint8

const (
	Want     InputKind = iota + 1 // a caller wants a session, and none is visible
	Tick                          // the timer has rung
	Rejected                      // the server rejected Input.Session
	Revoke
	Close
	Done // the operation under way has ended, see Input
)

// Outcome is how an operation ended.
type Outcome uint8

const (
	OK        Outcome = iota
	Refused           // the server has judged, and will say it again
	Gone              // of Delete: the server does not know the session any more
	Lost              // of Refresh: it was sent, and nobody knows what became of it
	Away              // nothing that judges; it may work later
	Unusable          // nothing that judges, and no use repeating at once
	Local             // no server was asked: another caller may try at once
	Cancelled         // by the program itself
	Changed           // of Lock: another has the lease, and has stored what Input has
)

// Input is what has happened. Of an operation that is done, it has what that
// brought.
type Input struct {
	Kind InputKind
	Draw float64 // from 0 to 1, anew each time

	Session     Session // Rejected; Create and Refresh; Load and Lock: what the cache has
	Doubtful    bool    // Load and Lock: the clocks disagree about it
	Notice      *Notice // Load and Lock
	Credentials Fingerprint
	Outcome     Outcome
	Err         error
	RetryAfter  time.Duration
}

// step is one call of Step.
type step struct {
	*Config
	State
	Effects
	in  Input
	now Moment
}

// Step returns what becomes of a state, and what is to be done.
func Step(c *Config, s State, in Input, now Moment) (State, Effects) {
	m := step{Config: c, State: s, in: in, now: now}
	if s.Way != nil {
		way := *s.Way
		m.Way = &way
	}
	var next Op
	switch in.Kind {
	case Want:
		m.want()
	case Rejected:
		m.reject()
	case Revoke:
		m.revoke()
	case Close:
		m.close()
	case Done:
		done := m.Way.Op
		m.Way.Op = Op{}
		next = m.judge(done)
	}
	for m.Way == nil || m.Way.Op.Kind == Idle {
		if next.Kind == Idle {
			if next = m.next(); next.Kind == Idle {
				break
			}
		}
		switch next.Began = now; {
		case next.Kind == Load:
			next.Until = now.Add(loadTime)
		case next.Kind == Store || next.Kind == Remove || next.Kind == Unlock:
			next.Until = now.Add(storeTime)
		case next.Until == 0:
			next.Until = m.Way.Until
		}
		m.Way.Op, m.Begin = next, next
	}
	if m.Want && m.usable() {
		m.wake(Answer{})
	}
	return m.State, m.Effects
}

func (m *step) want() {
	if m.Closed {
		m.wake(Answer{Err: ErrClosed})
		return
	}
	if m.Want {
		return
	}
	m.Want = true
	if m.Way != nil && !m.Leave { // a caller's time begins when it comes
		m.Way.Until = max(m.Way.Until, m.now.Add(m.Timeout))
	}
}

// reject doubts the session because the server has rejected it, or an older one
// that it may have ended along with: a request that was under way while the
// session was refreshed, and then revoked, tells of both. What is doubted already,
// and what is known to have been rejected, is no news.
func (m *step) reject() {
	told := m.in.Session
	if m.Closed || m.Trust != Good || !m.Held.live(m.now) {
		return
	}
	if told.Token != m.Held.Token && (told.ID == (Fingerprint{}) || told.ID != m.Held.ID || told.Issued < m.NotBefore || !told.live(m.now)) {
		return
	}
	m.Trust = Doubted
	m.notBefore(m.Held.Issued + 1)
	if m.Way != nil && (m.Way.Op.Kind == Refresh || m.Way.Op.Kind == Create || m.Way.Op.Kind == Store) {
		m.Way.Overtaken = true // what it brings may have ended as well
	}
	m.report(Event{Kind: EventRejected, Session: told})
}

func (m *step) close() {
	if m.Closed {
		return
	}
	m.Closed = true
	if m.Want {
		m.wake(Answer{Err: ErrClosed})
	}
	if m.Leave {
		m.told(Answer{Err: ErrClosed})
	}
	if m.Way == nil {
		return
	}
	switch m.Way.Op.Kind {
	case Idle, Store, Remove, Unlock:
	case Refresh:
		m.Cancel = true
		if m.Way.Leased { // others would go on with what it has used up
			m.Grace = time.Second
		}
	default:
		m.Cancel = true
	}
}

// next is what to do, with no operation under way. It changes the state where a
// line of the table says that something is so from now on.
func (m *step) next() Op {
	if m.Closed {
		return m.rest()
	}
	due := m.held(m.now) && m.Due != 0 && m.now >= m.Due
	if !m.Leave && !(m.Want && !m.usable()) && !due && (m.Way == nil || !m.Way.Planned) {
		return m.rest()
	}
	if m.Way == nil {
		m.Way = &Pursuit{Until: m.now.Add(m.Timeout), Planned: due}
	}
	if m.Leave {
		return m.leave()
	}
	m.Way.Planned = m.Way.Planned || due
	return m.renew()
}

// rest gives the lease back, and then does nothing.
func (m *step) rest() Op {
	if m.Way != nil && m.Way.Leased {
		return Op{Kind: Unlock}
	}
	m.Way = nil
	return Op{}
}

// again forgets what has been done so far, after giving the lease back.
func (m *step) again() Op {
	if m.Way.Leased {
		return Op{Kind: Unlock}
	}
	m.Way = &Pursuit{Until: m.Way.Until, Planned: m.Way.Planned, Err: m.Way.Err}
	return Op{}
}

// renew brings a session.
func (m *step) renew() Op {
	w := m.Way
	if m.Trust == Doubted && m.Held.live(m.now) && m.Rung == Twice && m.recently(m.RungSince) {
		if m.mayLook() {
			return Op{Kind: Load}
		}
		return m.keep(m.Due)
	}
	if o := m.Outage; o != nil && m.now < o.Until {
		switch {
		case !o.Told && m.Want && !m.held(m.now) && m.inTime(o.Until):
			return m.sleep(o.Until)
		case m.mayLook():
			return Op{Kind: Load}
		case m.held(m.now):
			return m.keep(o.Until)
		}
		told := *o
		told.Told, w.Planned = m.Want, false
		m.Outage = &told
		return m.fail(Answer{Err: o.Err, Since: o.Since, Until: o.Until})
	}
	if m.now < m.Pace && !m.held(m.now) {
		if m.Want && m.inTime(m.Pace) {
			return m.sleep(m.Pace)
		}
		w.Planned = false
		return m.fail(Answer{Err: ErrShort, Until: m.Pace})
	}
	if !m.refreshable() && m.Asks && !w.Asked {
		return Op{Kind: Ask}
	}
	if r := m.resting(); r != nil && !m.refreshable() {
		switch {
		case m.mayLook():
			return Op{Kind: Load}
		case m.held(m.now):
			return m.keep(r.Until)
		}
		w.Planned = false
		return m.fail(Answer{Err: r.Err, Since: r.Since, Until: r.Until})
	}
	switch {
	case m.shares() && !w.Looked:
		return Op{Kind: Load}
	case m.shares() && !w.Leased:
		return Op{Kind: Lock}
	case m.refreshable():
		return m.call(Op{Kind: Refresh, Session: m.Held})
	}
	return m.call(Op{Kind: Create})
}

// call bounds an operation by the time of an attempt, and that of an early
// refresh so that another one fits in.
func (m *step) call(o Op) Op {
	limit := m.attempt()
	if m.usable() && m.Held.Expires != 0 && o.Kind != Delete {
		limit = min(limit, max(m.Held.Expires.Sub(m.now)/2, shortestAttempt))
	}
	o.Until = m.now.Add(limit)
	if !m.Way.Waited {
		o.Until = min(o.Until, m.Way.Until)
	}
	m.Way.Overtaken = false
	return o
}

// keep goes on with the session that is held: it has not been judged.
func (m *step) keep(due Moment) Op {
	m.Trust, m.Due, m.Way.Planned = Good, due, false
	if due <= m.now { // its plan is not forgotten for the pause
		m.Due = m.now.Add(shortestRetry)
	}
	return m.next()
}

// inTime reports whether a wait until then leaves whoever waits enough for an
// attempt.
func (m *step) inTime(until Moment) bool { return until.Add(leastAttempt) < m.Way.Until }

// sleep waits, without the lease, for what a caller can wait for.
func (m *step) sleep(until Moment) Op {
	if m.Way.Leased {
		return Op{Kind: Unlock}
	}
	return Op{Kind: Sleep, Until: until}
}

// fail tells callers why there is no session for now.
func (m *step) fail(a Answer) Op {
	if m.Want {
		m.wake(a)
	}
	return m.next()
}

func (m *step) wake(a Answer) { m.Want, m.Wake = false, &a }

func (m *step) told(a Answer) { m.Leave, m.Told = false, &a }

func (m *step) report(e Event) { m.Events = append(m.Events, e) }

// usable reports whether callers have a session.
func (m *step) usable() bool {
	s, ok := m.Visible()
	return ok && s.live(m.now)
}

// refreshable reports whether the session that is held is to be refreshed, and
// not replaced.
func (m *step) refreshable() bool {
	s := m.Held
	switch {
	case m.Trust == None || m.Trust == Over, s.Ended, !s.alive(m.now):
		return false
	case m.Trust == Doubted && m.Rung != Unanswered && m.recently(m.RungSince):
		return false
	case s.State != "" && s.Shared && m.Cache && m.Way.Alone:
		return false
	}
	return true
}

// resting returns the refusal of the present credentials, if it still counts.
func (m *step) resting() *Refusal {
	if r := m.refusal(m.Credentials); r != nil && m.now < r.Until {
		return r
	}
	return nil
}

func (m *step) refusal(of Fingerprint) *Refusal {
	for i := range m.Refusals {
		if m.Refusals[i].Of == of {
			return &m.Refusals[i]
		}
	}
	return nil
}

// shares reports whether the cache is to be used.
func (m *step) shares() bool { return m.Cache && m.Known && !m.Way.Alone }

func (m *step) mayLook() bool {
	return m.shares() && !m.Way.Looked && m.now >= m.Looked.Add(lookEvery)
}

func (m *step) recently(since Moment) bool {
	return since != 0 && m.now < since.Add(ladderTime)
}

func (m *step) past() Past {
	if m.Past == nil {
		return Past{}
	}
	return *m.Past
}

// bygone remembers a session that is not to come back.
func (m *step) bygone(token string) {
	past := m.past()
	if token != "" && !slices.Contains(past.Tokens, token) {
		past.Tokens = front(past.Tokens, token)
		m.Past = &past
	}
}

func (m *step) notBefore(t Moment) { m.NotBefore = max(m.NotBefore, t) }
