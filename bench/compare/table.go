package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
)

// cell is what a library came to in a line of the table.
type cell struct {
	Text string `json:"text"`

	// Score is smaller the better; nil where the library has nothing of the kind.
	Score *float64 `json:"score,omitempty"`
}

// none is the cell of a library that has nothing of the kind.
var none = cell{Text: "–"}

// measured is a figure, in a unit that the line's name tells.
func measured(value float64) cell {
	text := fmt.Sprintf("%.0f", value)
	if a := math.Abs(value); a < 10 && value != math.Trunc(value) {
		text = fmt.Sprintf("%.2f", value)
	}
	return cell{Text: text, Score: &value}
}

// judged is good or bad, in words.
func judged(bad bool, yes, no string) cell {
	score, text := 0.0, no
	if bad {
		score, text = 1, yes
	}
	return cell{Text: text, Score: &score}
}

// line is one measurement, of all libraries in their order.
type line struct {
	Name  string `json:"name"`
	Cells []cell `json:"cells"`

	// Reason is why the first column may be behind others: behind these, or behind
	// any if none is named.
	Reason   string `json:"reason,omitempty"`
	behindOf []string

	// slack is what of the best peer's figure is within the noise of measuring.
	slack float64
}

// behind returns the columns that are better than the first one.
func (l line) behind() (better []int) {
	ours := l.Cells[0].Score
	for i, c := range l.Cells[1:] {
		if c.Score != nil && (ours == nil || *ours > *c.Score+math.Abs(*c.Score)*l.slack) {
			better = append(better, i+1)
		}
	}
	return better
}

// single is a measurement of one library at a time.
type single struct {
	name, reason string
	want         string // of the first column
	forRenewers  bool   // those that only renew take part as well
	measure      func(library) (cell, error)
}

// lineOf measures all libraries.
func (s single) lineOf(columns []library) line {
	l := line{Name: s.name, Reason: s.reason}
	for _, lib := range columns {
		l.Cells = append(l.Cells, s.cellOf(lib))
	}
	return l
}

func (s single) cellOf(lib library) cell {
	if lib.renewsOnly && !s.forRenewers {
		return none
	}
	c, err := s.measure(lib)
	if err != nil {
		fmt.Fprintf(os.Stderr, "compare: %s: %s: %v\n", s.name, lib.name, err)
		return cell{Text: cmp.Or(c.Text, "error")}
	}
	return c
}
