package core

import (
	"slices"
	"time"
)

func (m *step) locked(began Moment) Op {
	w := m.Way
	w.Waited = m.now.Sub(began) >= lookEvery
	switch {
	case m.in.Outcome == OK:
		w.Leased, w.Looked = true, true
		m.read()
		return Op{}
	case m.in.Outcome == Changed: // of a crowd that waits, only one needs the lease (T18)
		m.in.Outcome = OK
		m.read()
		return Op{}
	case m.in.Outcome == Cancelled, m.Closed:
		return Op{}
	}
	m.cacheFailed()
	w.Alone = true
	return Op{Kind: Load} // once more (T18)
}

// read takes over what the cache has, if that is newer (C1).
func (m *step) read() {
	m.Looked = m.now
	if m.in.Outcome != OK {
		if m.in.Outcome != Cancelled {
			m.cacheFailed()
			m.Way.Alone = true
		}
		return
	}
	if m.in.Err != nil { // it holds something that cannot be used (C3)
		m.cacheFailed()
	}
	found := m.in.Session.issuedBy(m.now)
	found.Shared = true
	m.adopt(found)
	if h := &m.Held; m.Way.Leased && h.Shared && !h.Unstored && h.State != "" && h.Token != found.Token {
		h.Ended = true // others have used its State, or may have (O3)
	}
	if n := m.in.Notice; n != nil {
		m.heed(n)
	}
}

// adopt takes over a session from the cache, if it is newer than what is held.
func (m *step) adopt(found Session) {
	if !found.alive(m.now) {
		return
	}
	if m.Leave || m.Closed {
		m.Way.Found = found
		return
	}
	if found.Token == m.Held.Token && !(m.Trust == Good && found.prolongs(m.Held)) {
		if m.Trust != Over {
			m.Held.Ended = m.Held.Ended || found.Ended
			m.Held.Shared, m.Held.Unstored = true, false
		}
		return
	}
	bygone := found.Token != m.Held.Token && slices.Contains(m.past().Tokens, found.Token)
	before := bygone || found.Issued < m.NotBefore
	older := bygone || found.Issued < m.Held.Issued
	if m.usable() {
		older = older || found.Issued == m.Held.Issued || found.Expires != 0 && found.Expires < m.Held.Expires
	}
	if (older || m.in.Doubtful) && m.held(m.now) {
		return
	}
	related := found.ID != (Fingerprint{}) && found.ID == m.Held.ID
	switch {
	case m.Trust == Over && (related || before):
		// what has been refused tells of it as well
	case before, m.in.Doubtful, related && m.Trust == Suspect:
		m.hold(found, Suspect)
	case related && m.Trust == Doubted, found.live(m.now) && found.nearItsEnd(m.now):
		m.hold(found, Doubted)
		m.notBefore(found.Issued + 1)
	default:
		m.land(found, EventAdopted)
	}
}

// issuedBy moves a session that was issued later than now: the clock was set back
// while it was on its way (T4).
func (s Session) issuedBy(now Moment) Session {
	if ahead := s.Issued.Sub(now); ahead > time.Second {
		s.setBack(ahead)
	}
	return s
}

// prolongs reports whether another process has had the same token live on, as
// with a sliding session (O9). What two clocks make of one end is no difference.
func (s Session) prolongs(old Session) bool {
	return s.Issued > old.Issued && s.Expires > old.Expires.Add(time.Second)
}

// heed takes a notice for what it says, once: whoever can write the store can
// put it back (C10).
func (m *step) heed(n *Notice) {
	past := m.past()
	if slices.Contains(past.Notices, n.ID) {
		return
	}
	past.Notices = front(past.Notices, n.ID)
	m.Past = &past
	until := m.now.Add(n.Left)
	since := until.Add(-n.Wait)
	if n.Refused {
		if r := m.refusal(m.Credentials); r == nil || r.Until < until {
			m.refuse(Refusal{Of: m.Credentials, Since: since, Until: until, Err: n.Err, Count: n.Count})
		}
		return
	}
	if n.Left > 0 && (m.Outage == nil || m.Outage.Until < until) {
		m.Outage = &Outage{Since: since, Until: until, Err: n.Err, Count: max(1, n.Count)}
	}
}
