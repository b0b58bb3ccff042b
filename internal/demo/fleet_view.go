package demo

import (
	"fmt"
	"strings"
	"time"
)

// picture shows a line for each process, and one for what they all call.
func (f *Fleet) picture(b brush) string {
	var picture strings.Builder
	picture.WriteString("\n")
	for _, p := range f.fleet() {
		latest, did := p.heard()
		fmt.Fprintf(&picture, "%s  %s  %5d requests %s  %.15s\n", b.paint(bold, fmt.Sprintf("%-10s", p.name)),
			b.gauge(max(0, time.Until(latest.ExpiresAt)), 12), latest.Requests, b.failures(latest.Failed), did)
	}
	counts := f.box.Counts()
	fmt.Fprintf(&picture, "%s  %d sign-ins, %d refreshes, %d log-outs\n",
		b.paint(grey, fmt.Sprintf("%-10s", theAPI)), counts.Created, counts.Refreshed, counts.Revoked)
	return picture.String()
}
