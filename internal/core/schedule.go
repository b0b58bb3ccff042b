package core

import "time"

const (
	// A refresh falls due at a point of a token's life between these two (T2). It
	// leaves a fifth of the life, and more, to retries.
	earliestRefresh = 0.70
	latestRefresh   = 0.80

	// retryJitter is by how much of itself a wait may be longer or shorter.
	retryJitter = 0.2

	// shortestRetry keeps the retries near the end of a token's life, whose
	// spacing shrinks with what is left, from becoming a loop.
	shortestRetry = 100 * time.Millisecond

	// An early refresh may hang for half of what is left of the token, so that
	// another attempt fits in, but gets this much at least.
	shortestAttempt = 2 * time.Second

	// An attempt for which whoever waits has less than this left is not waited for:
	// it would put its time-out in the place of what is known to be wrong.
	leastAttempt = 250 * time.Millisecond

	// Accounts are locked by repeated rejections, so the same credentials rest
	// this long after the first one, and twice as long after each further one.
	shortestLockout = time.Minute
	// LongestLockout is the longest rest of credentials that were refused.
	LongestLockout = 15 * time.Minute

	// mostRemembered bounds how many refusals and notices are remembered.
	mostRemembered = 64

	// ladderTime is how long an answer to a rejection counts (T12).
	ladderTime = time.Minute

	// lookEvery bounds how often a source that makes no call of its own looks into
	// the cache (T18), and pace how often one whose sessions hardly live makes one
	// (E5).
	lookEvery = time.Second
	pace      = time.Second
	slowest   = 6 // doublings of pace

	// A cache is there to save a call: one that takes longer than this to answer is
	// done without. What is stored may take longer, since a disk may (C4).
	loadTime  = 250 * time.Millisecond
	storeTime = time.Second

	// A session of which less than this share is left is refreshed before somebody
	// who has none uses it.
	leastShare = 0.05

	// A correction of the clock against a Date, which has whole seconds, may move
	// an expiry by as much.
	smallestAdvance = 5 * time.Second
)

// refreshPoint is when the refresh of a session falls due. The draw, from 0 to
// 1, is made once per token and spreads a fleet over the window.
func refreshPoint(s Session, draw float64) Moment {
	share := earliestRefresh + draw*(latestRefresh-earliestRefresh)
	return s.Issued.Add(time.Duration(float64(s.life()) * share))
}

// interval is how long to wait after the nth failure in a row.
func (c *Config) interval(n int, draw float64) time.Duration {
	wait := c.Retries[max(0, min(n, len(c.Retries))-1)]
	return time.Duration(float64(wait) * (1 - retryJitter + 2*retryJitter*draw))
}

// retryWithin is how long to wait before the next attempt at an early refresh
// while left of the token's life remains: the schedule's interval, but no more
// than a quarter of what is left, and never less than the server asks for (T7).
func retryWithin(left, interval, retryAfter time.Duration) time.Duration {
	return max(min(interval, left/4), shortestRetry, retryAfter)
}

// advances reports whether a refresh moved the expiry on. A server that has
// reached the end of what it will renew repeats the old expiry (T8).
func advances(old, renewed Session) bool {
	if old.Expires == 0 || renewed.Expires == 0 {
		return true
	}
	return renewed.Expires.Sub(old.Expires) > min(old.life()/10, smallestAdvance)
}

// lockout is how long credentials rest after the nth refusal in a row (T10).
func lockout(n int) time.Duration {
	wait := shortestLockout
	for ; n > 1 && wait < LongestLockout; n-- {
		wait *= 2
	}
	return min(wait, LongestLockout)
}

func (s Session) nearItsEnd(now Moment) bool {
	return s.Expires != 0 && s.Expires.Sub(now) < time.Duration(leastShare*float64(s.life()))
}
