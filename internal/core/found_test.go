package core

import (
	"testing"
	"time"
)

// C1, T6, T11: which session of a cache takes the place of the one that is held.
func TestWhatACacheHasIsTakenOverIfItIsNewer(t *testing.T) {
	held := Session{Token: "held", ID: "user", Issued: noon.Add(-10 * time.Minute), Expires: noon.Add(50 * time.Minute)}
	found := Session{Token: "found", Issued: noon.Add(-time.Minute), Expires: noon.Add(59 * time.Minute)}
	change := func(f func(*Session)) Session { s := found; f(&s); return s }
	prolonged := held
	prolonged.Issued, prolonged.Expires = found.Issued, found.Expires
	for _, l := range []struct {
		name      string
		trust     Trust
		notBefore Moment
		found     Session
		want      Trust
		token     string
	}{
		{"a newer one", Good, 0, found, Good, "found"},
		{"an older one", Good, 0, change(func(s *Session) { s.Issued = held.Issued - 1 }), Good, "held"},
		{"one of the same moment", Good, 0, change(func(s *Session) { s.Issued = held.Issued }), Good, "held"},
		{"a newer one that ends earlier", Good, 0, change(func(s *Session) { s.Expires = held.Expires - 1 }), Good, "held"},
		{"a newer one that ends with it", Good, 0, change(func(s *Session) { s.Expires = held.Expires }), Good, "found"},
		{"a newer one of which nobody knows the end", Good, 0, change(func(s *Session) { s.Expires = 0 }), Good, "found"},
		{"one that has expired", Good, 0, change(func(s *Session) { s.Expires = noon }), Good, "held"},
		{"one near its end", Doubted, 0, change(func(s *Session) { s.Issued, s.Expires = noon.Add(-time.Hour+time.Minute), noon.Add(time.Minute) }), Doubted, "held"},

		{"a newer one in the place of what is doubted", Doubted, 0, found, Good, "found"},
		{"an older one in the place of what is doubted", Doubted, 0, change(func(s *Session) { s.Issued = held.Issued - 1 }), Doubted, "held"},
		{"one of the same moment in the place of what is doubted", Doubted, 0, change(func(s *Session) { s.Issued = held.Issued }), Good, "found"},
		{"one that ends with what is doubted", Doubted, 0, change(func(s *Session) { s.ID = "user" }), Doubted, "found"},
		{"another's in the place of what is doubted", Doubted, 0, change(func(s *Session) { s.ID = "another" }), Good, "found"},
		{"one from before a rejection", Doubted, found.Issued + 1, found, Suspect, "found"},

		{"one that ended with what was refused", Over, 0, change(func(s *Session) { s.ID = "user" }), Over, "held"},
		{"one from before what was refused", Over, found.Issued + 1, found, Over, "held"},
		{"a newer one than what was refused", Over, 0, found, Good, "found"},

		{"the same, prolonged", Good, 0, prolonged, Good, "held"},
	} {
		c := rules
		c.Cache = true
		s := State{Held: held, Trust: l.trust, NotBefore: l.notBefore, Known: true, Due: noon, Way: during(Load, Session{})}
		got, _ := Step(&c, s, Input{Kind: Done, Session: l.found, Draw: 0.5}, noon)
		if got.Trust != l.want || got.Held.Token != l.token {
			t.Errorf("%s: got %q with trust %d, want %q with %d", l.name, got.Held.Token, got.Trust, l.token, l.want)
		}
		if isProlonged := l.found.Token == held.Token; isProlonged && got.Held.Expires != l.found.Expires {
			t.Errorf("%s: got the old expiry", l.name)
		}
		if l.token == "found" && l.want == Doubted && got.NotBefore != l.found.Issued+1 {
			t.Errorf("%s: got NotBefore %d, want %d, right after its issue", l.name, got.NotBefore, l.found.Issued+1)
		}
	}
}

// T13: what a cache has is the other session that there is to be deleted.
func TestWhatACacheHasIsNotTakenOverWhileLeavingOrClosed(t *testing.T) {
	for name, s := range map[string]State{"leaving": {Leave: true}, "closed": {Closed: true, Leave: false}} {
		s.Held, s.Trust, s.Known = live, Good, true
		s.Way = during(Load, Session{})
		c := rules
		c.Cache = true
		got, e := Step(&c, s, Input{Kind: Done, Session: newer, Draw: 0.5}, noon)
		if got.Held.Token != "live" {
			t.Errorf("%s: got %q held, want what there was", name, got.Held.Token)
		}
		if name == "leaving" && (got.Way.Found.Token != "newer" || e.Begin.Kind != Lock) {
			t.Errorf("%s: got %q found and %q next, want the newer one, to be deleted under the lease", name, got.Way.Found.Token, e.Begin.Kind)
		}
	}
}

// C3, C4
func TestAnEntryThatCannotBeUsedIsReportedAndAStoreThatIsAwayDoneWithout(t *testing.T) {
	for name, l := range map[string]struct {
		in            Input
		reports       bool
		alone, begins bool
	}{
		"a miss":                    {Input{}, false, false, true},
		"an unusable entry":         {Input{Err: errAway}, true, false, true},
		"a store that is away":      {Input{Outcome: Away, Err: errAway}, true, true, false},
		"a look that was cancelled": {Input{Outcome: Cancelled, Err: errAway}, false, false, true},
	} {
		c := rules
		c.Cache = true
		l.in.Kind, l.in.Draw = Done, 0.5
		got, e := Step(&c, State{Known: true, Want: true, Way: during(Load, Session{})}, l.in, noon)
		if reports := len(e.Events) == 1 && e.Events[0].Kind == EventCacheFailed; reports != l.reports || len(e.Events) > 1 {
			t.Errorf("%s: got the events %+v, want one of a cache that failed: %v", name, e.Events, l.reports)
		}
		if got.Way.Alone != l.alone || (e.Begin.Kind == Lock) != l.begins {
			t.Errorf("%s: got alone %v and then %q, want %v and the lease: %v", name, got.Way.Alone, e.Begin.Kind, l.alone, l.begins)
		}
	}
}
