package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// TestMain makes the test binary one process of a fleet, if it was started as such.
func TestMain(m *testing.M) {
	if play() {
		return
	}
	os.Exit(m.Run())
}

func TestOurColumnIsAsItShouldBe(t *testing.T) {
	host = t
	small := scale{fleet: 3, interval: 4 * time.Second}
	checked := 0
	for _, measurements := range [][]single{failures, simulated, processesOf(small)} {
		for _, m := range measurements {
			if m.want == "" {
				continue
			}
			checked++
			if got := m.cellOf(libraries[0]); got.Text != m.want {
				t.Errorf("%s: got %q, want %q", m.name, got.Text, m.want)
			}
		}
	}
	if checked == 0 {
		t.Error("no line of the table was checked")
	}
}

// So that a picture that a browser cannot read is not noticed by readers first.
func TestEveryPictureIsDrawnInTheInkOfThePageThatItIsOn(t *testing.T) {
	requests := [][]wait{{{0, time.Millisecond}, {time.Second, time.Second}}, nil}
	made := [][]call{{0, time.Minute, time.Hour}, {0, time.Hour}}
	for name, draw := range map[string]func() ([]byte, error){
		"waits": func() ([]byte, error) { return waitPicture(requests, requests[0]) },
		"day":   func() ([]byte, error) { return dayPicture(made) },
		"fleet": func() ([]byte, error) { return fleetPicture([]int{1, 10}, [][]int{{1, 1}, {1, 10}, nil}) },
	} {
		picture, err := draw()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Contains(picture, []byte(style)) || bytes.Contains(picture, []byte("#000000")) {
			t.Errorf("%s: has ink of its own, want the page's", name)
		}
		decoder := xml.NewDecoder(bytes.NewReader(picture))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

func TestALineIsBehindOnlyABetterPeer(t *testing.T) {
	for _, test := range []struct {
		name   string
		line   line
		behind int
	}{
		{"the best", line{Cells: []cell{measured(1), measured(2)}}, 0},
		{"as good", line{Cells: []cell{measured(1), measured(1)}}, 0},
		{"behind one of two", line{Cells: []cell{measured(2), measured(1), measured(3)}}, 1},
		{"within the noise", line{Cells: []cell{measured(104), measured(100)}, slack: 0.05}, 0},
		{"beside a library that has none of it", line{Cells: []cell{measured(9), none}}, 0},
		{"failed", line{Cells: []cell{{Text: "error"}, measured(9)}}, 1},
	} {
		if got := len(test.line.behind()); got != test.behind {
			t.Errorf("%s: got %d better peers, want %d", test.name, got, test.behind)
		}
	}
}

// So that the columns of the others are figures, and no errors.
func TestEveryLibraryIsMeasured(t *testing.T) {
	host = t
	lines, err := overheads(libraries, 1, time.Microsecond, 0)
	if err != nil {
		t.Fatal(err)
	}
	more, err := idle(libraries, 2)
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, more...)
	untroubled := single{forRenewers: true, measure: played(func(c *contender, box *sessiontest.Server) (cell, error) {
		return tenRequests(c, box, func() {})
	})}
	lines = append(lines, untroubled.lineOf(libraries), simulated[0].lineOf(libraries))
	for _, l := range lines {
		if len(l.Cells) != len(libraries) {
			t.Fatalf("%s: got %d cells, want one for each of %d libraries", l.Name, len(l.Cells), len(libraries))
		}
		for i, c := range l.Cells {
			if c.Score == nil && !(libraries[i].renewsOnly && c == none) {
				t.Errorf("%s: %s got %q, want a figure", l.Name, libraries[i].name, c.Text)
			}
		}
	}
}

func TestTheTableNamesTheCommandThatWritesIt(t *testing.T) {
	var written bytes.Buffer
	if err := (report{Machine: "a machine"}).markdown(&written); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("../../docs/comparison/table.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string][]byte{"a new one": written.Bytes(), "docs/comparison/table.md": kept} {
		if head, _, _ := bytes.Cut(table, []byte("\n")); !bytes.Contains(head, []byte("`"+command+"`")) {
			t.Errorf("%s: begins with %q, want %q in it", name, head, command)
		}
	}
}
