// Compare sets this library and those that people use for the same job up around
// the same API in a box, each as its own documentation says, and prints one table
// of what they cost and of what comes of failures. With -to it writes the table as
// Markdown and JSON, and pictures, drawn from the same run. It exits with status 1
// if this library is behind another one in a line that has no reason for it.
//
//	go run ./compare                 about five minutes, on a machine with nothing else to do
//	go run ./compare -quick          a minute; the figures of time are worth little
//	go run ./compare -to ../docs/comparison
//	go run ./compare -only waits -to ../docs/comparison    one picture anew
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/bench"
)

// scale is how much is measured.
type scale struct {
	rounds   int
	slice    time.Duration
	noise    float64       // of what is timed: how much a peer may be ahead by chance
	interval time.Duration // between refreshes
	fleet    int           // processes
	idle     int           // sources
	day      time.Duration
	fleets   []int // in one process
}

var (
	full = scale{41, 20 * time.Millisecond, 0.05, 32 * time.Second, 50, 10_000, 24 * time.Hour,
		[]int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}}
	quick = scale{5, 2 * time.Millisecond, 2, 4 * time.Second, 5, 500, 6 * time.Hour, []int{1, 10, 100}}
)

func main() {
	if play() {
		return
	}
	flags := flag.NewFlagSet("compare", flag.ExitOnError)
	isQuick := flags.Bool("quick", false, "measure less, in a minute")
	to := flags.String("to", "", "a `directory` for table.md, table.json and the pictures")
	only := flags.String("only", "", "the `picture` to draw, and nothing else: waits, day or fleet")
	flags.Parse(os.Args[1:])
	s := full
	if *isQuick {
		s = quick
	}
	asTest(func() (status int) {
		if err := run(s, *to, *only); err != nil {
			fmt.Fprintln(os.Stderr, "compare:", err)
			return 1
		}
		return 0
	})
}

// step tells who waits what is being measured.
func step(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "compare: "+format+"\n", args...)
}

// pictures are drawn each from measurements of its own.
var pictures = []struct {
	name string
	draw func(scale) (picture []byte, lines []line, err error)
}{
	{"waits", drawWaits},
	{"day", drawDay},
	{"fleet", drawFleet},
}

func run(s scale, to, only string) error {
	r := report{Machine: machine(), Libraries: columns(libraries)}
	free := bench.FreeProcessors()
	if only == "" {
		if err := r.measure(s); err != nil {
			return err
		}
	}
	for _, picture := range pictures {
		if only != "" && only != picture.name {
			continue
		}
		step("the picture of %s", picture.name)
		content, lines, err := picture.draw(s)
		if err != nil {
			return fmt.Errorf("%s: %w", picture.name, err)
		}
		r.Lines = append(r.Lines, lines...)
		if to != "" {
			if err := save(to, picture.name+".svg", content); err != nil {
				return err
			}
		}
	}
	if only != "" {
		return nil
	}
	r.Notes = notes(s, free, bench.FreeProcessors())
	return r.publish(to)
}

// measure fills the lines.
func (r *report) measure(s scale) error {
	step("overhead of a request")
	lines, err := overheads(libraries, s.rounds, s.slice, s.noise)
	if err != nil {
		return err
	}
	r.Lines = append(r.Lines, lines...)
	step("%d idle sources", s.idle)
	if lines, err = idle(libraries, s.idle); err != nil {
		return err
	}
	r.Lines = append(r.Lines, lines...)
	for _, measurements := range [][]single{failures, simulated, processesOf(s)} {
		for _, m := range measurements {
			step("%s", m.name)
			r.Lines = append(r.Lines, m.lineOf(libraries))
		}
	}
	return nil
}

func processesOf(s scale) []single {
	return []single{
		{name: fmt.Sprintf("%d processes start at once, on one account: sign-ins", s.fleet), want: "1", measure: fleetSignIns(s.fleet)},
		{name: "two processes, one refresh token that is used once: sessions ended", want: "0", measure: endedSessions(min(s.interval, 6*time.Second))},
	}
}

// notes say how the figures came about.
func notes(s scale, before, after float64) []string {
	return []string{
		fmt.Sprintf("The ns of requests are medians of %d rounds, in which the libraries take turns; bytes, waits and counts are of one run. %.1f processors were free before, and %.1f after: parallel times need all of them.", s.rounds, before, after),
		fmt.Sprintf("For the waits each library has tokens of a life for which it refreshes every %.0f s. An azcore fetches early at most once in 30 s.", s.interval.Seconds()),
		"Of the processes those with jwtsession share a file cache, which the others have nothing like. Where refresh tokens are used once only those take part that know refresh tokens themselves.",
		"Hours and days pass in virtual time (testing/synctest).",
		"vault's LifetimeWatcher renews and does no more. It asks for that in its own server's words, which an adapter of the program turns into the API's refresh; and it goes on with the token that it began with, which Vault prolongs, and this API does not: it signs in anew at the end of each.",
	}
}

// publish prints the table, and writes it if there is a directory for it.
func (r report) publish(to string) error {
	var markdown, data bytes.Buffer
	if err := r.markdown(&markdown); err != nil {
		return err
	}
	if err := r.json(&data); err != nil {
		return err
	}
	os.Stdout.Write(markdown.Bytes())
	if to != "" {
		if err := save(to, "table.md", markdown.Bytes()); err != nil {
			return err
		}
		if err := save(to, "table.json", data.Bytes()); err != nil {
			return err
		}
	}
	if names := r.unexplained(); len(names) > 0 {
		return fmt.Errorf("behind without a reason: %s", strings.Join(names, "; "))
	}
	return nil
}

func drawWaits(s scale) ([]byte, []line, error) {
	all, bare, err := waits(libraries, s.interval)
	if err != nil {
		return nil, nil, err
	}
	picture, err := waitPicture(all, bare)
	return picture, waitLines(all, bare), err
}

func drawDay(s scale) ([]byte, []line, error) {
	var made [][]call
	for _, lib := range libraries {
		calls, err := calls(lib, 3*time.Minute, s.day, 10*time.Second)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", lib.name, err)
		}
		made = append(made, calls)
	}
	picture, err := dayPicture(made)
	return picture, nil, err
}

func drawFleet(s scale) ([]byte, []line, error) {
	made := make([][]int, len(libraries))
	for i, lib := range libraries {
		if lib.renewsOnly {
			continue
		}
		for _, sources := range s.fleets {
			n, err := signIns(lib, sources)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", lib.name, err)
			}
			made[i] = append(made[i], n)
		}
	}
	picture, err := fleetPicture(s.fleets, made)
	return picture, nil, err
}
