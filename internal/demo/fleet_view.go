package demo

import (
	"fmt"
	"strings"
	"time"
)

// picture shows a line for each process, and two for what they all call.
func (f *Fleet) picture(b brush) string {
	const indent = 12
	columns := b.width - indent - 21
	var picture strings.Builder
	picture.WriteString("\n" + b.paint(grey, strings.Repeat(" ", indent)+axis(columns)) + "\n")
	requests := 0
	for _, p := range f.fleet() {
		latest, cells := p.seen()
		requests += latest.Requests
		fmt.Fprintf(&picture, "%s  %s  %4.1f s  %s\n", b.paint(bold, fmt.Sprintf("%-10s", p.name)),
			b.strip(cells, columns, requestGlyphs), max(0, time.Until(latest.ExpiresAt)).Seconds(), b.failures(latest.Failed))
	}
	f.mu.Lock()
	marks, requests := f.marks, requests+f.gone.Requests
	f.mu.Unlock()
	counts := f.box.Counts()
	fmt.Fprintf(&picture, "%s  %s\n", b.paint(grey, fmt.Sprintf("%-10s", theAPI)), b.strip(marks[:], columns, apiGlyphs))
	fmt.Fprintf(&picture, "  %d sign-ins, %d refreshes, %d log-outs, %d requests\n",
		counts.Created, counts.Refreshed, counts.Revoked, requests)
	picture.WriteString("\n" + b.legend("━ in order  × failed  K killed", "▒ away  R revoked"))
	return picture.String()
}
