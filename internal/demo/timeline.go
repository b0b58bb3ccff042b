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
}

var apiGlyphs = map[byte]glyph{
	markNone:      {" ", ""},
	markAway:      {"▒", yellow},
	markThrottled: {"T", yellow},
	markRevoked:   {"R", red},
}

func (b brush) strip(values []byte, glyphs map[byte]glyph) string {
	var strip strings.Builder
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

// timeline is the picture of a Demo: a strip of the requests and one of the API
// for each client, and how each is doing now.
func timeline(b brush, clients []progress) string {
	var picture strings.Builder
	picture.WriteString("\n" + b.paint(grey, strings.Repeat(" ", 14)+axis()) + "\n")
	for _, c := range clients {
		fmt.Fprintf(&picture, "%s  %s\n", b.paint(bold, fmt.Sprintf("%-12s", c.name)), b.strip(c.cells, requestGlyphs))
		fmt.Fprintf(&picture, "%s  %s\n", b.paint(grey, fmt.Sprintf("%-12s", "  its API")), b.strip(c.marks, apiGlyphs))
	}
	picture.WriteString("\n")
	for _, c := range clients {
		fmt.Fprintf(&picture, "%s  %s  %5d requests  %s  %3d open\n",
			b.paint(bold, fmt.Sprintf("%-12s", c.name)), b.gauge(c.left, 18), c.requests, b.failures(c.failed), c.inFlight)
	}
	picture.WriteString("\n" + b.paint(grey, "━ in order  ◌ waited for a token  × failed    ▒ away  T throttled  R revoked") + "\n")
	return picture.String()
}

// axis has a mark each five seconds.
func axis() string {
	var b strings.Builder
	for s := time.Duration(0); s < Duration; s += 5 * time.Second {
		fmt.Fprintf(&b, "%-*s", int(5*time.Second*cells/Duration), fmt.Sprintf("│%.0f s", s.Seconds()))
	}
	return b.String()
}
