package core

import (
	"testing"
	"time"
)

// line is one line of a table in the package's comment: what is so, what happens,
// and what follows.
type line struct {
	name  string
	state State
	in    Input
	cache bool

	begins Kind
	of     string // the session that it is about
	trust  Trust
	wakes  error // nil and woken: with a session
	woken  bool
	told   error
	says   bool // that Revoke is over
	check  func(*testing.T, State)
}

const noon = Moment(1 << 60)

var (
	rules  = Config{Timeout: 30 * time.Second, Retries: []time.Duration{time.Second, 2 * time.Second}, Asks: true}
	live   = Session{Token: "live", Issued: noon.Add(-10 * time.Minute), Expires: noon.Add(50 * time.Minute)}
	newer  = Session{Token: "newer", Issued: noon, Expires: noon.Add(time.Hour)}
	older  = Session{Token: "older", Issued: noon.Add(-20 * time.Minute), Expires: noon.Add(40 * time.Minute)}
	past   = Session{Token: "past", Issued: noon.Add(-2 * time.Hour), Expires: noon.Add(-time.Hour)}
	rotate = Session{Token: "rotate", State: "once", Issued: live.Issued, Expires: live.Expires, Shared: true}
)

// dueOf is when in a life a refresh falls due that is drawn in the middle (T2).
func dueOf(life time.Duration) time.Duration { return life * 75 / 100 }

// during is a pursuit with an operation under way.
func during(k Kind, s Session) *Pursuit {
	return &Pursuit{Op: Op{Kind: k, Session: s}, Until: noon.Add(20 * time.Second), Asked: true, Looked: true}
}

func (l *line) run(t *testing.T) {
	c := rules
	c.Cache = l.cache
	if l.in.Draw == 0 {
		l.in.Draw = 0.5
	}
	s, e := Step(&c, l.state, l.in, noon)
	if e.Begin.Kind != l.begins || e.Begin.Session.Token != l.of {
		t.Errorf("expected to begin %q of %q, got %q of %q", l.begins, l.of, e.Begin.Kind, e.Begin.Session.Token)
	}
	if s.Trust != l.trust {
		t.Errorf("expected trust %d, got %d", l.trust, s.Trust)
	}
	says := func(what string, a *Answer, is bool, err error) {
		if (a != nil) != is || a != nil && a.Err != err {
			t.Errorf("expected the answer to %s: %v %v, got %+v", what, is, err, a)
		}
	}
	says("callers", e.Wake, l.woken, l.wakes)
	says("Revoke", e.Told, l.says, l.told)
	if l.check != nil {
		l.check(t, s)
	}
}

// after is the state after the inputs, with a cache.
func after(t *testing.T, s State, inputs ...Input) State {
	t.Helper()
	c := rules
	c.Cache = true
	for _, in := range inputs {
		s, _ = Step(&c, s, in, noon)
	}
	return s
}

