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
	view := NewScreen(&s, true)
	view.Event(Event{At: 300 * ms, Who: "jwtsession", Text: "the first"})
	view.Tick(twoClients)
	view.Tick(twoClients)
	view.Event(Event{At: 2300 * ms, Who: "oauth2 alone", Tone: Bad, Text: "the second"})
	view.Tick(twoClients)
	view.Close()
	got := strings.Join(s.lines, "\n")
	picture := twoClients(brush{})
	want := "  0.3 s  jwtsession    the first\n  2.3 s  oauth2 alone  the second\n" + picture
	if got != want {
		t.Errorf("the screen has:\n%s\nwant:\n%s", got, want)
	}
}

func TestThePictureFitsItsWidthAndShowsAllThatHappened(t *testing.T) {
	plain := twoClients(brush{})
	for line := range strings.Lines(plain) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > Width {
			t.Errorf("got a line of %d columns, want at most %d: %s", n, Width, line)
		}
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
	coloured := twoClients(brush{colour: true})
	if got := colours.ReplaceAllString(coloured, ""); got != plain || len(coloured) == len(plain) {
		t.Errorf("got, less its colours:\n%s\nwant colours, and else:\n%s", got, plain)
	}
}
