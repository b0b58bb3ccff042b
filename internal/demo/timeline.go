package demo

import (
	"fmt"
	"strings"
	"time"
)

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
	cellKilled: {"K", red},
}

var apiGlyphs = map[byte]glyph{
	markNone:      {" ", ""},
	markAway:      {"▒", yellow},
	markThrottled: {"T", yellow},
	markRevoked:   {"R", red},
}

// strip draws the values in so many columns. Of those that share one, the worst
// is shown.
func (b brush) strip(values []byte, columns int, glyphs map[byte]glyph) string {
	var strip strings.Builder
	values = shrink(values, columns)
	for i := 0; i < len(values); {
		run := i
		for run < len(values) && values[run] == values[i] {
			run++
		}
		g := glyphs[values[i]]
		strip.WriteString(b.paint(g.colour, strings.Repeat(g.text, run-i)))
		i = run
	}
	return strip.String()
}

func shrink(values []byte, columns int) []byte {
	columns = min(columns, len(values))
	shrunk := make([]byte, columns)
	for i, value := range values {
		at := i * columns / len(values)
		shrunk[at] = max(shrunk[at], value)
	}
	return shrunk
}

// timeline is the picture of a Demo: a strip of the requests and one of the API
// for each client, and how each is doing now.
func timeline(b brush, clients []progress) string {
	const indent = 14
	columns := min(cells, b.width-indent)
	var picture strings.Builder
	picture.WriteString("\n" + b.paint(grey, strings.Repeat(" ", indent)+axis(columns)) + "\n")
	for _, c := range clients {
		fmt.Fprintf(&picture, "%s  %s\n", b.paint(bold, fmt.Sprintf("%-12s", c.name)), b.strip(c.cells, columns, requestGlyphs))
		fmt.Fprintf(&picture, "%s  %s\n", b.paint(grey, fmt.Sprintf("%-12s", "  its API")), b.strip(c.marks, columns, apiGlyphs))
	}
	picture.WriteString("\n")
	for _, c := range clients {
		open, gauge := fmt.Sprintf("  %3d open", c.inFlight), 18
		if b.width < Width {
			open, gauge = "", b.width-50
		}
		fmt.Fprintf(&picture, "%s  %s  %5d requests  %s%s\n",
			b.paint(bold, fmt.Sprintf("%-12s", c.name)), b.gauge(c.left, gauge), c.requests, b.failures(c.failed), open)
	}
	picture.WriteString("\n" + b.legend("━ in order  ◌ waited for a token  × failed", "▒ away  T throttled  R revoked"))
	return picture.String()
}

// legend has two parts, on one line if that is wide enough.
func (b brush) legend(requests, api string) string {
	between := "    "
	if b.width < Width {
		between = "\n"
	}
	return b.paint(grey, requests+between+api) + "\n"
}

// axis has a mark each five seconds.
func axis(columns int) string {
	marks := []rune(strings.Repeat(" ", columns))
	for s := time.Duration(0); s < Duration; s += 5 * time.Second {
		copy(marks[int(s*time.Duration(columns)/Duration):], []rune(fmt.Sprintf("│%.0f s", s.Seconds())))
	}
	return string(marks)
}
