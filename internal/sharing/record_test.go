package sharing

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/sealing"
)

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// refused is a server's error; any other is nobody else's business.
type refused struct{ Refusal }

func (r refused) Error() string { return fmt.Sprint(r.Host, " said ", r.StatusCode) }

// account returns what one source of an account has of a store.
func account(store cache.Cache) *Sharing {
	sh := &Sharing{
		Store: store,
		Host:  "api.example.com",
		Refusal: func(err error) *Refusal {
			if said, is := errors.AsType[refused](err); is {
				return &said.Refusal
			}
			return nil
		},
		Error: func(r *Refusal) error { return refused{*r} },
	}
	sh.Know(core.Fingerprint{}, func() *sealing.Sealer {
		return sealing.FromKey([]byte("thirty-two bytes of a test's key"), "account", "a")
	})
	return sh
}

// at is a moment so long after midnight.
func at(d time.Duration) core.Moment { return core.At(midnight.Add(d)) }

// C1, T17: a session is read as it was stored, by a process whose clock says
// something else, and lives no longer than it did.
func TestASessionIsReadAsItWasStoredWhateverTheOtherClockSays(t *testing.T) {
	for name, s := range map[string]core.Session{
		"a token":                      {Token: "opaque", Issued: at(0), Expires: at(15 * time.Minute)},
		"one that can be renewed":      {Token: "opaque", State: "refresh=1", Issued: at(0), Expires: at(15 * time.Minute), Renewable: at(24 * time.Hour)},
		"one whose chain has ended":    {Token: "opaque", Issued: at(0), Expires: at(15 * time.Minute), Ended: true},
		"one that has expired already": {Token: "opaque", State: "refresh=1", Issued: at(-time.Hour), Expires: at(-time.Minute), Renewable: at(24 * time.Hour)},
	} {
		for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
			const stored, lay = time.Minute, 2 * time.Minute // after its issue, and in the store
			entry, ok := account(nil).seal(s, nil, at(stored))
			if !ok {
				t.Fatalf("%s: there is nothing to store, want its entry", name)
			}
			entry.TTL -= lay
			f, err := account(nil).open(entry, midnight.Add(stored+lay+ahead))
			if err != nil {
				t.Fatalf("%s: got error %v, want it read", name, err)
			}
			want := s
			want.Expires = want.Expires.Add(ahead)
			want.Issued = want.Issued.Add(ahead)
			if want.Renewable != 0 {
				want.Renewable = want.Renewable.Add(ahead)
			}
			if f.session != want || f.notice != nil || f.doubtful {
				t.Errorf("%s, by a clock that is %v ahead: got %+v, want %+v", name, ahead, f.session, want)
			}
		}
	}
}

// A session whose life nobody knows was issued when its writer says, or just now
// where that is later.
func TestASessionOfUnknownLifeKeepsItsIssue(t *testing.T) {
	entry, ok := account(nil).seal(core.Session{Token: "opaque", Issued: at(0)}, nil, at(time.Hour))
	if !ok || entry.TTL != 0 {
		t.Fatalf("got an entry: %v, with a TTL of %v, want one without", ok, entry.TTL)
	}
	for now, issued := range map[time.Duration]core.Moment{2 * time.Hour: at(0), -time.Hour: at(-time.Hour)} {
		f, err := account(nil).open(entry, midnight.Add(now))
		if err != nil || f.session.Expires != 0 || f.session.Issued != issued {
			t.Errorf("read at %v: got %+v and error %v, want it issued at %v, without an expiry", now, f.session, err, issued.Time())
		}
	}
}

// T10, T18: what the server said is told to others, with what is left of it.
func TestANoticeIsReadWithTheTimeThatIsLeftOfIt(t *testing.T) {
	live := core.Session{Token: "opaque", Issued: at(0), Expires: at(time.Hour)} // longer than a refusal can last
	for name, s := range map[string]core.Session{"beside a session": live, "alone": {}} {
		for _, isRefusal := range []bool{true, false} {
			n := &core.Notice{
				Err:     refused{Refusal{Op: "create", Host: "api.example.com", StatusCode: 429, Type: "error", Message: "slow down"}},
				Refused: isRefusal, Count: 3, Wait: 4 * time.Minute,
			}
			entry, ok := account(nil).seal(s, n, at(0))
			if !ok {
				t.Fatalf("%s: there is nothing to store, want the notice", name)
			}
			entry.TTL -= time.Minute
			f, err := account(nil).open(entry, midnight.Add(time.Minute))
			if err != nil || f.notice == nil {
				t.Fatalf("%s: got %+v and error %v, want the notice", name, f, err)
			}
			got := f.notice
			if got.Refused != isRefusal || got.Count != 3 || got.Wait != n.Wait || got.Left != 3*time.Minute {
				t.Errorf("%s: got %+v, want the notice with 3 min left", name, got)
			}
			said := got.Err.(refused)
			wait := n.Wait // what a Retry-After asked for; a refusal asks for nothing
			if isRefusal {
				wait = 0
			}
			if want := (Refusal{Op: "create", Host: "api.example.com", StatusCode: 429, Type: "error", Message: "slow down", RetryAfter: wait}); said.Refusal != want {
				t.Errorf("%s: the error is %+v, want %+v", name, said.Refusal, want)
			}
			if f.session.Token != s.Token || f.session.Expires != s.Expires {
				t.Errorf("%s: the session is %+v, want %+v", name, f.session, s)
			}
		}
	}
}

