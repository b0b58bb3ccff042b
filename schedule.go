package jwtsession

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// A refresh falls due at a point of a token's life between these two. It
	// leaves a fifth of the life, and more, to retries.
	earliestRefresh = 0.70
	latestRefresh   = 0.80

	// checkEvery bounds how long a timer may sleep through a suspend or a change
	// of the clock.
	checkEvery = time.Minute

	// longestRetryAfter bounds what a server may ask for.
	longestRetryAfter = time.Hour

	// shortestRetry keeps the retries near the end of a token's life, whose
	// spacing shrinks with what is left, from becoming a loop.
	shortestRetry = 100 * time.Millisecond

	// An early refresh may hang for half of what is left of the token, so that
	// another attempt fits in, but gets this much at least.
	shortestAttempt = 2 * time.Second

	// Accounts are locked by repeated rejections, so the same credentials wait
	// this long after the first one, and twice as long after each further one.
	shortestLockout = time.Minute
	longestLockout  = 15 * time.Minute

	// mostRefusals bounds how many credentials are remembered as refused.
	mostRefusals = 8

	// rejectionPause is the least time between two sign-ins that 401s caused. If
	// the one did not help, the next one right after it will not either.
	rejectionPause = time.Minute
)

// refreshPoint is when the refresh of a token falls due that lives from issued
// to expiry. The draw, from 0 to 1, is made once per token and spreads a fleet
// over the window.
func refreshPoint(issued, expiry time.Time, draw float64) time.Time {
	life := expiry.Sub(issued)
	share := earliestRefresh + draw*(latestRefresh-earliestRefresh)
	return issued.Add(time.Duration(float64(life) * share))
}

// newBackoff returns the schedule of all retries: about 1 s, then twice as long
// each time, up to a minute, for ever.
func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(time.Second),
		backoff.WithRandomizationFactor(0.2),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(time.Minute),
		backoff.WithMaxElapsedTime(0),
	)
}

// retryWithin is how long to wait before the next attempt at an early refresh
// while left of the token's life remains: the backoff's interval, but no more
// than a quarter of what is left, and never less than the server asks for.
func retryWithin(left, interval, retryAfter time.Duration) time.Duration {
	return max(min(interval, left/4), shortestRetry, retryAfter)
}

// attemptWithin bounds one attempt at an early refresh.
func attemptWithin(left, timeout time.Duration) time.Duration {
	return min(timeout, max(left/2, shortestAttempt))
}

// advances reports whether a refresh moved the expiry on. A server that has
// reached the end of what it will renew repeats the old expiry; corrected
// against a Date header, which has whole seconds, that may differ by a little.
func advances(old, renewed time.Time, life time.Duration) bool {
	if old.IsZero() || renewed.IsZero() {
		return true
	}
	return renewed.Sub(old) > min(life/10, smallestCorrection)
}

// lockout is how long credentials rest after the nth rejection in a row.
func lockout(n int) time.Duration {
	wait := shortestLockout
	for ; n > 1 && wait < longestLockout; n-- {
		wait *= 2
	}
	return min(wait, longestLockout)
}

// parseRetryAfter reads a Retry-After header, which is either seconds or a date
// (RFC 9110, section 10.2.3); a date is taken against now, the server's clock
// if it is known. The result is between zero and an hour, whatever the header
// says, and zero if it says nothing.
func parseRetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err == nil:
		seconds = min(seconds, int64(longestRetryAfter/time.Second))
	case errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(value, "-"):
		return longestRetryAfter
	default:
		date, err := http.ParseTime(value)
		if err != nil {
			return 0
		}
		return min(max(date.Sub(now), 0), longestRetryAfter)
	}
	return time.Duration(max(seconds, 0)) * time.Second
}