func TestWhatIsNextIsTheFirstLineThatApplies(t *testing.T) {
	leased := func(p Pursuit) *Pursuit {
		p.Leased = true
		return &p
	}
	planned := func(p *Pursuit) *Pursuit {
		p.Planned = true
		return p
	}
	outage := &Outage{Since: noon.Add(-time.Second), Until: noon.Add(time.Minute), Err: errAway, Told: true}
	for _, l := range []line{
		{name: "closed: the lease is given back", state: State{Closed: true, Way: leased(*during(Create, Session{}))}, in: Input{Kind: Done, Outcome: Cancelled}, begins: Unlock},
		{name: "closed: rest", state: State{Closed: true, Way: during(Create, Session{})}, in: Input{Kind: Done, Outcome: Cancelled}},
		{name: "closed: a caller", state: State{Closed: true}, in: Input{Kind: Want}, woken: true, wakes: ErrClosed},
		{name: "leaving, nobody knows the entry's name", in: Input{Kind: Revoke}, cache: true, begins: Ask},
		{name: "leaving, the cache has not been read", state: State{Known: true}, in: Input{Kind: Revoke}, cache: true, begins: Load},
		{name: "leaving, nothing lives", state: State{Held: past, Trust: Good}, in: Input{Kind: Revoke}, says: true, trust: None},
		{name: "leaving, what is held lives", state: State{Held: live, Trust: Good}, in: Input{Kind: Revoke}, begins: Delete, of: "live", trust: Good},
		{name: "leaving, what is held was refused", state: State{Held: live, Trust: Over}, in: Input{Kind: Revoke}, begins: Delete, of: "live", trust: Over},
		{
			name: "leaving, the cache has a newer one", cache: true,
			state: State{Held: live, Trust: Good, Known: true, Leave: true, Way: leased(*during(Load, Session{}))},
			in:    Input{Kind: Done, Session: newer}, begins: Delete, of: "newer", trust: Good,
		},
		{name: "a caller, and a session", state: State{Held: live, Trust: Good}, in: Input{Kind: Want}, woken: true, trust: Good},
		{name: "no caller, and not due", state: State{Held: live, Trust: Good, Due: noon + 1}, in: Input{Kind: Tick}, trust: Good},
		{
			name:  "doubted, and rejections have been answered twice",
			state: State{Held: live, Trust: Doubted, Due: noon + 1, Rung: Twice, RungSince: noon.Add(-59 * time.Second)}, in: Input{Kind: Want}, woken: true, trust: Good,
		},
		{
			name:  "doubted, and the pause is over",
			state: State{Held: live, Trust: Doubted, Due: noon + 1, Rung: Twice, RungSince: noon.Add(-time.Minute)}, in: Input{Kind: Want}, begins: Refresh, of: "live", trust: Doubted,
		},
		{name: "good and due, and rejections have been answered twice", state: State{Held: live, Trust: Good, Due: noon, Rung: Twice, RungSince: noon.Add(-time.Second)}, in: Input{Kind: Tick}, begins: Refresh, of: "live", trust: Good},
		{name: "an outage, the session lives", state: State{Held: live, Trust: Good, Due: noon, Outage: outage}, in: Input{Kind: Tick}, trust: Good, check: func(t *testing.T, s State) {
			if s.Due != outage.Until {
				t.Errorf("expected it to be due at the end of the outage, got %v before", outage.Until.Sub(s.Due))
			}
		}},
		{name: "an outage, a look", state: State{Outage: outage, Known: true, Looked: noon.Add(-time.Second)}, in: Input{Kind: Want}, cache: true, begins: Load},
		{name: "an outage, looked just now", state: State{Outage: outage, Known: true, Looked: noon.Add(-time.Second) + 1}, in: Input{Kind: Want}, cache: true, woken: true, wakes: errAway},
		{name: "an outage, nobody told, in time", state: State{Outage: &Outage{Until: noon.Add(time.Second), Err: errAway}}, in: Input{Kind: Want}, begins: Sleep},
		{name: "an outage, nobody told, hardly in time", state: State{Outage: &Outage{Until: noon.Add(30*time.Second - leastAttempt), Err: errAway}}, in: Input{Kind: Want}, woken: true, wakes: errAway},
		{name: "sessions hardly live, in time", state: State{Pace: noon.Add(time.Second)}, in: Input{Kind: Want}, begins: Sleep},
		{name: "sessions hardly live, for longer than a caller waits", state: State{Pace: noon.Add(30*time.Second - leastAttempt)}, in: Input{Kind: Want}, woken: true, wakes: ErrShort},
		{name: "sessions hardly live, nobody waits", state: State{Pace: noon.Add(time.Second), Known: true, Way: planned(during(Load, Session{}))}, in: Input{Kind: Done}, cache: true},
		{name: "to sign in", in: Input{Kind: Want}, begins: Ask},
		{
			name:  "to sign in before the token is due, for its chain has ended, and the credentials are there",
			state: after(t, State{Held: rotate, Trust: Doubted, Due: noon + 1, Known: true, Way: &Pursuit{Op: Op{Kind: Refresh, Session: rotate}, Until: noon.Add(time.Second), Looked: true}}, Input{Kind: Done, Outcome: Lost, Err: errAway}),
			in:    Input{Kind: Done}, cache: true, begins: Lock, trust: Good,
		},
		{
			name:  "the sign-in could not be made here",
			state: State{Known: true, Want: true, Way: leased(*during(Create, Session{}))}, in: Input{Kind: Done, Outcome: Local, Err: errAway},
			cache: true, begins: Unlock, woken: true, wakes: errAway,
		},
		{
			name:  "the sign-in could not be made here, and somebody has come since then",
			state: after(t, State{Known: true, Want: true, Way: leased(*during(Create, Session{}))}, Input{Kind: Done, Outcome: Local, Err: errAway}, Input{Kind: Want}),
			in:    Input{Kind: Done}, cache: true, begins: Ask,
		},
		{
			name:  "to sign in, and these credentials rest",
			state: State{Refusals: []Refusal{{Until: noon + 1, Err: errRefused}}, Want: true, Way: during(Ask, Session{})}, in: Input{Kind: Done}, woken: true, wakes: errRefused,
		},
		{name: "to sign in, and others rest", state: State{Refusals: []Refusal{{Of: Fingerprint{1}, Until: noon + 1}}, Want: true, Way: during(Ask, Session{})}, in: Input{Kind: Done}, begins: Create},
		{name: "a cache", state: State{Held: live, Trust: Doubted, Known: true}, in: Input{Kind: Want}, cache: true, begins: Load, trust: Doubted},
		{name: "a cache, looked", state: State{Held: live, Trust: Doubted, Known: true, Want: true, Way: during(Load, Session{})}, in: Input{Kind: Done}, cache: true, begins: Lock, trust: Doubted},
		{name: "to be refreshed", state: State{Held: live, Trust: Good, Due: noon}, in: Input{Kind: Tick}, begins: Refresh, of: "live", trust: Good},
		{
			name:  "expired, and can be renewed",
			state: State{Held: Session{Token: "past", Expires: past.Expires, Renewable: noon + 1}, Trust: Good}, in: Input{Kind: Want}, begins: Refresh, of: "past", trust: Good,
		},
		{name: "else", state: State{Want: true, Way: during(Ask, Session{})}, in: Input{Kind: Done}, begins: Create},
	} {
		t.Run(l.name, l.run)
	}
}

