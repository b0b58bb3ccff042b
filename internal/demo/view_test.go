package demo

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// terminal is one that knows what a Screen writes.
type terminal struct {
	lines []string // the last one is the cursor's
}

var escape = regexp.MustCompile(`^\x1b\[([?0-9;]*)([A-Za-z])`)

func (s *terminal) Write(p []byte) (int, error) {
	if s.lines == nil {
		s.lines = []string{""}
	}
	text, row := string(p), len(s.lines)-1
	var line string
	for text != "" {
		if m := escape.FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			switch m[2] {
			case "A":
				n := 0
				for _, digit := range m[1] {
					n = n*10 + int(digit-'0')
				}
				row -= n
			case "H":
				row, line = 0, ""
			case "J":
				s.lines = append(s.lines[:row], line)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch r {
		case '\r':
			line = ""
		case '\n':
			s.lines = append(s.lines[:row], append([]string{line, ""}, s.lines[min(row+2, len(s.lines)):]...)...)
			row, line = row+1, ""
		default:
			line += string(r)
		}
	}
	return len(p), nil
}

// twoClients is a picture of them.
func twoClients(b brush) string {
	var tally tally
	tally.renewed(300*ms, 8300*ms)
	for i := range 40 {
		start := time.Duration(i) * 400 * ms
		tally.began()
		tally.add(outcome{start: start, end: start + 300*ms, wait: 200 * ms, failed: i > 30}, "401")
	}
	tally.mark(5000*ms, markAway)
	tally.mark(9000*ms, markThrottled)
	tally.mark(12000*ms, markRevoked)
	return timeline(b, []progress{tally.progress("jwtsession", 4000*ms), tally.progress("oauth2 alone", 20000*ms)})
}

func TestThePictureStaysBelowItsEvents(t *testing.T) {
	var s terminal
	view := NewScreen(&s, true, func() (int, int) { return 80, 40 })
	view.Event(Event{At: 300 * ms, Who: "jwtsession", Text: "the first"})
	view.Tick(twoClients)
	view.Tick(twoClients)
	view.Event(Event{At: 2300 * ms, Who: "oauth2 alone", Tone: Bad, Text: "the second"})
	view.Tick(twoClients)
	view.Close()
	got := strings.Join(s.lines, "\n")
	picture := twoClients(brush{width: Width})
	want := "  0.3 s  jwtsession    the first\n  2.3 s  oauth2 alone  the second\n" + picture
	if got != want {
		t.Errorf("the screen has:\n%s\nwant:\n%s", got, want)
	}
}

// A terminal that is made smaller breaks the lines that are on it: where they
// are, nobody knows.
func TestAllIsDrawnAnewWhenTheTerminalHasChanged(t *testing.T) {
	var s terminal
	columns, rows := 80, 40
	view := NewScreen(&s, true, func() (int, int) { return columns, rows })
	for i := range 30 {
		view.Event(Event{At: time.Duration(i) * time.Second, Who: "jwtsession", Text: "an event"})
	}
	view.Tick(twoClients)
	columns, rows = 60, 15
	s.lines = append(s.lines, "what the terminal has made of it", "")
	view.Tick(twoClients)
	expect := func(when string) {
		t.Helper()
		picture := twoClients(brush{width: 60})
		events := 15 - 1 - strings.Count(picture, "\n")
		got := strings.Join(s.lines, "\n")
		if !strings.HasSuffix(got, picture) || strings.Count(got, "an event") != events || strings.Count(got, "\n") > 14 || !strings.Contains(got, " 29.0 s  jwtsession    an event") {
			t.Errorf("%s: the screen of 15 lines has:\n%s\nwant the %d latest events and:\n%s", when, got, events, picture)
		}
	}
	expect("made smaller")
	view.Suspend(func() { s.lines = append(s.lines, "$ fg", "") })
	expect("suspended")
	view.Tick(twoClients)
	expect("and drawn once more")
}

func TestThePictureFitsItsWidthAndShowsAllThatHappened(t *testing.T) {
	for _, width := range []int{LeastWidth, 70, Width} {
		plain := twoClients(brush{width: width})
		for line := range strings.Lines(plain) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("got a line of %d columns, want at most %d: %s", n, width, line)
			}
		}
		if lines := strings.Count(plain, "\n"); lines > 13 {
			t.Errorf("got %d lines, want a picture for a terminal of 15", lines)
		}
		for _, want := range []string{"◌", "×", "▒", "T", "R", "4.3 s", "0.0 s", "9 failed", "40 requests", "│20 s"} {
			if !strings.Contains(plain, want) {
				t.Errorf("the picture has no %q:\n%s", want, plain)
			}
		}
		if strings.Contains(plain, "\x1b") {
			t.Errorf("the picture without colours has an escape sequence:\n%q", plain)
		}
		colours := regexp.MustCompile(`\x1b\[[0-9]+m`)
		coloured := twoClients(brush{colour: true, width: width})
		if got := colours.ReplaceAllString(coloured, ""); got != plain || len(coloured) == len(plain) {
			t.Errorf("got, less its colours:\n%s\nwant colours, and else:\n%s", got, plain)
		}
	}
}
