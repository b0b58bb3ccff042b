package demo

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jwtsession/jwtsession/sessiontest"
)

func TestARefreshRightAfterAnotherSessionIsNoPeriodOfItsOwn(t *testing.T) {
	var p periods
	for _, s := range []struct {
		op sessiontest.Op
		at time.Duration
	}{
		{sessiontest.OpCreate, 0},
		{sessiontest.OpRefresh, 6 * time.Second},
		{sessiontest.OpRefresh, 6100 * ms}, // by another process as well
		{sessiontest.OpRefresh, 12 * time.Second},
		{sessiontest.OpCreate, 17 * time.Second}, // after a log-out
		{sessiontest.OpRefresh, 19 * time.Second},
		{sessiontest.OpRefresh, 25 * time.Second},
	} {
		p.add(s.op, time.UnixMilli(0).Add(s.at))
	}
	if p.count != 3 {
		t.Errorf("got %d periods, want 3: to 6, 12 and 25 s", p.count)
	}
}

func TestTheVerdictOnAFleetIsAboutFailuresAndSessionsTooMany(t *testing.T) {
	change := func(f func(*Totals)) Totals {
		totals := Totals{Requests: 2500, SignIns: 2, Revocations: 1, Refreshes: 3, Periods: 3, Finished: true}
		f(&totals)
		return totals
	}
	for _, c := range []struct {
		name   string
		totals Totals
		want   string // of the error; empty: none
	}{
		{"all in order", change(func(*Totals) {}), ""},
		{"one refresh more", change(func(t *Totals) { t.Refreshes = 4 }), ""},
		{"two refreshes more", change(func(t *Totals) { t.Refreshes = 5 }), "5 refreshes in 3 periods"},
		{"a failed request", change(func(t *Totals) { t.Failed = 1 }), "1 of 2500 requests failed"},
		{"a sign-in too many", change(func(t *Totals) { t.SignIns = 3 }), "3 sign-ins, and not 1 and one for each of 1 log-outs"},
		{"a sign-in too few", change(func(t *Totals) { t.SignIns = 1 }), "1 sign-ins"},
		{"not finished", change(func(t *Totals) { t.Finished = false }), "the time was over"},
		{"interrupted", change(func(t *Totals) { t.Finished, t.Interrupted = false, true }), ""},
		{"interrupted before a sign-in", change(func(t *Totals) { t.Interrupted, t.SignIns = true, 1 }), ""},
		{"interrupted after a sign-in too many", change(func(t *Totals) { t.Interrupted, t.SignIns = true, 3 }), "3 sign-ins"},
		{"interrupted after a failure", change(func(t *Totals) { t.Interrupted, t.Failed = true, 1 }), "requests failed"},
		{"a process that ended", change(func(t *Totals) { t.Problem = errors.New("process 2 ended by itself") }), "process 2 ended"},
	} {
		err := c.totals.Verdict()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTheTotalsHaveTheFiguresOfTheProcessesThatWereReplaced(t *testing.T) {
	f := &Fleet{
		box:       sessiontest.NewServer(),
		gone:      report{Requests: 100, Failed: 1, Recovered: 2, Adopted: 3},
		processes: []*process{{latest: report{Requests: 20, Recovered: 1}}, {latest: report{Requests: 7, Failed: 4, Adopted: 2}}},
	}
	defer f.box.Close()
	var got Totals
	f.total(&got)
	if want := (Totals{Requests: 127, Failed: 5, Recovered: 3, Adopted: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestThePictureOfAFleetFitsItsWidthAndShowsWhatHappened(t *testing.T) {
	f := &Fleet{chronicle: newChronicle(func(Event) {}), box: sessiontest.NewServer()}
	defer f.box.Close()
	for _, name := range []string{"process 1", "process 50"} {
		p := &process{name: name, cells: make([]byte, cells)}
		p.note(report{Requests: 90000}, 0)
		p.note(report{Requests: 99999, Failed: 9999, ExpiresAt: time.Now().Add(tokenLife)}, 10*time.Second)
		f.processes = append(f.processes, p)
	}
	successor := &process{name: "process 50"}
	successor.takeOver(f.processes[1], 20*time.Second)
	f.processes[1] = successor
	f.marks[30] = markAway
	for _, width := range []int{LeastWidth, 70, Width} {
		picture := f.picture(brush{width: width})
		for line := range strings.Lines(picture) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("got a line of %d columns, want at most %d: %s", n, width, line)
			}
		}
		for _, want := range []string{"process 50  ━", "│20 s", "×", "K", "▒", "9999 failed", "0 sign-ins, 0 refreshes, 0 log-outs, 99999 requests"} {
			if !strings.Contains(picture, want) {
				t.Errorf("the picture has no %q:\n%s", want, picture)
			}
		}
	}
}