func TestWhatAnOperationBringsIsJudgedByTheStateAsItIs(t *testing.T) {
	leased := func(k Kind, s Session) *Pursuit {
		p := during(k, s)
		p.Leased = true
		return p
	}
	overtaken := during(Refresh, live)
	overtaken.Overtaken = true
	planned := during(Refresh, live)
	planned.Planned = true
	away := Input{Kind: Done, Outcome: Away, Err: errAway}
	ended := func(t *testing.T, s State) {
		if !s.Held.Ended {
			t.Error("expected the chain to have ended")
		}
	}
	for _, l := range []line{
		{name: "a session, leaving", state: State{Held: live, Trust: Good, Leave: true, Way: during(Refresh, live)}, in: Input{Kind: Done, Session: newer}, begins: Delete, of: "newer", trust: Good},
		{name: "a session, leaving, leased", cache: true, state: State{Held: live, Trust: Good, Known: true, Leave: true, Way: leased(Refresh, live)}, in: Input{Kind: Done, Session: newer}, begins: Store, of: "newer", trust: Good},
		{name: "a session, rejected meanwhile", state: State{Held: live, Trust: Doubted, Want: true, Way: overtaken}, in: Input{Kind: Done, Session: newer}, begins: Refresh, of: "newer", trust: Doubted},
		{name: "a session, leased", cache: true, state: State{Known: true, Want: true, Way: leased(Create, Session{})}, in: Input{Kind: Done, Session: newer}, begins: Store, of: "newer"},
		{name: "a session, leased, closed", cache: true, state: State{Known: true, Closed: true, Way: leased(Create, Session{})}, in: Input{Kind: Done, Session: newer}, begins: Store, of: "newer"},
		{
			name: "a session", state: State{Want: true, Failures: 3, Outage: &Outage{}, Refusals: []Refusal{{}}, Way: during(Create, Session{})}, in: Input{Kind: Done, Session: newer}, woken: true, trust: Good,
			check: func(t *testing.T, s State) {
				if s.Outage != nil || s.Refusals != nil || s.Failures != 0 || s.Due != newer.Issued.Add(dueOf(time.Hour)) {
					t.Errorf("expected a refresh after %v and no trouble, got %v and %+v", dueOf(time.Hour), s.Due.Sub(newer.Issued), s)
				}
			},
		},
		{name: "no, to a refresh of what is good", state: State{Held: live, Trust: Good, Way: during(Refresh, live)}, in: Input{Kind: Done, Outcome: Refused, Err: errRefused}, begins: Create, trust: Good, check: ended},
		{name: "no, to a refresh of what was doubted and is kept", state: State{Held: live, Trust: Good, NotBefore: live.Issued + 1, Way: planned}, in: Input{Kind: Done, Outcome: Refused, Err: errRefused}, begins: Create, trust: Over},
		{name: "no, to a refresh of what is doubted", state: State{Held: live, Trust: Doubted, Want: true, Way: during(Refresh, live)}, in: Input{Kind: Done, Outcome: Refused, Err: errRefused}, begins: Create, trust: Over},
		{
			name: "no, to a sign-in", state: State{Want: true, Way: during(Create, Session{})}, in: Input{Kind: Done, Outcome: Refused, Err: errRefused}, woken: true, wakes: errRefused,
			check: func(t *testing.T, s State) {
				if len(s.Refusals) != 1 || s.Refusals[0].Until != noon.Add(time.Minute) {
					t.Errorf("expected the credentials to rest for a minute, got %+v", s.Refusals)
				}
			},
		},
		{name: "nothing that judges, the session lives", state: State{Held: live, Trust: Doubted, Want: true, Way: during(Refresh, live)}, in: away, woken: true, trust: Good, check: func(t *testing.T, s State) {
			if s.Due != noon.Add(time.Second) {
				t.Errorf("expected another attempt after a second, got %v", s.Due.Sub(noon))
			}
		}},
		{name: "nothing that judges, it does not", state: State{Want: true, Way: during(Create, Session{})}, in: away, begins: Sleep},
		{name: "nothing that judges, and no use repeating at once", state: State{Want: true, Way: during(Create, Session{})}, in: Input{Kind: Done, Outcome: Unusable, Err: errAway}, woken: true, wakes: errAway},
		{name: "nothing that judges, with a State, leased: nobody else is concerned", cache: true, state: State{Held: rotate, Trust: Good, Known: true, Way: leased(Refresh, rotate)}, in: away, begins: Unlock, trust: Good},
		{name: "nothing that judges, at the end of a chain without a State, leased: nobody else is concerned", cache: true, state: State{Held: Session{Token: "live", Expires: live.Expires, Ended: true}, Trust: Good, Known: true, Way: leased(Create, Session{})}, in: away, begins: Unlock, trust: Good},
		{name: "lost, with a State", state: State{Held: rotate, Trust: Good, Way: during(Refresh, rotate)}, in: Input{Kind: Done, Outcome: Lost, Err: errAway}, begins: Create, trust: Good, check: ended},
		{name: "lost, with a State, leased", cache: true, state: State{Held: rotate, Trust: Good, Known: true, Way: leased(Refresh, rotate)}, in: Input{Kind: Done, Outcome: Lost, Err: errAway}, begins: Store, of: "rotate", trust: Good, check: ended},
		{name: "lost, with a State, leased, closed", cache: true, state: State{Held: rotate, Trust: Doubted, Known: true, Closed: true, Way: leased(Refresh, rotate)}, in: Input{Kind: Done, Outcome: Cancelled}, begins: Store, of: "rotate", trust: Doubted, check: ended},
		{name: "a sign-in that Close has cancelled, leased, and what is held has a State", cache: true, state: State{Held: rotate, Trust: Good, Known: true, Closed: true, Way: leased(Create, Session{})}, in: Input{Kind: Done, Outcome: Cancelled}, begins: Unlock, trust: Good},
		{
			name: "no, to a refresh of what has expired: nothing was rejected", in: Input{Kind: Done, Outcome: Refused, Err: errRefused}, begins: Create, trust: Good, check: ended,
			state: State{Held: Session{Token: "past", Expires: past.Expires, Renewable: noon + 1}, Trust: Good, Want: true, Way: during(Refresh, Session{Token: "past"})},
		},
		{name: "no, to a refresh of what is suspect: nothing was rejected", state: State{Held: live, Trust: Suspect, Want: true, Way: during(Refresh, live)}, in: Input{Kind: Done, Outcome: Refused, Err: errRefused}, begins: Create, trust: Suspect, check: ended},
		{
			name:  "a session, by a refresh: the credentials rest on",
			state: State{Held: live, Trust: Good, Refusals: []Refusal{{Until: noon + 1}}, Way: during(Refresh, live)}, in: Input{Kind: Done, Session: newer}, trust: Good,
			check: func(t *testing.T, s State) {
				if len(s.Refusals) != 1 {
					t.Errorf("expected one refusal, got %v", s.Refusals)
				}
			},
		},
		{
			name: "a notice of a shorter rest than what is known", cache: true, begins: Lock,
			state: State{Held: live, Trust: Good, Due: noon, Known: true, Refusals: []Refusal{{Until: noon.Add(time.Hour), Count: 4}}, Way: during(Load, Session{})},
			in:    Input{Kind: Done, Notice: &Notice{ID: "n", Refused: true, Left: time.Minute, Count: 1}}, trust: Good,
			check: func(t *testing.T, s State) {
				if r := s.Refusals[0]; r.Until != noon.Add(time.Hour) || r.Count != 4 {
					t.Errorf("expected the rest of an hour, the fourth, got %v, %d", r.Until.Sub(noon), r.Count)
				}
			},
		},
		{
			name: "a notice that has been heeded already", cache: true, state: State{Want: true, Known: true, Past: &Past{Notices: []string{"n"}}, Way: during(Load, Session{})},
			in: Input{Kind: Done, Notice: &Notice{ID: "n", Left: time.Minute}}, begins: Lock,
		},
		{
			name: "other credentials, leased", cache: true, state: State{Want: true, Known: true, Way: leased(Ask, Session{})},
			in: Input{Kind: Done, Credentials: Fingerprint{1}}, begins: Unlock,
		},
		{
			name: "a session that has expired while it was stored", cache: true, state: State{Want: true, Known: true, Way: leased(Store, past)},
			in: Input{Kind: Done}, begins: Unlock, woken: true, wakes: ErrExpired,
		},
		{name: "newer, from a cache", cache: true, state: State{Held: live, Trust: Good, Known: true, Due: noon, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: newer}, trust: Good, check: func(t *testing.T, s State) {
			if s.Held.Token != "newer" {
				t.Errorf("expected the newer session to be held, got %s", s.Held.Token)
			}
		}},
		{name: "issued before NotBefore, from a cache", cache: true, state: State{NotBefore: noon + 1, Known: true, Want: true, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: newer}, begins: Lock, trust: Suspect},
		{name: "issued before NotBefore, from a cache, and what is held was refused", cache: true, state: State{Held: past, Trust: Over, NotBefore: live.Issued, Known: true, Want: true, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: older}, begins: Lock, trust: Over},
		{name: "rejected and replaced before, from a cache, and newer by the clock", cache: true, state: State{Held: live, Trust: Good, Due: noon, Known: true, Past: &Past{Tokens: []string{"newer"}}, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: newer}, begins: Lock, trust: Good, check: func(t *testing.T, s State) {
			if s.Held.Token != live.Token {
				t.Errorf("expected what is held to stay so, got %s", s.Held.Token)
			}
		}},
		{name: "rejected and replaced before, issued again, and prolonged by another process", cache: true, state: State{Held: live, Trust: Good, Known: true, Due: noon, Past: &Past{Tokens: []string{live.Token}}, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: Session{Token: live.Token, Issued: live.Issued + 1, Expires: live.Expires.Add(time.Hour)}}, trust: Good, check: func(t *testing.T, s State) {
			if s.Held.Expires != live.Expires.Add(time.Hour) {
				t.Errorf("expected the life to go on, got one until %v", s.Held.Expires.Time())
			}
		}},
		{name: "rejected and replaced before, from a cache, and nothing is held", cache: true, state: State{Known: true, Want: true, Past: &Past{Tokens: []string{"newer"}}, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: newer}, begins: Lock, trust: Suspect},
		{name: "older, from a cache", cache: true, state: State{Held: live, Trust: Good, Known: true, Due: noon, Way: during(Load, Session{})}, in: Input{Kind: Done, Session: older}, begins: Lock, trust: Good},
		{name: "done, log-out", state: State{Held: live, Trust: Good, Leave: true, Way: during(Delete, live)}, in: Input{Kind: Done}, says: true, check: func(t *testing.T, s State) {
			if s.NotBefore <= noon {
				t.Error("expected NotBefore to be now")
			}
		}},
		{name: "gone, log-out", state: State{Held: live, Trust: Good, Leave: true, Way: during(Delete, live)}, in: Input{Kind: Done, Outcome: Gone}, says: true},
		{name: "nothing that judges, log-out", state: State{Held: live, Trust: Good, Leave: true, Way: during(Delete, live)}, in: away, begins: Sleep, trust: Good},
		{
			name:  "nothing that judged, log-out, and Timeout is over: the failure is told",
			state: State{Held: live, Trust: Good, Due: noon + 1, Leave: true, Way: &Pursuit{Op: Op{Kind: Sleep}, Until: noon, Err: errAway}}, in: Input{Kind: Done}, says: true, told: errAway, trust: Good,
		},
		{name: "no use repeating, log-out", state: State{Held: live, Trust: Good, Due: noon + 1, Leave: true, Way: during(Delete, live)}, in: Input{Kind: Done, Outcome: Unusable, Err: errAway}, says: true, told: errAway, trust: Good},
		{name: "a change, awaiting the lease", cache: true, state: State{Known: true, Want: true, Way: during(Lock, Session{})}, in: Input{Kind: Done, Outcome: Changed, Session: newer}, woken: true, trust: Good},
		{name: "a change, awaiting the lease, that is not what is wanted", cache: true, state: State{Known: true, Want: true, Way: during(Lock, Session{})}, in: Input{Kind: Done, Outcome: Changed}, begins: Lock},
		{name: "no lease in time", cache: true, state: State{Known: true, Want: true, Way: during(Lock, Session{})}, in: away, begins: Load},
	} {
		t.Run(l.name, l.run)
	}
}

