package jwtsession

import (
	"math/rand/v2"
	"time"
	"weak"
)

// tick is what the timer does.
func (ts *TokenSource) tick() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	switch {
	case ts.closed || ts.due.IsZero() || ts.flight != nil:
	case untilDue(ts.clock(), ts.due) > 0:
		ts.plan(ts.due)
	default:
		ts.launch(aheadOfExpiry)
	}
}

// plan sets when the next early refresh is due, zero for never, and arms the
// timer. The timer looks at the clocks at least once a minute: it sleeps through
// a suspend, and knows nothing of a clock that was set. mu is held.
func (ts *TokenSource) plan(due time.Time) {
	ts.due = due
	switch {
	case due.IsZero():
		if ts.timer != nil {
			ts.timer.Stop()
		}
	case ts.timer == nil:
		source := weak.Make(ts)
		ts.timer = time.AfterFunc(min(untilDue(ts.clock(), due), checkEvery), func() {
			if ts := source.Value(); ts != nil {
				ts.tick()
			}
		})
	default:
		ts.timer.Reset(min(untilDue(ts.clock(), due), checkEvery))
	}
}

// planRefresh draws the point at which s is to be refreshed. mu is held.
func (ts *TokenSource) planRefresh(s *snapshot) {
	if s.expiry.IsZero() {
		ts.plan(time.Time{})
		return
	}
	due := refreshPoint(s.issued, s.expiry, rand.Float64())
	if soonest := ts.clock().Add(shortestRetry); s.life() < 2*shortestRetry && due.Before(soonest) {
		due = soonest // where not even a sign-in moves the expiry on, each life is a quarter of the last
	}
	ts.plan(due)
}

// untilDue is how long it is until due: by the wall clock, or by the monotonic
// one if that comes first, so that a clock which was set back delays nothing.
func untilDue(now, due time.Time) time.Duration {
	return max(0, min(due.Sub(now), due.Round(0).Sub(now.Round(0))))
}
