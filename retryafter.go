package jwtsession

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter bounds what a server may ask for.
const longestRetryAfter = time.Hour

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
