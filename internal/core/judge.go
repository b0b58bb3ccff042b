package core

import "time"

// judge takes in what an operation has brought, by the state as it is now. It
// returns what is to follow at once, if that is no matter of the table.
func (m *step) judge(done Op) Op {
	w := m.Way
	switch done.Kind {
	case Ask:
		w.Asked = true
		return m.asked()
	case Load:
		w.Looked = true
		m.read()
	case Lock:
		return m.locked(done.Began)
	case Create, Refresh:
		return m.answered(done)
	case Delete:
		return m.deleted(done)
	case Store:
		if m.in.Outcome != OK {
			m.cacheFailed()
			done.Session.Unstored = true
		}
		if done.Notice == nil {
			m.land(done.Session, done.How)
		}
		return m.unlock()
	case Remove:
		if m.in.Outcome != OK {
			m.cacheFailed()
		}
		w.Deleted = false
		m.notBefore(m.now + 1)
		return m.unlock()
	case Unlock:
		w.Leased = false
	case Sleep:
		return m.again()
	}
	return Op{}
}

// unlock gives the lease back, which a store may have ended with what it stored.
func (m *step) unlock() Op {
	if m.Way.Leased {
		return Op{Kind: Unlock}
	}
	return Op{}
}

func (m *step) asked() Op {
	switch {
	case m.Closed:
		return Op{}
	case m.Leave && m.in.Outcome == Cancelled:
		m.Way.Asked = false
		return Op{}
	case m.Leave && m.in.Outcome != OK:
		return m.stay(Answer{Err: m.in.Err})
	case m.in.Outcome != OK:
		return m.failed(EventSignInFailed, Op{})
	}
	moved := m.Known && m.Credentials != m.in.Credentials
	m.Known, m.Credentials = true, m.in.Credentials
	if moved { // and with them the entry
		m.Way.Looked = false
		return m.unlock()
	}
	return Op{}
}

// refuse remembers that credentials are to rest.
func (m *step) refuse(r Refusal) {
	m.Refusals = front(m.refusalsOfOthers(r.Of), r)
}

// refusalsOfOthers returns nil if there are none.
func (m *step) refusalsOfOthers(than Fingerprint) (others []Refusal) {
	for _, r := range m.Refusals {
		if r.Of != than {
			others = append(others, r)
		}
	}
	return others
}

// front puts the newest before the others, of which it forgets the oldest.
func front[T any](others []T, newest T) []T {
	all := append([]T{newest}, others...)
	return all[:min(len(all), mostRemembered)]
}

// answered judges what Create or Refresh has brought.
func (m *step) answered(done Op) Op {
	renews := done.Kind == Refresh
	failure := EventSignInFailed
	if renews {
		failure = EventRefreshFailed
	}
	if m.in.Outcome == OK && !m.in.Session.live(m.now) {
		m.in.Outcome, m.in.Err = Unusable, ErrExpired
		if renews {
			m.in.Outcome = Refused
		}
	}
	if m.in.Outcome == OK {
		m.in.Session = m.in.Session.issuedBy(m.now)
		return m.brought(done)
	}
	usedUp := m.in.Outcome == Lost || m.in.Outcome == Cancelled // and nobody has what came of it
	switch {
	case renews && m.Held.State != "" && usedUp:
		m.Held.Ended = true
		if !m.Closed {
			m.attemptFailed(failure, done, 0)
			m.Way.Planned = true
			if m.held(m.now) {
				m.Trust = Good
			}
		}
		return m.tell(false)
	case m.Closed, m.in.Outcome == Cancelled:
		return Op{}
	case renews && m.in.Outcome == Refused:
		m.attemptFailed(failure, done, 0)
		// The sign-in that follows is another operation.
		m.Way.Until = max(m.Way.Until, m.now.Add(m.attempt()))
		if kept := m.Trust == Good && m.Held.Issued < m.NotBefore; kept || m.Trust == Doubted { // T11
			m.Trust, m.Due = Over, 0
		} else {
			m.Held.Ended, m.Way.Planned = true, true
		}
		return Op{}
	}
	return m.failed(failure, done)
}

// brought has the session stored before anybody goes on (O3).
func (m *step) brought(done Op) Op {
	s := m.in.Session
	how := EventSignedIn
	if done.Kind == Refresh {
		if how = EventRefreshed; m.usable() && !advances(done.Session, s) {
			m.Held.Ended, m.Way.Planned = true, true // the end of its chain (T8)
			return Op{}
		}
	}
	s.Issued = max(s.Issued, m.Held.Issued+1, m.NotBefore) // the clock may have stood still
	s.Shared = m.Way.Leased
	if m.Way.Leased {
		return Op{Kind: Store, Session: s, How: how}
	}
	m.land(s, how)
	return Op{}
}

