package core

import (
	"slices"
	"testing"
	"time"
)

// T7, T9: how long it is to the next attempt, and what others are told.
func TestAFailureDelaysTheNextAttemptAndConcernsOthersIfTheServerSaysSo(t *testing.T) {
	forever := Session{Token: "forever", Issued: live.Issued}
	for _, l := range []struct {
		name       string
		held       Session
		failures   int32
		outage     *Outage
		retryAfter time.Duration
		wait       time.Duration // until the next attempt
		count      int           // of the outage; 0: there is none
		tells      bool
	}{
		{"the first, the session lives", live, 0, nil, 0, second, 0, false},
		{"the second, the session lives", live, 1, nil, 0, 2 * second, 0, false},
		{"with Retry-After, the session lives", live, 0, nil, 5 * second, 5 * second, 1, true},
		{"the session has no expiry", forever, 0, nil, 0, second, 0, false},
		{"with Retry-After, the session has no expiry", forever, 0, nil, 5 * second, 5 * second, 1, true},
		{"the first, without a session", Session{}, 0, nil, 0, second, 1, false},
		{"the second, without a session", Session{}, 0, &Outage{Count: 1, Until: noon}, 0, 2 * second, 2, false},
		{"with Retry-After, without a session", Session{}, 0, nil, 5 * second, 5 * second, 1, true},
	} {
		c := rules
		c.Cache = true
		s := State{Held: l.held, Known: true, Failures: l.failures, Outage: l.outage, Way: during(Create, Session{})}
		if s.Way.Leased = true; l.held.Token == "" {
			s.Want = true
		} else {
			s.Trust, s.Way.Planned = Good, true
		}
		got, e := Step(&c, s, Input{Kind: Done, Outcome: Away, Err: errAway, RetryAfter: l.retryAfter, Draw: 0.5}, noon)
		wait := got.Due.Sub(noon)
		if l.held.Token == "" {
			wait = got.Outage.Until.Sub(noon)
		}
		if wait != l.wait {
			t.Errorf("%s: got another attempt after %v, want %v", l.name, wait, l.wait)
		}
		if count := 0; got.Outage != nil || l.count != 0 {
			if got.Outage != nil {
				count = got.Outage.Count
			}
			if count != l.count {
				t.Errorf("%s: got outage %d in a row, want %d", l.name, count, l.count)
			}
		}
		if tells := e.Begin.Kind == Store && e.Begin.Notice != nil; tells != l.tells || !tells && e.Begin.Kind != Unlock {
			t.Errorf("%s: got %q next, want others to be told: %v", l.name, e.Begin.Kind, l.tells)
		}
		if len(e.Events) != 1 || e.Events[0].Attempt != int(l.failures)+1 || e.Events[0].RetryIn != l.wait {
			t.Errorf("%s: got the events %+v, want one of attempt %d, and another in %v", l.name, e.Events, l.failures+1, l.wait)
		}
	}
}

// E5: what hardly lives is made once a second, and then more seldom.
func TestASessionThatHardlyLivesSlowsDownTheNextCall(t *testing.T) {
	for _, l := range []struct {
		life, pace, due time.Duration
		short, want     uint8
	}{
		{500 * time.Millisecond, second, second, 0, 1},
		{500 * time.Millisecond, 2 * second, second, 1, 2},
		{500 * time.Millisecond, 64 * second, second, 9, 10},
		{second, 0, second, 3, 0},
		{10 * second, 0, dueOf(10 * second), 3, 0},
	} {
		brought := Session{Token: "t", Issued: noon, Expires: noon.Add(l.life)}
		got, _ := Step(&rules, State{Want: true, Short: l.short, Way: during(Create, Session{})}, Input{Kind: Done, Session: brought, Draw: 0.5}, noon)
		pace := time.Duration(0)
		if got.Pace != 0 {
			pace = got.Pace.Sub(noon)
		}
		if got.Short != l.want || got.Due != noon.Add(l.due) || pace != l.pace {
			t.Errorf("a life of %v after %d that were short: got the %d. short one, due after %v, a pause of %v; want %d, %v, %v",
				l.life, l.short, got.Short, got.Due.Sub(noon), pace, l.want, l.due, l.pace)
		}
	}
}

// T12: what answers a rejection is a step of the ladder, and nothing else is.
func TestOnlyACallThatAnswersARejectionIsAStepOfTheLadder(t *testing.T) {
	for name, l := range map[string]struct {
		trust   Trust
		kind    Kind
		rung    Rung
		since   Moment
		want    Rung
		attempt int
	}{
		"a refresh of what is doubted":           {Doubted, Refresh, Unanswered, 0, Once, 1},
		"a sign-in in the place of what is over": {Over, Create, Unanswered, 0, Once, 1},
		"the second within a minute":             {Over, Create, Once, noon.Add(-time.Minute + 1), Twice, 1},
		"the second after a minute":              {Over, Create, Once, noon.Add(-time.Minute), Once, 1},
		"a refresh of what is suspect":           {Suspect, Refresh, Unanswered, 0, Unanswered, 1},
		"a refresh of what is good":              {Good, Refresh, Unanswered, 0, Unanswered, 1},
		"a newer one from the cache":             {Doubted, Load, Unanswered, 0, Unanswered, 0},
	} {
		s := State{Held: live, Trust: l.trust, Known: true, Want: l.trust != Good, Rung: l.rung, RungSince: l.since, Way: during(l.kind, live)}
		c := rules
		c.Cache = l.kind == Load
		got, e := Step(&c, s, Input{Kind: Done, Session: newer, Draw: 0.5}, noon)
		if got.Rung != l.want || got.Held.Token != "newer" {
			t.Errorf("%s: got rung %d with %q, want %d with the newer one", name, got.Rung, got.Held.Token, l.want)
		}
		if len(e.Events) != 1 || e.Events[0].Attempt != l.attempt {
			t.Errorf("%s: got the events %+v, want one of attempt %d", name, e.Events, l.attempt)
		}
	}
}

