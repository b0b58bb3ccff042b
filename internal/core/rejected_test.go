package core

import (
	"testing"
	"time"
)

// T11, T12: of which sessions a 401 tells.
func TestARejectionDoubtsTheSessionThatItTellsOfAndNoOther(t *testing.T) {
	held := Session{Token: "held", ID: Fingerprint{1}, Issued: noon.Add(-10 * time.Minute), Expires: noon.Add(50 * time.Minute)}
	related := Session{Token: "older", ID: Fingerprint{1}, Issued: noon.Add(-20 * time.Minute), Expires: noon.Add(40 * time.Minute)}
	change := func(s Session, f func(*Session)) Session { f(&s); return s }
	good := State{Held: held, Trust: Good}
	with := func(f func(*State)) State { s := good; f(&s); return s }
	for _, l := range []struct {
		name   string
		state  State
		told   Session
		doubts bool
	}{
		{"the one that is held", good, held, true},
		{"an older one that ended along with it", good, related, true},
		{"one of no relation", good, change(related, func(s *Session) { s.ID = Fingerprint{} }), false},
		{"one of no relation to one of none", with(func(s *State) { s.Held.ID = Fingerprint{} }), change(related, func(s *Session) { s.ID = Fingerprint{} }), false},
		{"another's", good, change(related, func(s *Session) { s.ID = Fingerprint{2} }), false},
		{"an older one, known to have been rejected", with(func(s *State) { s.NotBefore = related.Issued + 1 }), related, false},
		{"an older one, issued just when that was", with(func(s *State) { s.NotBefore = related.Issued }), related, true},
		{"an older one that has expired", good, change(related, func(s *Session) { s.Expires = noon }), false},
		{"one that is doubted already", with(func(s *State) { s.Trust = Doubted }), held, false},
		{"one that has expired", with(func(s *State) { s.Held.Expires = noon }), change(held, func(s *Session) { s.Expires = noon }), false},
		{"one of a source that is closed", with(func(s *State) { s.Closed = true }), held, false},
	} {
		s, e := Step(&rules, l.state, Input{Kind: Rejected, Session: l.told, Draw: 0.5}, noon)
		if doubts := s.Trust == Doubted && l.state.Trust == Good; doubts != l.doubts {
			t.Errorf("%s: got doubt %v, want %v", l.name, doubts, l.doubts)
		}
		if reports := len(e.Events) == 1 && e.Events[0].Kind == EventRejected && e.Events[0].Session.Token == l.told.Token; reports != l.doubts {
			t.Errorf("%s: got the events %+v, want one of what was rejected: %v", l.name, e.Events, l.doubts)
		}
		if want := held.Issued + 1; l.doubts && s.NotBefore != want {
			t.Errorf("%s: got NotBefore %d, want %d, right after the issue of what is held", l.name, s.NotBefore, want)
		}
	}
}

// M2
func TestWhatACallBringsIsDoubtedIfARejectionCameMeanwhile(t *testing.T) {
	for kind, want := range map[Kind]bool{Create: true, Refresh: true, Store: true, Load: false, Lock: false, Ask: false} {
		s, _ := Step(&rules, State{Held: live, Trust: Good, Way: during(kind, live)}, Input{Kind: Rejected, Session: live, Draw: 0.5}, noon)
		if s.Way.Overtaken != want {
			t.Errorf("a rejection during %q: got overtaken %v, want %v", kind, s.Way.Overtaken, want)
		}
	}
}

// T7: an early refresh that hangs leaves time for another one.
func TestACallHasTheTimeThatItsSessionLeavesIt(t *testing.T) {
	expiring := func(left time.Duration) Session {
		return Session{Token: "t", Issued: noon.Add(left - time.Hour), Expires: noon.Add(left)}
	}
	unknown := Session{Token: "t", Issued: noon.Add(-time.Hour)}
	for _, l := range []struct {
		name  string
		state State
		want  time.Duration
	}{
		{"an early refresh", State{Held: expiring(30 * time.Second), Trust: Good, Due: noon}, 15 * time.Second},
		{"a very late one", State{Held: expiring(3 * time.Second), Trust: Good, Due: noon}, shortestAttempt},
		{"one with time to spare", State{Held: expiring(10 * time.Minute), Trust: Good, Due: noon}, rules.attempt()},
		{"one without an expiry", State{Held: unknown, Trust: Good, Due: noon}, rules.attempt()},
		{"one of what is doubted, which nobody can use", State{Held: expiring(30 * time.Second), Trust: Doubted, Want: true}, rules.attempt()},
		{"a log-out", State{Held: expiring(30 * time.Second), Trust: Good, Leave: true}, rules.attempt()},
	} {
		l.state.Way = &Pursuit{Until: noon.Add(rules.Timeout), Planned: l.state.Due != 0}
		_, e := Step(&rules, l.state, Input{Kind: Tick, Draw: 0.5}, noon)
		if got := e.Begin.Until.Sub(noon); got != l.want {
			t.Errorf("%s: got %q with %v, want %v", l.name, e.Begin.Kind, got, l.want)
		}
	}
}
