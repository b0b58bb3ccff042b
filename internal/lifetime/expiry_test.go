package lifetime

import (
	"encoding/json"
	"testing"
	"time"
)

// E2
func TestExpiresAtIsReadInWhateverFormOfISO8601(t *testing.T) {
	at := time.Date(2017, 7, 17, 23, 43, 13, 0, time.UTC)
	fraction := func(d time.Duration) time.Time { return at.Add(d) }
	none := time.Time{}
	for s, want := range map[string]time.Time{
		"2017-07-17T23:43:13Z": at, "2017-07-17T23:43:13+00:00": at, "2017-07-17T23:43:13-00:00": at, "2017-07-17T19:43:13-04:00": at, "2017-07-18T05:28:13+05:45": at,
		"2017-07-17T23:43:13+0000": at, "2017-07-17T19:43:13-0400": at, "2017-07-17T19:43:13-04": at,
		"2017-07-17 23:43:13Z": at, "2017-07-17 23:43:13 +0000": at, "2017-07-17 23:43:13 UTC": at, "2017-07-17 23:43:13": at, "2017-07-17T23:43:13": at,
		"2017-07-17t23:43:13z": at, "  2017-07-17T23:43:13Z\n": at,
		"2017-07-17T23:43:13.5Z": fraction(500 * time.Millisecond), "2017-07-17T23:43:13.000Z": at, "2017-07-17 23:43:13.123456 +0000": fraction(123456 * time.Microsecond),
		"2017-07-17T23:43:13.123456789": fraction(123456789), "2017-07-17T23:43:13,5Z": fraction(500 * time.Millisecond), "2017-07-17T23:43:13.1234567891+0000": fraction(123456789),
		"9999-12-31T23:59:59Z":      time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"9999-12-31T23:59:59-01:00": none, "0001-01-01T00:00:00Z": none, "1970-01-01T00:00:00Z": none, "1970-01-01T05:00:00Z": none, "1970-12-31T23:59:59Z": none, "1971-01-01T00:00:00Z": time.Unix(31536000, 0), "1969-12-31T23:59:59Z": none,
		"": none, "soon": none, "1500334993": none, "2017-07-17": none, "2017-07-17T23:43": none, "2017-13-17T23:43:13Z": none, "2017-02-30T23:43:13Z": none,
		"2017-07-17T25:43:13Z": none, "2017-07-17T23:43:13+25:00": none, "2017-07-17T23:43:13 EST": none, "20170717T234313Z": none, "Mon, 17 Jul 2017 23:43:13 GMT": none,
		"2017-07-17T23:43:13ZZ": none, "+12017-07-17T23:43:13Z": none,
	} {
		if got := Parse(s); !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

// The expiry that an answer gives is a text, or a number of seconds or of
// milliseconds.
func TestAnExpiryIsReadAsATextOrANumber(t *testing.T) {
	at := time.Date(2017, 7, 17, 23, 43, 13, 0, time.UTC)
	half := at.Add(500 * time.Millisecond)
	none := time.Time{}
	for _, c := range []struct {
		value any
		want  time.Time
	}{
		{"2017-07-17T23:43:13Z", at}, {" 2017-07-17 23:43:13 ", at}, {"2017-07-17T23:43:13.5Z", half},
		{json.Number("1500334993"), at}, {json.Number("1500334993.5"), half}, {json.Number("1.500334993e9"), at}, {float64(1500334993), at}, {1500334993.5, half}, {1500334993.25, at.Add(250 * time.Millisecond)}, {"1500334993", at}, {" 1500334993 ", at},
		{json.Number("1500334993000"), at}, {json.Number("1500334993500"), half}, {json.Number("1.5003349935e12"), half}, {float64(1500334993500), half}, {"1500334993500", half},
		{json.Number("253402300799"), time.Unix(Latest, 0)}, {json.Number("253402300800"), time.Unix(253402300, 800e6)}, {json.Number("253402300799999"), time.Unix(Latest, 999e6)},
		{json.Number("253402300800000"), none}, {json.Number("1500334993000000"), none}, {json.Number("9223372036854775807"), none}, {json.Number("9223372036854775808"), none}, {json.Number("1e400"), none}, {1e300, none}, {-1e300, none},
		{json.Number("3600"), none}, {json.Number("31535999"), none}, {json.Number("31536000"), time.Unix(31536000, 0)}, {json.Number("0"), none}, {json.Number("-1"), none}, {json.Number("-1500334993000"), none}, {json.Number("0.5"), none}, {float64(0), none}, {"0", none}, {"-1", none},
		{nil, none}, {true, none}, {"", none}, {"never", none}, {"NaN", none}, {"Infinity", none}, {[]any{json.Number("1500334993")}, none}, {map[string]any{}, none}, {json.Number(""), none},
	} {
		if got := Read(c.value); !got.Equal(c.want) || got.IsZero() != c.want.IsZero() {
			t.Errorf("%T %v: got %v, want %v", c.value, c.value, got, c.want)
		}
	}
}

func TestTheEarlierOfTwoExpiriesIsTheOneThatIsKnown(t *testing.T) {
	a, b, none := time.Unix(1, 0), time.Unix(2, 0), time.Time{}
	for _, c := range [][3]time.Time{{a, b, a}, {b, a, a}, {a, a, a}, {none, a, a}, {a, none, a}, {none, none, none}} {
		if got := Earlier(c[0], c[1]); !got.Equal(c[2]) {
			t.Errorf("of %v and %v: got %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

// inRange reports whether a time is none, or one that RFC 3339 can write.
func inRange(at time.Time) bool {
	if at.IsZero() {
		return true
	}
	text, err := at.MarshalText()
	if err != nil {
		return false
	}
	back, err := time.Parse(time.RFC3339, string(text))
	return err == nil && back.Equal(at)
}

// E2
func FuzzExpiresAt(f *testing.F) {
	for _, s := range []string{"2017-07-17T23:43:13Z", "2017-07-17 23:43:13.5 +0000", "2017-07-17T23:43:13", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2017-07-17 UTC", " utc", "2017-07-17T24:00:00Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Parse(s)
		if !inRange(got) || !got.IsZero() && got.Unix() <= 0 {
			t.Errorf("%q: got %v, want a time of RFC 3339 after 1970, or none", s, got)
		}
		if at, err := time.Parse(time.RFC3339, s); err == nil && at.Unix() > 0 && at.Unix() <= Latest && !got.Equal(at) {
			t.Errorf("%q: got %v, want %v as RFC 3339 has it", s, got, at)
		}
		if !got.IsZero() && !Parse(got.Format(time.RFC3339Nano)).Equal(got) {
			t.Errorf("%q: got %v, which is not read back as the same", s, got)
		}
		if read := Read(s); !inRange(read) || !got.IsZero() && !read.Equal(got) {
			t.Errorf("%q: read as %v, want what it is as a text, %v", s, read, got)
		}
	})
}
