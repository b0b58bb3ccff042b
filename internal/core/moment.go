package core

import (
	"math"
	"time"
)

// Moment is a time in nanoseconds since 1970 by the wall clock, which goes on
// while a machine sleeps (E4). Zero is none.
type Moment int64

// latest is the last moment that fits.
var latest = time.Unix(0, math.MaxInt64)

// At returns the moment of a time. One that is too far away to be counted in
// nanoseconds is as good as none.
func At(t time.Time) Moment {
	if t.IsZero() || !t.Before(latest) {
		return 0
	}
	return Moment(t.UnixNano())
}

// Time returns the moment as a time, and none as the zero time.
func (m Moment) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m)).UTC()
}

// Add returns the moment d later.
func (m Moment) Add(d time.Duration) Moment { return m + Moment(d) }

// Sub returns how long it is from n to m.
func (m Moment) Sub(n Moment) time.Duration { return time.Duration(m - n) }

// SetBack moves all moments, after the clock was set back by d: what is waited for
// takes as long as it was to (T4), what lives as long as it was to, and what is
// issued from now on is newer than what there was.
func (s State) SetBack(d time.Duration) State {
	s.Held.setBack(d)
	for _, m := range []*Moment{&s.NotBefore, &s.Due, &s.RungSince, &s.Pace, &s.Looked} {
		m.setBack(d)
	}
	if s.Outage != nil {
		o := *s.Outage
		o.Since.setBack(d)
		o.Until.setBack(d)
		s.Outage = &o
	}
	refusals := s.Refusals
	s.Refusals = nil
	for _, r := range refusals {
		r.Since.setBack(d)
		r.Until.setBack(d)
		s.Refusals = append(s.Refusals, r)
	}
	if s.Way != nil {
		p := *s.Way
		p.Until.setBack(d)
		p.After.setBack(d)
		p.Found.setBack(d)
		p.Op.Session.setBack(d)
		s.Way = &p
	}
	return s
}

func (s *Session) setBack(d time.Duration) {
	s.Issued.setBack(d)
	s.Expires.setBack(d)
	s.Renewable.setBack(d)
}

func (m *Moment) setBack(d time.Duration) {
	if *m != 0 {
		*m -= Moment(d)
	}
}
