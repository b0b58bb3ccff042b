package core

import (
	"testing"
	"time"
)

const second = time.Second

// T9: the schedule of the library, jittered by a fifth.
func TestTheNthFailureIsFollowedByTheNthWaitAndAFifthMoreOrLess(t *testing.T) {
	c := Config{Timeout: 30 * second, Retries: []time.Duration{10 * second, 20 * second, 40 * second}}
	for _, l := range []struct {
		n    int
		draw float64
		want time.Duration
	}{
		{0, 0.5, 10 * second}, {1, 0.5, 10 * second}, {2, 0.5, 20 * second}, {3, 0.5, 40 * second}, {4, 0.5, 40 * second}, {99, 0.5, 40 * second},
		{1, 0, 8 * second}, {1, 1, 12 * second}, {3, 0.25, 36 * second},
	} {
		if got := c.interval(l.n, l.draw); (got - l.want).Abs() > time.Microsecond {
			t.Errorf("after %d failures, drawn %v: got %v, want %v", l.n, l.draw, got, l.want)
		}
	}
	if got := c.attempt(); got != 20*second {
		t.Errorf("one attempt in a time-out of 30s: got %v, want 20s", got)
	}
}

// T7
func TestAnEarlyRefreshIsTriedAgainWithinAQuarterOfWhatIsLeft(t *testing.T) {
	for _, l := range []struct{ left, interval, retryAfter, want time.Duration }{
		{100 * second, 10 * second, 0, 10 * second},
		{20 * second, 10 * second, 0, 5 * second},
		{20 * second, 10 * second, 7 * second, 7 * second},
		{20 * second, 10 * second, 60 * second, 60 * second},
		{200 * time.Millisecond, 10 * second, 0, shortestRetry},
	} {
		if got := retryWithin(l.left, l.interval, l.retryAfter); got != l.want {
			t.Errorf("%v left, an interval of %v, Retry-After %v: got %v, want %v", l.left, l.interval, l.retryAfter, got, l.want)
		}
	}
}

// T8
func TestARefreshAdvancesIfItMovesTheExpiryByMoreThanAClockDoes(t *testing.T) {
	session := func(life, later time.Duration) (old, renewed Session) {
		return Session{Issued: noon, Expires: noon.Add(life)}, Session{Issued: noon, Expires: noon.Add(life + later)}
	}
	for _, l := range []struct {
		life, later time.Duration
		want        bool
	}{
		{time.Hour, time.Hour, true}, {time.Hour, 5*second + 1, true}, {time.Hour, 5 * second, false}, {time.Hour, 0, false}, {time.Hour, -second, false},
		{20 * second, 2*second + 1, true}, {20 * second, 2 * second, false},
	} {
		if old, renewed := session(l.life, l.later); advances(old, renewed) != l.want {
			t.Errorf("a life of %v, and an expiry %v later: got %v, want %v", l.life, l.later, !l.want, l.want)
		}
	}
	known, unknown := Session{Issued: noon, Expires: noon.Add(time.Hour)}, Session{Issued: noon}
	if !advances(known, unknown) || !advances(unknown, known) || !advances(unknown, unknown) {
		t.Error("one of two expiries is unknown: got no advance, want one")
	}
}

// T10
func TestCredentialsRestTwiceAsLongAfterEachRefusalUpToAQuarterOfAnHour(t *testing.T) {
	for n, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 4 * time.Minute, 4: 8 * time.Minute, 5: LongestLockout, 6: LongestLockout, 1 << 30: LongestLockout} {
		if got := lockout(n); got != want {
			t.Errorf("after %d refusals in a row: got %v, want %v", n, got, want)
		}
	}
}

func TestASessionIsNearItsEndInTheLastTwentiethOfItsLife(t *testing.T) {
	hour := Session{Token: "t", Issued: noon, Expires: noon.Add(time.Hour)}
	for at, want := range map[time.Duration]bool{0: false, 57 * time.Minute: false, 57*time.Minute + 1: true, time.Hour: true} {
		if got := hour.nearItsEnd(noon.Add(at)); got != want {
			t.Errorf("%v after its issue, of an hour: got %v, want %v", at, got, want)
		}
	}
	if (Session{Token: "t", Issued: noon}).nearItsEnd(noon.Add(1000 * time.Hour)) {
		t.Error("one whose expiry is unknown: got true, want false")
	}
}

// O9, and the moments at which a session's times are over
func TestASessionsTimesAreOverAtTheMomentThatTheyName(t *testing.T) {
	one := Session{Token: "t", Issued: noon, Expires: noon.Add(second), Renewable: noon.Add(2 * second)}
	for _, l := range []struct {
		at          time.Duration
		live, alive bool
	}{{0, true, true}, {second - 1, true, true}, {second, false, true}, {2*second - 1, false, true}, {2 * second, false, false}} {
		if live, alive := one.live(noon.Add(l.at)), one.alive(noon.Add(l.at)); live != l.live || alive != l.alive {
			t.Errorf("after %v: got live %v and alive %v, want %v and %v", l.at, live, alive, l.live, l.alive)
		}
	}
	for _, l := range []struct {
		issued, expires time.Duration // later
		want            bool
	}{{1, second + 1, true}, {1, second, false}, {0, time.Hour, false}, {-1, time.Hour, false}, {time.Hour, 0, false}} {
		later := Session{Token: "t", Issued: one.Issued.Add(l.issued), Expires: one.Expires.Add(l.expires)}
		if got := later.prolongs(one); got != l.want {
			t.Errorf("issued %v and expiring %v later: got %v, want %v", l.issued, l.expires, got, l.want)
		}
	}
	for ahead, want := range map[time.Duration]time.Duration{0: 0, second: second, second + 1: 0, time.Hour: 0, -time.Hour: -time.Hour} {
		was := Session{Token: "t", Issued: noon.Add(ahead), Expires: noon.Add(ahead + time.Hour)}
		if got := was.issuedBy(noon); got.Issued != noon.Add(want) || got.life() != time.Hour {
			t.Errorf("issued %v from now: got %v from now and a life of %v, want %v and an hour", ahead, got.Issued.Sub(noon), got.life(), want)
		}
	}
}
