package lifetime

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A clock is corrected only where that is sure to help: a smaller difference
// is the round trip and the whole seconds of a Date header, a larger one says
// that one of the two clocks is not to be believed at all.
const (
	SmallestCorrection = 5 * time.Second
	LargestCorrection  = 24 * time.Hour
)

// LongestRetryAfter bounds what a server may ask for.
const LongestRetryAfter = time.Hour

// Answer is when an answer was asked for and came, by our clock, and what the
// server's clock said then.
type Answer struct {
	Start, End time.Time // of the request
	ServerTime time.Time // zero: unknown
}

// Local moves an expiry from the server's clock to ours. What counts is the life
// that is left, from the server's time to the expiry; it is laid on from the
// request's start, so that a slow answer makes the result too early and never too
// late. A correction by which a token has expired that lives by our clock is
// none: then it is the server's clock that is wrong.
//
// Whatever the clocks say, the life is no longer than from issuedAt, which is
// zero where it is unknown, to the expiry.
func (a Answer) Local(expiry, issuedAt time.Time) time.Time {
	if expiry.IsZero() {
		return expiry
	}
	start, end := a.Start.Round(0), a.End.Round(0)
	local := expiry
	if ahead := start.Sub(a.ServerTime); !a.ServerTime.IsZero() && ahead.Abs() >= SmallestCorrection && ahead.Abs() <= LargestCorrection {
		corrected := expiry.Add(ahead)
		if valid(corrected) && (corrected.After(end) || !expiry.After(end)) {
			local = corrected
		}
	}
	if life := expiry.Sub(issuedAt); !issuedAt.IsZero() && life > 0 {
		local = Earlier(local, start.Add(life).UTC())
	}
	return local
}

// ServerTime is the server's clock as an answer tells it: its Date, and the Age
// that a cache on the way has added to the answer since (RFC 9110, section 6.6.1;
// RFC 9111, section 5.1). It is zero without a Date.
func ServerTime(header http.Header) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	age, err := strconv.ParseInt(strings.TrimSpace(header.Get("Age")), 10, 32)
	if err != nil || age < 0 {
		age = 0
	}
	return date.Add(time.Duration(age) * time.Second)
}

// RetryAfter reads a Retry-After header, which is either seconds or a date (RFC
// 9110, section 10.2.3); a date is taken against the server's clock if that is
// known, and else against now. The result is between zero and an hour, whatever
// the header says, and zero if it says nothing.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err == nil:
		seconds = min(seconds, int64(LongestRetryAfter/time.Second))
	case errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(value, "-"):
		return LongestRetryAfter
	default:
		date, err := http.ParseTime(value)
		if err != nil {
			return 0
		}
		if at := ServerTime(header); !at.IsZero() {
			now = at
		}
		return min(max(date.Sub(now), 0), LongestRetryAfter)
	}
	return time.Duration(max(seconds, 0)) * time.Second
}