// An error that is nobody else's business makes no entry by itself.
func TestWhatOthersNeedNotKnowIsNotStored(t *testing.T) {
	n := &core.Notice{Err: errors.New("the network is down"), Wait: time.Minute}
	if entry, ok := account(nil).seal(core.Session{}, n, at(0)); ok {
		t.Errorf("got an entry with a TTL of %v, want none", entry.TTL)
	}
}

// C2, C10: a store can shorten what an entry says, and not prolong it.
func TestAStoreCannotProlongWhatAnEntrySays(t *testing.T) {
	const exp = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NjczMTI5MDB9.c2ln" // midnight and 15 minutes
	live := core.Session{Token: exp, Issued: at(0), Expires: at(15 * time.Minute)}
	notice := &core.Notice{Err: refused{}, Wait: time.Minute}
	refusal := &core.Notice{Err: refused{}, Refused: true, Wait: time.Minute}
	for _, c := range []struct {
		name     string
		ttl, now time.Duration
		expires  core.Moment
		doubtful bool
	}{
		{"as it was", 15 * time.Minute, 0, at(15 * time.Minute), false},
		{"for less", time.Minute, 0, at(time.Minute), false},
		{"for years", 100000 * time.Hour, 0, at(15 * time.Minute), false},
		{"put back later", 15 * time.Minute, 10 * time.Minute, at(15 * time.Minute), false},
		{"put back after its end", 15 * time.Minute, time.Hour, at(75 * time.Minute), true},
	} {
		entry, _ := account(nil).seal(live, nil, at(0))
		entry.TTL = c.ttl
		f, err := account(nil).open(entry, midnight.Add(c.now))
		if err != nil || f.session.Expires != c.expires || f.doubtful != c.doubtful {
			t.Errorf("%s: got %v, doubtful %v, error %v; want %v, %v", c.name, f.session.Expires.Time(), f.doubtful, err, c.expires.Time(), c.doubtful)
		}
		opaque := live
		opaque.Token = "opaque" // nothing but the entry tells how long it may live
		entry, _ = account(nil).seal(opaque, nil, at(0))
		entry.TTL = c.ttl
		if f, err := account(nil).open(entry, midnight); err != nil || f.session.Expires > opaque.Expires {
			t.Errorf("%s, of a token without an exp: got %v and error %v, want %v at most", c.name, f.session.Expires.Time(), err, opaque.Expires.Time())
		}
		for _, n := range []*core.Notice{notice, refusal} {
			entry, _ := account(nil).seal(core.Session{}, n, at(0))
			entry.TTL += c.ttl
			if f, err := account(nil).open(entry, midnight); err != nil || f.notice.Left > n.Wait {
				t.Errorf("a notice, its entry kept %v longer: got %+v and error %v, want %v left at most", c.ttl, f.notice, err, n.Wait)
			}
		}
	}
}

// C10: by how much the local clock is ahead is known from an answer that has the
// token's end by both clocks, and from no other.
func TestAnAnswerWithoutBothClocksTellsNothingOfTheirDifference(t *testing.T) {
	const exp = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NjczMTI5MDB9.c2ln" // midnight and 15 minutes
	sh := account(nil)
	sh.Host = "clock.example.com"
	sh.Learn(exp, midnight.Add(75*time.Minute))
	for name, learn := range map[string]func(){
		"a token that says no time": func() { sh.Learn("opaque", midnight.Add(time.Hour)) },
		"a session without an end":  func() { sh.Learn(exp, time.Time{}) },
	} {
		if learn(); sh.clockAhead() != time.Hour {
			t.Errorf("after %s: the clock is %v ahead, want an hour, as before", name, sh.clockAhead())
		}
	}
}

// C3
func TestWhatIsNoEntryOfTheAccountIsAnError(t *testing.T) {
	live := core.Session{Token: "opaque", Issued: at(0), Expires: at(15 * time.Minute)}
	good, _ := account(nil).seal(live, nil, at(0))
	other := account(nil)
	other.Know(core.Fingerprint{1}, func() *sealing.Sealer {
		return sealing.FromKey([]byte("thirty-two bytes of a test's key"), "account", "b")
	})
	others, _ := other.seal(live, nil, at(0))
	sealed := func(content string) cache.Entry {
		return cache.Entry{Data: account(nil).sealer.Seal([]byte(content)), TTL: time.Minute}
	}
	for name, e := range map[string]cache.Entry{
		"nothing":            {TTL: time.Minute},
		"half of one":        {Data: good.Data[:len(good.Data)/2], TTL: time.Minute},
		"another account's":  others,
		"no JSON":            sealed("opaque"),
		"of another format":  sealed(`{"version":2}`),
		"a session of none":  sealed(`{"session":{"life":1}}`),
		"one without an end": {Data: good.Data},
	} {
		if f, err := account(nil).open(e, midnight); err == nil {
			t.Errorf("%s: got %+v, want an error", name, f)
		}
	}
}
