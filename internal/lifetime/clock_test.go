package lifetime

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// E3
func TestAWrongClockIsCorrectedByTheServers(t *testing.T) {
	const life = 15 * time.Minute
	none := time.Time{}
	start := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for name, c := range map[string]struct {
		took     time.Duration
		ahead    time.Duration // of the server's clock
		expiry   time.Duration // by the server's clock, from its time on
		issuedAt time.Duration // likewise; positive: unknown
		want     time.Duration // from the request's start on
		noDate   bool
	}{
		"right":                   {expiry: life, issuedAt: 1, want: life},
		"a little ahead":          {ahead: 4 * time.Second, expiry: life, issuedAt: 1, want: life + 4*time.Second},
		"a little behind":         {ahead: -4 * time.Second, expiry: life, issuedAt: 1, want: life - 4*time.Second},
		"ahead":                   {ahead: 5 * time.Second, expiry: life, issuedAt: 1, want: life},
		"an hour ahead":           {ahead: time.Hour, expiry: life, issuedAt: 1, want: life},
		"an hour behind":          {ahead: -time.Hour, expiry: life, issuedAt: 1, want: life},
		"a day ahead":             {ahead: 24 * time.Hour, expiry: life, issuedAt: 1, want: life},
		"more than a day ahead":   {ahead: 24*time.Hour + time.Second, expiry: life, issuedAt: 1, want: life + 24*time.Hour + time.Second},
		"more than a day behind":  {ahead: -24*time.Hour - time.Second, expiry: life, issuedAt: 1, want: life - 24*time.Hour - time.Second},
		"a slow answer":           {took: 20 * time.Second, ahead: time.Hour, expiry: life, issuedAt: 1, want: life},
		"a Date after the expiry": {ahead: time.Hour, expiry: -life, issuedAt: 1, want: time.Hour - life},
		"a Date right before the expiry, and slow": {took: 20 * time.Second, ahead: time.Hour, expiry: 10 * time.Second, issuedAt: 1, want: time.Hour + 10*time.Second},
		"a Date at the expiry":                     {ahead: time.Hour, expiry: 0, issuedAt: 1, want: time.Hour},
		"expired by both clocks":                   {ahead: -time.Hour, expiry: -life, issuedAt: 1, want: -life},
		"expired by ours only":                     {ahead: -time.Hour, expiry: 1, issuedAt: 1, want: 1},
		"an iat, two days behind":                  {ahead: 48 * time.Hour, expiry: life, issuedAt: 0, want: life},
		"an iat, and no Date":                      {ahead: 3 * time.Hour, expiry: life, issuedAt: 0, want: life, noDate: true},
		"an older iat":                             {ahead: time.Hour, expiry: life, issuedAt: -time.Hour, want: life},
		"an older iat, and no Date":                {ahead: 3 * time.Hour, expiry: life, issuedAt: -time.Hour, want: life + time.Hour, noDate: true},
		"an iat after the expiry":                  {ahead: time.Hour, expiry: -life, issuedAt: 0, want: time.Hour - life},
		"an iat at the expiry":                     {expiry: life, issuedAt: 0, want: life},
		"an iat at the expiry, and no Date":        {ahead: 3 * time.Hour, expiry: 0, issuedAt: 0, want: 3 * time.Hour, noDate: true},
		"an iat does not prolong":                  {expiry: life, issuedAt: -48 * time.Hour, want: life},
	} {
		server := start.Add(c.ahead)
		a := Answer{Start: start, End: start.Add(c.took), ServerTime: server}
		if c.noDate {
			a.ServerTime = none
		}
		issuedAt := none
		if c.issuedAt <= 0 {
			issuedAt = server.Add(c.issuedAt)
		}
		if got := a.Local(server.Add(c.expiry), issuedAt); !got.Equal(start.Add(c.want)) {
			t.Errorf("%s: got an expiry %v after the request's start, want %v", name, got.Sub(start), c.want)
		}
		if got := a.Local(none, issuedAt); !got.IsZero() {
			t.Errorf("%s, and no expiry: got %v, want none", name, got)
		}
	}
}