// land makes a session the one that is held.
func (m *step) land(s Session, how EventKind) {
	if m.Closed {
		return
	}
	overtaken := how != EventAdopted && m.Way.Overtaken
	if m.Leave {
		if m.held(m.now) {
			m.Way.Found = m.Held
		}
		if m.hold(s, Good); overtaken {
			m.Trust = Doubted
		}
		return
	}
	if !s.live(m.now) && s.Renewable <= m.now { // a slow store
		m.in.Err = ErrExpired
		m.in.Outcome = Unusable
		m.failed(EventSignInFailed, Op{})
		return
	}
	if overtaken {
		m.hold(s, Doubted)
		m.notBefore(s.Issued + 1)
		return
	}
	if m.Trust == Doubted || m.Trust == Suspect || m.Trust == Over {
		m.notBefore(s.Issued)
		if how != EventAdopted && m.Trust != Suspect {
			again := m.Rung != Unanswered && m.recently(m.RungSince)
			if m.Rung, m.RungSince = Once, m.now; again {
				m.Rung = Twice
			}
		}
	}
	m.hold(s, Good)
	switch {
	case how == EventAdopted:
	case s.Expires == 0 || s.Expires.Sub(m.now) >= pace:
		m.Short, m.Pace = 0, 0
	default:
		m.Short, m.Pace = m.Short+1, m.now.Add(pace<<min(m.Short, slowest))
	}
	e := Event{Kind: how, Session: s}
	if how != EventAdopted {
		e.Attempt, e.Began = int(m.Failures)+1, s.Issued
	}
	m.report(e)
	m.Outage, m.Failures, m.Problem = nil, 0, nil
	if how == EventSignedIn { // nothing else has shown the credentials to be good, nor any others
		m.Refusals = m.refusalsOfOthers(m.Credentials)
	}
	m.Way.Planned = false
}

// hold takes a session in the place of what was held.
func (m *step) hold(s Session, t Trust) {
	if m.Trust != Good && m.Held.Token != s.Token {
		m.bygone(m.Held.Token)
	}
	m.Held, m.Trust, m.Due = s, t, 0
	if s.Expires == 0 {
		return
	}
	m.Due = refreshPoint(s, m.in.Draw)
	if s.life() < 2*pace { // E5
		m.Due = max(m.Due, m.now.Add(pace))
	}
}

// failed takes in a failure of a provider, a sign-in or a refresh. What is held
// and lives is kept, whatever was thought of it: nothing has judged it.
func (m *step) failed(kind EventKind, done Op) Op {
	in, count := m.in, 1
	if m.Outage != nil {
		count = m.Outage.Count + 1
	}
	retry := m.interval(count, in.Draw)
	if in.Outcome == Refused {
		return m.refused(kind, done)
	}
	if m.held(m.now) {
		retry = m.interval(int(m.Failures)+1, in.Draw)
		wait := retryWithin(m.Held.Expires.Sub(m.now), retry, in.RetryAfter)
		if m.Held.Expires == 0 {
			wait = max(retry, in.RetryAfter)
		}
		m.attemptFailed(kind, done, wait)
		m.Due, m.Way.Planned = m.now.Add(wait), false
		trust, rests := Good, in.RetryAfter
		switch before := m.Way.Overtaken && done.Kind != Idle; {
		case m.Trust != Doubted || in.Outcome == Local:
		case before && in.RetryAfter == 0: // the call began before the doubt, and says nothing of it
			trust = Doubted
		default: // it is asked about again on the schedule, and not at each rejection (T11)
			rests = wait
		}
		if rests > 0 {
			m.Outage = &Outage{Since: m.now, Until: m.now.Add(rests), Err: in.Err, Count: 1}
		}
		m.Trust = trust
		return m.tell(in.RetryAfter > 0)
	}
	m.Way.Planned = false
	if in.Outcome == Local {
		m.Way.Asked = false // who comes while the lease is given back may have other credentials
		m.attemptFailed(kind, done, 0)
		return m.fail(Answer{Err: in.Err})
	}
	wait := max(retry, in.RetryAfter)
	m.attemptFailed(kind, done, wait)
	o := &Outage{Since: m.now, Until: m.now.Add(wait), Err: in.Err, Count: count}
	o.Told = m.Outage != nil && m.Outage.Told
	if m.Want && (o.Told || in.Outcome == Unusable || !m.inTime(o.Until)) {
		o.Told = true
		m.wake(Answer{Err: in.Err})
	}
	m.Outage = o
	return m.tell(in.RetryAfter > 0)
}

// refused takes in the server's refusal of the credentials.
func (m *step) refused(kind EventKind, done Op) Op {
	n := 1
	if last := m.refusal(m.Credentials); last != nil {
		n = last.Count + 1
	}
	r := Refusal{Of: m.Credentials, Since: m.now, Until: m.now.Add(max(lockout(n), m.in.RetryAfter)), Err: m.in.Err, Count: n}
	m.refuse(r)
	m.attemptFailed(kind, done, r.Until.Sub(m.now))
	m.Way.Planned, m.Outage = false, nil
	if m.held(m.now) {
		m.Trust, m.Due = Good, r.Until
	} else if m.Want {
		m.wake(Answer{Err: r.Err})
	}
	return m.tell(true)
}

// tell leaves a notice in the cache, where it concerns others, and word of a
// chain that has ended.
func (m *step) tell(concerns bool) Op {
	if !m.Way.Leased || !concerns && !(m.Held.Ended && m.Held.State != "") {
		return Op{}
	}
	o := Op{Kind: Store, Notice: &Notice{}}
	if concerns {
		o.Notice = &Notice{Err: m.in.Err, Refused: m.in.Outcome == Refused, Count: 1, Wait: m.in.RetryAfter}
	}
	if r := m.refusal(m.Credentials); r != nil && o.Notice.Refused {
		o.Notice.Count, o.Notice.Wait = r.Count, r.Until.Sub(m.now)
	}
	if m.Trust != Over && m.Held.alive(m.now) {
		o.Session = m.Held
	}
	return o
}

// attemptFailed notes an attempt that failed.
func (m *step) attemptFailed(kind EventKind, done Op, retryIn time.Duration) {
	m.Failures++
	m.Problem = m.in.Err
	m.report(Event{Kind: kind, Session: m.Held, Err: m.in.Err, Began: done.Began, Attempt: int(m.Failures), RetryIn: retryIn})
}

func (m *step) cacheFailed() {
	m.report(Event{Kind: EventCacheFailed, Err: m.in.Err})
}
