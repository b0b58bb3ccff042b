package core

import (
	"testing"
	"time"
)

// C1, T6, T11: which session of a cache takes the place of the one that is held.
func TestWhatACacheHasIsTakenOverIfItIsNewer(t *testing.T) {
	held := Session{Token: "held", ID: Fingerprint{1}, Issued: noon.Add(-10 * time.Minute), Expires: noon.Add(50 * time.Minute)}
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
		{"one that ends with what is doubted", Doubted, 0, change(func(s *Session) { s.ID = Fingerprint{1} }), Doubted, "found"},
		{"another's in the place of what is doubted", Doubted, 0, change(func(s *Session) { s.ID = Fingerprint{2} }), Good, "found"},
		{"one from before a rejection", Doubted, found.Issued + 1, found, Suspect, "found"},

		{"one that ended with what was refused", Over, 0, change(func(s *Session) { s.ID = Fingerprint{1} }), Over, "held"},
		{"one from before what was refused", Over, found.Issued + 1, found, Over, "held"},
		{"one from then on", Over, found.Issued, found, Good, "found"},
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

// O3: under the lease, what others have put in the place of a State has used it up.
func TestAStateThatIsNotInTheCacheAnyMoreHasBeenUsed(t *testing.T) {
	of := func(f func(*Session)) Session { s := rotate; f(&s); return s }
	for name, l := range map[string]struct {
		kind  Kind
		held  Session
		found string
		ended bool
	}{
		"another is in its place":            {Lock, rotate, "older", true},
		"nothing is":                         {Lock, rotate, "", true},
		"it is there":                        {Lock, rotate, "rotate", false},
		"without the lease":                  {Load, rotate, "older", false},
		"it was never there":                 {Lock, of(func(s *Session) { s.Shared = false }), "older", false},
		"the store may not have it":          {Lock, of(func(s *Session) { s.Unstored = true }), "older", false},
		"a session without a State":          {Lock, of(func(s *Session) { s.State = "" }), "older", false},
		"none, and it is another's, renewed": {Lock, of(func(s *Session) { s.State, s.Shared = "", false }), "", false},
	} {
		c := rules
		c.Cache = true
		found := Session{Token: l.found, Issued: older.Issued, Expires: older.Expires}
		got, _ := Step(&c, State{Held: l.held, Trust: Good, Due: noon, Known: true, Way: during(l.kind, Session{})}, Input{Kind: Done, Session: found, Draw: 0.5}, noon)
		if got.Held.Ended != l.ended {
			t.Errorf("%s: got a chain that has ended: %v, want %v", name, got.Held.Ended, l.ended)
		}
	}
}

// T10, T18
func TestANoticeIsHeededAsIfItHadBeenSaidHere(t *testing.T) {
	known := func(left time.Duration) []Refusal { return []Refusal{{Until: noon.Add(left), Count: 7}} }
	for name, l := range map[string]struct {
		refusals []Refusal
		want     Refusal
	}{
		"the first":     {nil, Refusal{Since: noon.Add(-time.Minute), Until: noon.Add(time.Minute), Count: 2}},
		"a longer one":  {known(time.Minute - 1), Refusal{Since: noon.Add(-time.Minute), Until: noon.Add(time.Minute), Count: 2}},
		"one as long":   {known(time.Minute), known(time.Minute)[0]},
		"a shorter one": {known(time.Hour), known(time.Hour)[0]},
	} {
		got, _ := Step(&rules, State{Held: live, Trust: Good, Known: true, Refusals: l.refusals, Way: during(Load, Session{})},
			Input{Kind: Done, Notice: &Notice{ID: "n", Refused: true, Count: 2, Wait: 2 * time.Minute, Left: time.Minute}, Draw: 0.5}, noon)
		if r := got.Refusals[0]; r != l.want {
			t.Errorf("a refusal, %s: got %+v, want %+v", name, r, l.want)
		}
	}
	before := &Outage{Until: noon.Add(time.Minute), Count: 7}
	for name, l := range map[string]struct {
		outage *Outage
		left   time.Duration
		count  int // 0: no outage
	}{
		"the first":        {nil, time.Minute, 2},
		"one that is over": {nil, 0, 0},
		"a longer one":     {before, time.Minute + 1, 2},
		"one as long":      {before, time.Minute, 7},
		"a shorter one":    {before, time.Second, 7},
	} {
		got, _ := Step(&rules, State{Held: live, Trust: Good, Known: true, Outage: l.outage, Way: during(Load, Session{})},
			Input{Kind: Done, Notice: &Notice{ID: "n", Count: 2, Wait: 2 * time.Minute, Left: l.left}, Draw: 0.5}, noon)
		switch o := got.Outage; {
		case (o == nil) != (l.count == 0):
			t.Errorf("a wait, %s: got outage %+v, want one: %v", name, o, l.count != 0)
		case o != nil && (o.Count != l.count || l.count == 2 && o.Since != noon.Add(l.left-2*time.Minute)):
			t.Errorf("a wait, %s: got %+v, want it counted %d times, and since it was said", name, o, l.count)
		}
	}
}
