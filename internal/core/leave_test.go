package core

import (
	"testing"
	"time"
)

// T10, T18: what is told to others is what was said, with the session that lives.
func TestOthersAreToldWhatWasSaidAndKeepTheSessionThatLives(t *testing.T) {
	refusal := []Refusal{{Until: noon, Count: 3}}
	for _, l := range []struct {
		name     string
		held     Session
		trust    Trust
		refusals []Refusal
		in       Input
		want     Notice
		token    string
	}{
		{"a refusal", Session{}, None, nil, Input{Outcome: Refused}, Notice{Refused: true, Count: 1, Wait: time.Minute}, ""},
		{"the fourth refusal", live, Good, refusal, Input{Outcome: Refused}, Notice{Refused: true, Count: 4, Wait: 8 * time.Minute}, "live"},
		{"a wait", live, Good, nil, Input{Outcome: Away, RetryAfter: second}, Notice{Count: 1, Wait: second}, "live"},
		{"a wait, after refusals", live, Good, refusal, Input{Outcome: Away, RetryAfter: second}, Notice{Count: 1, Wait: second}, "live"},
		{"a refusal, and what is held is over", live, Over, nil, Input{Outcome: Refused}, Notice{Refused: true, Count: 1, Wait: time.Minute}, ""},
		{"a refusal, and what is held has expired", past, Good, nil, Input{Outcome: Refused}, Notice{Refused: true, Count: 1, Wait: time.Minute}, ""},
	} {
		c := rules
		c.Cache = true
		way := during(Create, Session{})
		way.Leased, way.Planned = true, true
		l.in.Kind, l.in.Err, l.in.Draw = Done, errRefused, 0.5
		_, e := Step(&c, State{Held: l.held, Trust: l.trust, Known: true, Refusals: l.refusals, Way: way}, l.in, noon)
		if e.Begin.Kind != Store || e.Begin.Notice == nil {
			t.Errorf("%s: got %q next, want a notice to be stored", l.name, e.Begin.Kind)
			continue
		}
		if l.want.Err = errRefused; *e.Begin.Notice != l.want || e.Begin.Session.Token != l.token {
			t.Errorf("%s: got %+v with %q, want %+v with %q", l.name, *e.Begin.Notice, e.Begin.Session.Token, l.want, l.token)
		}
	}
}

// T9: an attempt with no time would put a time-out in the place of what is wrong.
func TestACallerWhoseTimeHardlyLastsForTheNextAttemptIsTold(t *testing.T) {
	for left, told := range map[time.Duration]bool{second + leastAttempt: true, second + leastAttempt + 1: false} {
		way := during(Create, Session{})
		way.Until = noon.Add(left)
		_, e := Step(&rules, State{Want: true, Way: way}, Input{Kind: Done, Outcome: Away, Err: errAway, Draw: 0.5}, noon)
		if (e.Wake != nil) != told {
			t.Errorf("%v left, and the next attempt in a second: got told %v, want %v", left, e.Wake != nil, told)
		}
	}
}

// T13: what was issued until now is over with a log-out, and nothing that comes later.
func TestALogOutEndsWhatWasIssuedUntilThen(t *testing.T) {
	leave := func(s State, in Input) (State, Effects) {
		s.Leave = true
		in.Kind, in.Draw = Done, 0.5
		return Step(&rules, s, in, noon)
	}
	if s, _ := leave(State{Held: live, Trust: Good, Way: during(Delete, live)}, Input{}); s.NotBefore != noon+1 || s.Held.Token != "" {
		t.Errorf("done: got NotBefore %d from now and %q held, want 1 and nothing", s.NotBefore-noon, s.Held.Token)
	}
	if s, e := leave(State{Way: during(Load, Session{})}, Input{}); s.NotBefore != noon+1 || e.Told == nil {
		t.Errorf("nothing to be deleted: got NotBefore %d from now, told %v; want 1, and Revoke to be told", s.NotBefore-noon, e.Told)
	}
	way := during(Delete, live)
	way.Found = newer
	if s, e := leave(State{Held: live, Trust: Good, Way: way}, Input{Outcome: Gone, Err: errRefused}); s.NotBefore != live.Issued+1 || e.Begin.Session.Token != "newer" {
		t.Errorf("a 401, and there is a newer one: got NotBefore %d after its issue, %q next; want 1, and the newer one", s.NotBefore-live.Issued, e.Begin.Session.Token)
	}
	leased := during(Delete, live)
	leased.Found, leased.Leased = newer, true
	if _, e := leave(State{Held: live, Trust: Good, Way: leased}, Input{Outcome: Gone, Err: errRefused}); e.Begin.Kind != Delete || e.Begin.Session.Token != "newer" {
		t.Errorf("a 401, and there is a newer one, leased: got %q of %q next, want the newer one to be deleted", e.Begin.Kind, e.Begin.Session.Token)
	}
	s, e := leave(State{Held: live, Trust: Good, Failures: 1, Way: during(Delete, live)}, Input{Outcome: Away, Err: errAway})
	if e.Begin.Kind != Sleep || s.Way.After != noon.Add(2*second) {
		t.Errorf("the second failure: got %q until %v from now, want another attempt after 2s", e.Begin.Kind, s.Way.After.Sub(noon))
	}
	late := during(Delete, live)
	late.Until = noon.Add(second + leastAttempt)
	if _, e := leave(State{Held: live, Trust: Good, Way: late}, Input{Outcome: Away, Err: errAway}); e.Told == nil || e.Told.Err != errAway {
		t.Errorf("no time for another attempt: got %+v, want Revoke to be told", e.Told)
	}
}
