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

	// Tick shows how the clients are doing. It is called about ten times a second.
	Tick(now time.Duration, clients []Progress)

	// Close leaves the terminal as it was.
	Close()
}

// Lines is a View of one line per event, for logs.
type Lines struct{ out io.Writer }

// NewLines returns one that writes to out.
func NewLines(out io.Writer) *Lines { return &Lines{out} }

// Event writes the event's line.
func (l *Lines) Event(e Event) { fmt.Fprintln(l.out, eventLine(e)) }

// Tick does nothing.
func (l *Lines) Tick(time.Duration, []Progress) {}

// Close does nothing.
func (l *Lines) Close() {}

func eventLine(e Event) string {
	return fmt.Sprintf("%5.1f s  %-12s  %s", e.At.Seconds(), e.Who, e.Text)
}

// Timeline is a View for a terminal that is at least [TimelineWidth] columns
// wide: the events, and below them a picture of the run that grows.
type Timeline struct {
	out    io.Writer
	colour bool
	height int    // of the picture that is on the screen
	last   string // the picture
}

// TimelineWidth is how many columns a Timeline takes.
const TimelineWidth = 78

// NewTimeline returns one that writes to out, in colour or without.
func NewTimeline(out io.Writer, colour bool) *Timeline {
	io.WriteString(out, "\x1b[?25l") // no cursor
	return &Timeline{out: out, colour: colour}
}

// Close shows the cursor again. The picture stays.
func (t *Timeline) Close() { io.WriteString(t.out, "\x1b[?25h") }

// Event writes the event above the picture.
func (t *Timeline) Event(e Event) {
	line := eventLine(e)
	colour := map[Tone]string{Good: green, Trouble: yellow, Bad: red}[e.Tone]
	t.draw(t.paint(colour, line)+"\n", t.last)
}

// Tick draws the picture anew.
func (t *Timeline) Tick(now time.Duration, clients []Progress) {
	t.draw("", t.picture(now, clients))
}

// draw replaces the picture by some lines and another one. It is one write, so
// that nothing flickers.
func (t *Timeline) draw(lines, picture string) {
	var b strings.Builder
	if t.height > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", t.height)
	}
	for line := range strings.Lines(lines + picture) {
		b.WriteString(strings.TrimSuffix(line, "\n") + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	t.height = strings.Count(picture, "\n")
	t.last = picture
	io.WriteString(t.out, b.String())
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
	bold   = "1"
)

func (t *Timeline) paint(colour, text string) string {
	if !t.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// glyph is how a cell of the picture looks: without colours, too, each is
// another one.
type glyph struct {
	text, colour string
}

var requestGlyphs = map[byte]glyph{
	cellEmpty:  {" ", ""},
	cellFine:   {"━", green},
	cellWaited: {"◌", yellow},
	cellFailed: {"×", red},
}

var apiGlyphs = map[byte]glyph{
	markNone:      {" ", ""},
	markAway:      {"▒", yellow},
	markThrottled: {"T", yellow},
	markRevoked:   {"R", red},
}

func (t *Timeline) strip(values []byte, glyphs map[byte]glyph) string {
	var b strings.Builder
	for i := 0; i < len(values); {
		run := i
		for run < len(values) && values[run] == values[i] {
			run++
		}
		g := glyphs[values[i]]
		b.WriteString(t.paint(g.colour, strings.Repeat(g.text, run-i)))
		i = run
	}
	return b.String()
}

// picture is a strip of the requests and one of the API for each client, and
// how each is doing now.
func (t *Timeline) picture(now time.Duration, clients []Progress) string {
	var b strings.Builder
	b.WriteString("\n" + t.paint(grey, strings.Repeat(" ", 14)+axis()) + "\n")
	for _, c := range clients {
		fmt.Fprintf(&b, "%s  %s\n", t.paint(bold, fmt.Sprintf("%-12s", c.Name)), t.strip(c.cells, requestGlyphs))
		fmt.Fprintf(&b, "%s  %s\n", t.paint(grey, fmt.Sprintf("%-12s", "  its API")), t.strip(c.marks, apiGlyphs))
	}
	b.WriteString("\n")
	for _, c := range clients {
		b.WriteString(t.gauge(c) + "\n")
	}
	b.WriteString("\n" + t.paint(grey, "━ in order  ◌ waited for a token  × failed    ▒ away  T throttled  R revoked") + "\n")
	return b.String()
}

// axis has a mark each five seconds.
func axis() string {
	var b strings.Builder
	for s := time.Duration(0); s < Duration; s += 5 * time.Second {
		fmt.Fprintf(&b, "%-*s", int(5*time.Second*cells/Duration), fmt.Sprintf("│%.0f s", s.Seconds()))
	}
	return b.String()
}

// gauge shows how much of its life a client's token has left, and the client's
// figures.
func (t *Timeline) gauge(c Progress) string {
	const width = 18
	full := int(min(c.Left, tokenLife) * width / tokenLife)
	if c.Left > 0 {
		full = max(full, 1)
	}
	colour := green
	if c.Left < tokenLife/4 {
		colour = yellow
	}
	bar := t.paint(colour, strings.Repeat("█", full)) + t.paint(grey, strings.Repeat("░", width-full))
	failed := fmt.Sprintf("%4d failed", c.Failed)
	if c.Failed > 0 {
		failed = t.paint(red, failed)
	}
	return fmt.Sprintf("%s  %s %4.1f s  %5d requests  %s  %3d open",
		t.paint(bold, fmt.Sprintf("%-12s", c.Name)), bar, c.Left.Seconds(), c.Requests, failed, c.InFlight)
}