// T6: what is issued is newer than all that was there, whatever the clock says.
func TestWhatIsIssuedIsNewerThanWhatThereWas(t *testing.T) {
	ahead := live
	ahead.Issued = noon.Add(500 * time.Millisecond)
	got, _ := Step(&rules, State{Held: ahead, Trust: Good, Way: during(Refresh, ahead)}, Input{Kind: Done, Session: newer, Draw: 0.5}, noon)
	if got.Held.Token != "newer" || got.Held.Issued != ahead.Issued+1 {
		t.Errorf("got %q, issued %d after what there was, want the newer one right after it", got.Held.Token, got.Held.Issued-ahead.Issued)
	}
	overtaken := during(Create, Session{})
	overtaken.Overtaken = true
	got, _ = Step(&rules, State{Want: true, Way: overtaken}, Input{Kind: Done, Session: newer, Draw: 0.5}, noon)
	if got.NotBefore != newer.Issued+1 {
		t.Errorf("a rejection came meanwhile: got NotBefore %d after its issue, want 1", got.NotBefore-newer.Issued)
	}
}

// C4, E5: what a store could not do is said, and what it took too long for is no session.
func TestAStoreThatFailsIsReportedAndASlowOneOutlivesNoSession(t *testing.T) {
	c := rules
	c.Cache = true
	done := func(kind Kind, s Session, in Input) (State, Effects) {
		way := during(kind, s)
		way.Leased, way.Op.How = true, EventSignedIn
		in.Kind, in.Draw = Done, 0.5
		return Step(&c, State{Known: true, Want: kind == Store, Leave: kind == Remove, Way: way}, in, noon)
	}
	for kind, isOK := range map[Kind]bool{Store: true, Remove: true} {
		if _, e := done(kind, newer, Input{}); len(e.Events) > 0 && e.Events[0].Kind == EventCacheFailed {
			t.Errorf("%q that was done (%v): got an event of a cache that failed", kind, isOK)
		}
		s, e := done(kind, newer, Input{Outcome: Away, Err: errAway})
		if len(e.Events) == 0 || e.Events[0].Kind != EventCacheFailed {
			t.Errorf("%q that was not done: got the events %+v, want that the cache failed", kind, e.Events)
		}
		if kind == Store && !s.Held.Unstored {
			t.Error("a session that was not stored: got one that others may have")
		}
		if kind == Remove && s.NotBefore != noon+1 {
			t.Errorf("an entry that is removed: got NotBefore %d from now, want 1", s.NotBefore-noon)
		}
	}
	for renewable, token := range map[Moment]string{noon: "", noon + 1: "late"} {
		late := Session{Token: "late", Issued: past.Issued, Expires: noon, Renewable: renewable}
		if s, _ := done(Store, late, Input{}); s.Held.Token != token {
			t.Errorf("a session that expired while it was stored, renewable for %d more: got %q, want %q", renewable-noon, s.Held.Token, token)
		}
	}
}

// C2: other credentials have another entry.
func TestOnlyOtherCredentialsHaveAnotherEntryToRead(t *testing.T) {
	c := rules
	c.Cache = true
	for name, l := range map[string]struct {
		known bool
		was   Fingerprint
		want  Kind
	}{
		"the first":      {false, Fingerprint{}, Lock},
		"the same again": {true, Fingerprint{1}, Lock},
		"others":         {true, Fingerprint{2}, Load},
	} {
		_, e := Step(&c, State{Want: true, Known: l.known, Credentials: l.was, Way: during(Ask, Session{})}, Input{Kind: Done, Credentials: Fingerprint{1}, Draw: 0.5}, noon)
		if e.Begin.Kind != l.want {
			t.Errorf("%s: got %q next, want %q", name, e.Begin.Kind, l.want)
		}
	}
}

// T6, T16: a token is remembered that was rejected or revoked and is held no more,
// and a source without trouble remembers nothing.
func TestOnlyTokensThatWereRejectedOrRevokedAreRemembered(t *testing.T) {
	good, doubted := State{Held: live, Trust: Good}, State{Held: live, Trust: Doubted}
	same := newer
	same.Token = live.Token
	for _, l := range []struct {
		name  string
		state State
		op    Kind
		in    Input
		want  []string
	}{
		{"the first sign-in", State{Want: true}, Create, Input{Session: newer}, nil},
		{"a planned refresh", good, Refresh, Input{Session: newer}, nil},
		{"a refresh that was the question", doubted, Refresh, Input{Session: newer}, []string{live.Token}},
		{"a refresh that was the question, and brings the same token", doubted, Refresh, Input{Session: same}, nil},
		{"a log-out", State{Held: live, Trust: Good, Leave: true}, Delete, Input{}, []string{live.Token}},
		{"a log-out that the server does not know of", State{Held: live, Trust: Good, Leave: true}, Delete, Input{Outcome: Gone}, []string{live.Token}},
		{"another, of a token that is remembered", State{Held: live, Trust: Good, Leave: true, Past: &Past{Tokens: []string{live.Token}}}, Delete, Input{}, []string{live.Token}},
	} {
		l.state.Way, l.in.Kind, l.in.Draw = during(l.op, l.state.Held), Done, 0.5
		s, _ := Step(&rules, l.state, l.in, noon)
		var got []string
		if s.Past != nil {
			got = s.Past.Tokens
		}
		if !slices.Equal(got, l.want) || l.want == nil && s.Past != nil {
			t.Errorf("%s: remembered are %q, want %q", l.name, got, l.want)
		}
	}
}