// E3: no correction makes an expiry that JSON cannot write, nor one of 1970.
func TestACorrectedExpiryCanStillBeWritten(t *testing.T) {
	start := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, seconds := range []int64{1, 2, Latest - 1, Latest} {
		for _, ahead := range []time.Duration{-24 * time.Hour, -time.Hour, time.Hour, 24 * time.Hour} {
			got := Answer{Start: start, End: start, ServerTime: start.Add(-ahead)}.Local(time.Unix(seconds, 0).UTC(), time.Time{})
			if _, err := got.MarshalJSON(); err != nil || got.Unix() <= 0 {
				t.Errorf("%d corrected by %v: got %v, %v; want a time of RFC 3339 after 1970", seconds, ahead, got, err)
			}
		}
	}
}

// E3
func TestAgeIsHowOldADateIs(t *testing.T) {
	date := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for age, want := range map[string]time.Duration{"": 0, "0": 0, "90": 90 * time.Second, " 90 ": 90 * time.Second, "-90": 0, "old": 0, "1.5": 0, "99999999999999999999": 0} {
		header := http.Header{"Date": {date.Format(http.TimeFormat)}, "Age": {age}}
		if got := ServerTime(header); !got.Equal(date.Add(want)) {
			t.Errorf("an Age of %q: got %v, want %v after the Date", age, got, want)
		}
	}
	if got := ServerTime(http.Header{"Age": {"90"}}); !got.IsZero() {
		t.Errorf("without a Date: got %v, want none", got)
	}
}

// S6: seconds or a date; never negative, never beyond an hour.
func TestRetryAfterIsBetweenZeroAndAnHourWhateverItSays(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	in := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	cases := map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, " 90 ": 90 * time.Second, "3599": 3599 * time.Second, "3600": time.Hour, "3601": time.Hour,
		"86400": time.Hour, "9223372036": time.Hour, "9223372037": time.Hour, "9223372036854775807": time.Hour,
		"9223372036854775808": time.Hour, "99999999999999999999999999": time.Hour, "18446744073709551616": time.Hour,
		"-1": 0, "-9223372036854775808": 0, "-99999999999999999999999999": 0,
		"soon": 0, "1.5": 0, "1e3": 0, "0x10": 0, "١٢": 0, "NaN": 0, "5 seconds": 0, "1,2": 0,
		in(0): 0, in(time.Second): time.Second, in(10 * time.Minute): 10 * time.Minute, in(25 * time.Hour): time.Hour, in(-time.Hour): 0,
		"Tuesday, 03-Feb-26 04:06:06 GMT": time.Minute, // RFC 850
		"Tue Feb  3 04:06:06 2026":        time.Minute, // asctime
		"Fri, 31 Dec 9999 23:59:59 GMT":   time.Hour,
		"Mon, 01 Jan 0001 00:00:00 GMT":   0,
		"Tue, 03 Feb 2026 04:06:06 +0000": 0, // no date of HTTP
		"Tue, 99 Feb 2026 04:06:06 GMT":   0,
		strings.Repeat("9", 10_000):       time.Hour,
		"-" + strings.Repeat("9", 10_000): 0,
	}
	for value, want := range cases {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%.60q: got %v, want %v", value, got, want)
		}
	}
	if got := RetryAfter(http.Header{}, now); got != 0 {
		t.Errorf("without a header: got %v, want 0", got)
	}
}

// S6: a date is taken against the server's own clock, if that is known.
func TestADateInRetryAfterIsTakenByTheServersClock(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for date, want := range map[string]time.Duration{
		now.Add(-5 * time.Hour).Format(http.TimeFormat): 2 * time.Minute,
		"unknown": 0, // by ours the date has passed
	} {
		header := http.Header{"Retry-After": {now.Add(2*time.Minute - 5*time.Hour).Format(http.TimeFormat)}, "Date": {date}}
		if got := RetryAfter(header, now); got != want {
			t.Errorf("with the Date %q: got a wait of %v, want %v", date, got, want)
		}
	}
}

// S6
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "120", "-1", "9223372037", "99999999999999999999", "-99999999999999999999", "Tue, 03 Feb 2026 04:06:06 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"} {
		f.Add(value, int64(1770091506))
	}
	f.Add("Tue, 03 Feb 2026 04:06:06 GMT", int64(-62135596800))
	f.Fuzz(func(t *testing.T, value string, now int64) {
		got := RetryAfter(http.Header{"Retry-After": {value}}, time.Unix(now, 0))
		if got < 0 || got > time.Hour {
			t.Errorf("%q at %d: got %v, want between 0 and an hour", value, now, got)
		}
	})
}