func TestAClockThatWasSetBackMakesNoWaitLonger(t *testing.T) {
	s := State{
		Due: noon.Add(time.Minute), RungSince: noon, Pace: noon + 1, Looked: noon,
		Outage:   &Outage{Since: noon, Until: noon.Add(time.Minute)},
		Refusals: []Refusal{{Since: noon, Until: noon.Add(time.Hour)}},
		Way:      &Pursuit{Until: noon.Add(time.Second), After: noon},
	}
	back := s.SetBack(time.Hour)
	for _, m := range []struct {
		name     string
		was, got Moment
	}{
		{"Due", s.Due, back.Due},
		{"RungSince", s.RungSince, back.RungSince},
		{"Pace", s.Pace, back.Pace},
		{"Looked", s.Looked, back.Looked},
		{"Outage.Since", s.Outage.Since, back.Outage.Since},
		{"Outage.Until", s.Outage.Until, back.Outage.Until},
		{"Refusals.Since", s.Refusals[0].Since, back.Refusals[0].Since},
		{"Refusals.Until", s.Refusals[0].Until, back.Refusals[0].Until},
		{"Way.After", s.Way.After, back.Way.After},
		{"Way.Until", s.Way.Until, back.Way.Until},
	} {
		if m.was.Sub(m.got) != time.Hour {
			t.Errorf("%s: expected an hour earlier, got %v", m.name, m.was.Sub(m.got))
		}
	}
	if s.Due != noon.Add(time.Minute) || s.Way.Until != noon.Add(time.Second) {
		t.Error("expected the state to be copied, and it was changed")
	}
}
