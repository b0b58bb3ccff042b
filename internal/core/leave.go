package core

import "cmp"

func (m *step) revoke() {
	switch {
	case m.Closed:
		m.Told = &Answer{Err: ErrClosed}
	case !m.Leave:
		m.Leave = true
		var was Pursuit
		if m.Way != nil {
			was = *m.Way
		}
		m.Way = &Pursuit{Until: m.now.Add(m.Timeout), Leased: was.Leased, Overtaken: was.Overtaken, Op: was.Op}
		m.Cancel = was.Op.Kind == Ask || was.Op.Kind == Lock || was.Op.Kind == Sleep
	}
}

// leave ends the newest session that there is (T13).
func (m *step) leave() Op {
	w := m.Way
	newest := m.Held
	if !newest.alive(m.now) {
		newest = Session{}
	}
	if w.Found.alive(m.now) && (newest.Token == "" || w.Found.Issued > newest.Issued) {
		newest = w.Found
	}
	switch {
	case newest.Token == "" && w.Deleted && w.Leased:
		return Op{Kind: Remove}
	case newest.Token == "" && w.Deleted:
		return m.left()
	case m.now >= w.Until && !w.Waited:
		return m.stay(Answer{Err: cmp.Or(w.Err, ErrTimeout)})
	case m.now < w.After:
		return m.sleep(w.After)
	case m.Cache && !m.Known && newest.Token == "" && !w.Asked:
		return Op{Kind: Ask}
	case m.shares() && !w.Looked:
		return Op{Kind: Load}
	case newest.Token == "":
		return m.left()
	case m.shares() && !w.Leased:
		return Op{Kind: Lock}
	}
	return m.call(Op{Kind: Delete, Session: newest})
}

// left ends Revoke when nothing lives any more. What has expired is forgotten,
// too: it would live again if the clock was set back.
func (m *step) left() Op {
	m.drop()
	m.notBefore(m.now + 1)
	return m.stay(Answer{})
}

// drop forgets the session that is held, but for its token.
func (m *step) drop() {
	m.bygone(m.Held.Token)
	m.Held, m.Trust, m.Due = Session{}, None, 0
}

// stay ends Revoke.
func (m *step) stay(a Answer) Op {
	m.told(a)
	m.Way = &Pursuit{Until: m.now.Add(m.Timeout), Leased: m.Way.Leased}
	return m.next()
}

// deleted judges what became of the newest session at the server.
func (m *step) deleted(done Op) Op {
	w := m.Way
	switch m.in.Outcome {
	case OK:
		m.report(Event{Kind: EventRevoked, Session: done.Session, Began: done.Began})
		m.drop()
		m.bygone(done.Session.Token)
		m.notBefore(m.now + 1)
		w.Found = Session{}
		w.Deleted = true
		return Op{}
	case Gone:
		m.bygone(done.Session.Token)
		m.notBefore(done.Session.Issued + 1)
		if w.Deleted = true; done.Session.Token == w.Found.Token {
			w.Found = Session{}
		}
		if done.Session.Token == m.Held.Token {
			m.drop()
		}
		return Op{}
	case Cancelled:
		return Op{}
	}
	wait := max(m.interval(int(m.Failures)+1, m.in.Draw), m.in.RetryAfter)
	m.attemptFailed(EventRevokeFailed, done, wait)
	w.Err = m.in.Err
	if w.After = m.now.Add(wait); m.in.Outcome == Away && m.inTime(w.After) {
		return Op{}
	}
	return m.stay(Answer{Err: m.in.Err})
}
