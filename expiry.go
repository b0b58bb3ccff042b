package jwtsession

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// RFC 3339 can write the years up to 9999, and the zero time stands for none. An
// expiry outside of these is a mistake, milliseconds for instance, and counts as
// no expiry at all.
const (
	earliestExpiry = -62135596799 // 0001-01-01T00:00:01Z
	latestExpiry   = 253402300799 // 9999-12-31T23:59:59Z
)

// A clock is corrected only where that is sure to help: a smaller difference
// is the round trip and the whole seconds of a Date header, a larger one says
// that one of the two clocks is not to be believed at all.
const (
	smallestCorrection = 5 * time.Second
	largestCorrection  = 24 * time.Hour
)

// claims are what the library reads of a token that it cannot verify and does
// not judge: it has no key, and the server is the one to decide.
type claims struct {
	expiry time.Time // zero: none
	jti    string
}

// parser accepts what a server may issue, known signing method or not: the
// token's content is the server's business. Numbers stay as they were written,
// so that nothing is lost on the way, and sub and all else may be of any type.
var parser = jwt.NewParser(jwt.WithJSONNumber(), jwt.WithPaddingAllowed())

// decodeClaims reads a token's exp and jti without verifying it (RFC 7519,
// section 4.1). A token that is no JWT has neither.
func decodeClaims(token string) claims {
	all := jwt.MapClaims{}
	_, _, err := parser.ParseUnverified(token, all)
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) {
		return claims{}
	}
	var c claims
	switch exp := all["exp"].(type) {
	case json.Number:
		c.expiry = unixTime(exp.String())
	case string:
		c.expiry = unixTime(strings.TrimSpace(exp))
	}
	c.jti, _ = all["jti"].(string)
	return c
}

// unixTime reads seconds since 1970: an integer, exactly, or a decimal
// fraction. What is neither, or no expiry that can be written, is the zero time.
func unixTime(number string) time.Time {
	if seconds, err := strconv.ParseInt(number, 10, 64); err == nil {
		if seconds < earliestExpiry || seconds > latestExpiry {
			return time.Time{}
		}
		return time.Unix(seconds, 0).UTC()
	}
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(seconds) || seconds < earliestExpiry || seconds > latestExpiry {
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC()
}

// Go's own parser takes a fraction of a second wherever a layout ends its
// seconds, so that none of these need to spell it out.
var expiresAtLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05",
}

// parseExpiresAt reads a session's expiresAt: RFC 3339, and what other writers
// of ISO 8601 make of it. A time without a zone is in UTC. What cannot be read
// is the zero time, as is what servers write for none: a time up to 1970, or after
// the year 9999.
func parseExpiresAt(s string) time.Time {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) > len("2006-01-02") && s[len("2006-01-02")] == ' ' {
		s = s[:len("2006-01-02")] + "T" + s[len("2006-01-02 "):]
	}
	if at, found := strings.CutSuffix(s, "UTC"); found {
		s = at + "Z"
	}
	s = strings.ReplaceAll(s, " ", "")
	for _, layout := range expiresAtLayouts {
		at, err := time.Parse(layout, s)
		if err == nil && at.Unix() > 0 && at.Unix() <= latestExpiry {
			return at.UTC()
		}
	}
	return time.Time{}
}

// earlier returns the earlier of two expiries, of which either may be unknown.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// serverTime is the server's clock as an answer tells it: its Date, and the
// Age that a cache on the way has added to the answer since (RFC 9110, section
// 6.6.1; RFC 9111, section 5.1). It is zero without a Date.
func serverTime(header http.Header) time.Time {
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

// correctClock moves an expiry from the server's clock to ours. What counts is
// the life that is left, from the server's time to the expiry; it is laid on
// from the request's start, so that a slow answer makes the result too early
// and never too late.
func correctClock(expiry, requestStart, serverTime time.Time) time.Time {
	if expiry.IsZero() || serverTime.IsZero() {
		return expiry
	}
	ahead := requestStart.Round(0).Sub(serverTime)
	if ahead.Abs() < smallestCorrection || ahead.Abs() > largestCorrection {
		return expiry
	}
	corrected := expiry.Add(ahead)
	if corrected.Unix() < earliestExpiry || corrected.Unix() > latestExpiry {
		return expiry
	}
	return corrected
}
