package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// View shows a run.
type View interface {
	// Event shows what has happened.
	Event(Event)

	// Tick shows how the run stands. It is called about ten times a second.
	Tick(Picture)

	// Close leaves the terminal as it was.
	Close()
}

// Picture is how a run stands at one moment, drawn with a brush.
type Picture func(brush) string

// Lines is a View of one line per event, for logs.
type Lines struct{ out io.Writer }

// NewLines returns one that writes to out.
func NewLines(out io.Writer) *Lines { return &Lines{out} }

// Event writes the event's line.
func (l *Lines) Event(e Event) { fmt.Fprintln(l.out, eventLine(e)) }

// Tick does nothing.
func (l *Lines) Tick(Picture) {}

// Close does nothing.
func (l *Lines) Close() {}

func eventLine(e Event) string {
	return fmt.Sprintf("%5.1f s  %-12s  %s", e.At.Seconds(), e.Who, e.Text)
}

// Screen is a View for a terminal: the events, and below them a picture of the run
// that changes. It draws all anew when the terminal's size has changed.
type Screen struct {
	out  io.Writer
	size func() (columns, rows int)

	mu            sync.Mutex // guards the rest, and is held while it writes
	brush         brush
	picture       Picture
	events        []string // the latest, to be drawn anew
	columns, rows int      // as it has drawn for
	height        int      // of the picture that is on the screen
}

// A Screen takes up to Width columns. Below LeastWidth its lines do not fit.
const (
	Width      = 78
	LeastWidth = 60
)

// NewScreen returns one that writes to out, in colour or without. It asks for the
// terminal's size each time that it draws.
func NewScreen(out io.Writer, colour bool, size func() (columns, rows int)) *Screen {
	s := &Screen{out: out, size: size, brush: brush{colour: colour}}
	s.columns, s.rows = size()
	io.WriteString(out, hideCursor)
	return s
}

const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
)

// Close shows the cursor again. The picture stays.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.out, showCursor)
}

// Suspend leaves the terminal in order while stop stops the program, and draws
// all anew when that returns.
func (s *Screen) Suspend(stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.out, showCursor)
	stop()
	io.WriteString(s.out, hideCursor)
	s.columns = 0 // of what is on the screen, nothing is known
	s.draw("")
}

// Event writes the event above the picture.
func (s *Screen) Event(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	colour := map[Tone]string{Good: green, Trouble: yellow, Bad: red}[e.Tone]
	line := s.brush.paint(colour, eventLine(e)) + "\n"
	s.events = append(s.events[max(0, len(s.events)-mostEvents):], line)
	s.draw(line)
}

// mostEvents is how many lines the highest terminal may have.
const mostEvents = 200

// Tick draws the picture anew.
func (s *Screen) Tick(p Picture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.picture = p
	s.draw("")
}

// draw replaces the picture by some lines and another one. It is one write, so
// that nothing flickers.
func (s *Screen) draw(lines string) {
	var b strings.Builder
	columns, rows := s.size()
	s.brush.width = max(LeastWidth, min(Width, columns))
	picture := ""
	if s.picture != nil {
		picture = s.picture(s.brush)
	}
	if columns != s.columns || rows != s.rows {
		s.columns, s.rows = columns, rows
		b.WriteString("\x1b[H") // what is there may have been broken into other lines
		lines = s.latest(columns, rows-1-strings.Count(picture, "\n"))
	} else if s.height > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", s.height)
	}
	for line := range strings.Lines(lines + picture) {
		b.WriteString(strings.TrimSuffix(line, "\n") + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.height = strings.Count(picture, "\n")
	io.WriteString(s.out, b.String())
}

// latest are the last events, as many as fit into so many rows.
func (s *Screen) latest(columns, rows int) string {
	first := len(s.events)
	for first > 0 {
		rows -= 1 + utf8.RuneCountInString(s.events[first-1])/max(1, columns)
		if rows < 0 {
			break
		}
		first--
	}
	return strings.Join(s.events[first:], "")
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
	bold   = "1"
)

// brush paints in colour, or leaves it, and so many columns wide.
type brush struct {
	colour bool
	width  int
}

func (b brush) paint(colour, text string) string {
	if !b.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// gauge shows how much of its life a token has left.
func (b brush) gauge(left time.Duration, width int) string {
	full := int(min(left, tokenLife) * time.Duration(width) / tokenLife)
	if left > 0 {
		full = max(full, 1)
	}
	colour := green
	if left < tokenLife/4 {
		colour = yellow
	}
	return fmt.Sprintf("%s%s %4.1f s", b.paint(colour, strings.Repeat("█", full)), b.paint(grey, strings.Repeat("░", width-full)), left.Seconds())
}

func (b brush) failures(n int) string {
	text := fmt.Sprintf("%4d failed", n)
	if n > 0 {
		text = b.paint(red, text)
	}
	return text
}
