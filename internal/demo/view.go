package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
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

// Screen is a View for a terminal that is at least [Width] columns wide: the
// events, and below them a picture of the run that changes.
type Screen struct {
	out    io.Writer
	brush  brush
	height int    // of the picture that is on the screen
	last   string // the picture
}

// Width is how many columns a Screen takes.
const Width = 78

// NewScreen returns one that writes to out, in colour or without.
func NewScreen(out io.Writer, colour bool) *Screen {
	io.WriteString(out, "\x1b[?25l") // no cursor
	return &Screen{out: out, brush: brush{colour}}
}

// Close shows the cursor again. The picture stays.
func (s *Screen) Close() { io.WriteString(s.out, "\x1b[?25h") }

// Event writes the event above the picture.
func (s *Screen) Event(e Event) {
	line := eventLine(e)
	colour := map[Tone]string{Good: green, Trouble: yellow, Bad: red}[e.Tone]
	s.draw(s.brush.paint(colour, line)+"\n", s.last)
}

// Tick draws the picture anew.
func (s *Screen) Tick(p Picture) { s.draw("", p(s.brush)) }

// draw replaces the picture by some lines and another one. It is one write, so
// that nothing flickers.
func (s *Screen) draw(lines, picture string) {
	var b strings.Builder
	if s.height > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", s.height)
	}
	for line := range strings.Lines(lines + picture) {
		b.WriteString(strings.TrimSuffix(line, "\n") + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.height = strings.Count(picture, "\n")
	s.last = picture
	io.WriteString(s.out, b.String())
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
	bold   = "1"
)

// brush paints in colour, or leaves it.
type brush struct{ colour bool }

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
