// Package lifetime tells until when a session lives, and how long to wait, from
// what servers write: times and numbers in many forms, by clocks that are not
// ours.
package lifetime

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Latest is the last second that RFC 3339 can write, 9999-12-31T23:59:59Z, since
// 1970. An expiry after it is a mistake, and counts as no expiry at all. So does
// one in 1970 or before it, which is what some servers write for none.
const Latest = 253402300799

// Read returns the expiry that a value of a JSON answer gives: text, as [Parse]
// reads it, or a number of seconds or milliseconds since 1970, also as text.
// What gives none is the zero time.
func Read(value any) time.Time {
	var number string
	switch value := value.(type) {
	case string:
		if at := Parse(value); !at.IsZero() {
			return at
		}
		number = strings.TrimSpace(value)
	case json.Number:
		number = value.String()
	case float64:
		number = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if at := unix(number, 1); !at.IsZero() {
		return stated(at)
	}
	return stated(unix(number, 1000)) // as seconds it is after the year 9999, or nothing
}

// Parse reads an expiry as a text: RFC 3339, and what other writers of ISO 8601
// make of it. A time without a zone is in UTC. What gives none is the zero time.
func Parse(text string) time.Time {
	text = strings.ToUpper(strings.TrimSpace(text))
	if day := len("2006-01-02"); len(text) > day && text[day] == ' ' {
		text = text[:day] + "T" + text[day+1:]
	}
	if at, found := strings.CutSuffix(text, "UTC"); found {
		text = at + "Z"
	}
	text = strings.ReplaceAll(text, " ", "")
	for _, layout := range layouts {
		at, err := time.Parse(layout, text)
		if err == nil && valid(at) {
			return stated(at.UTC())
		}
	}
	return time.Time{}
}

// layouts need not spell out a fraction of a second: Go's own parser takes one
// wherever a layout ends its seconds.
var layouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05",
}

// Earlier returns the earlier of two expiries, of which either may be unknown.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// stated leaves out an expiry of 1970: nobody's session ended then, and the epoch
// in a zone of its own, or a life in the place of an expiry, is in that year.
func stated(at time.Time) time.Time {
	if at.Year() <= 1970 {
		return time.Time{}
	}
	return at
}

func valid(at time.Time) bool { return at.Unix() > 0 && at.Unix() <= Latest }

// unix reads seconds since 1970, or what there are perSecond of: an integer,
// exactly, or a decimal fraction.
func unix(number string, perSecond int64) time.Time {
	var at time.Time
	if whole, err := strconv.ParseInt(number, 10, 64); err == nil {
		at = time.Unix(whole/perSecond, whole%perSecond*(int64(time.Second)/perSecond))
	} else if fraction, err := strconv.ParseFloat(number, 64); err == nil && math.Abs(fraction) < math.MaxInt64 {
		seconds, rest := math.Modf(fraction / float64(perSecond))
		at = time.Unix(int64(seconds), int64(rest*float64(time.Second)))
	}
	if !valid(at) {
		return time.Time{}
	}
	return at.UTC()
}
