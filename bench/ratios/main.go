// Ratios measures what a program does with each of its requests, beside the
// peers in the same run, and prints a table. It exits with status 1 if a figure
// is beyond the bound that the library sets itself.
//
//	go run ./ratios
//	go run ./ratios -heap 0
//
// Token copies, which oauth2.ReuseTokenSource does not, and so is slower than that
// by itself; with many callers at once it is faster, as it takes no lock. A program
// that has next to nothing in memory collects its garbage hundreds of times a second,
// and whoever allocates pays for that: with -heap 0 Token takes as long as the other
// then, and its bound is not kept. By default there is as much live data beside the
// benchmark as a small service has.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/jwtsession/jwtsession/bench"
)

func main() {
	rounds := flag.Int("rounds", 41, "how often both sides take turns, per line of the table")
	slice := flag.Duration("slice", 20*time.Millisecond, "how long one turn takes")
	heap := flag.Int("heap", 32, "MiB of other live data in memory")
	flag.Parse()
	if *rounds < 1 || *slice <= 0 || *heap < 0 {
		fmt.Fprintln(os.Stderr, "ratios: -rounds and -slice must be positive, and -heap not negative")
		os.Exit(2)
	}
	others := make([]byte, *heap<<20)
	defer runtime.KeepAlive(others)
	comparisons, err := bench.HotPath()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(2)
	}
	fmt.Printf("%s %s/%s, %d processors; medians of %d rounds, %d MiB of other live data\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), *rounds, *heap)
	free := bench.FreeProcessors()
	beyond := report(os.Stdout, comparisons, *rounds, *slice)
	fmt.Println("\nRoundTrip may allocate what a copy of the request takes, with one header more: nothing for the token.")
	fmt.Printf("Parallel lines need idle processors: %.1f were free before, and %.1f after.\n", free, bench.FreeProcessors())
	if beyond > 0 {
		fmt.Printf("Beyond their bounds: %d of %d lines.\n", beyond, len(comparisons))
		os.Exit(1)
	}
	fmt.Println("Every line is within its bounds.")
}

// report prints the table, and returns how many of its lines are beyond a bound.
func report(w io.Writer, comparisons []bench.Comparison, rounds int, slice time.Duration) (beyond int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tpeer\tours\tpeer's\tratio\tbound\tour allocs\tpeer's\tbound\t")
	for _, c := range comparisons {
		f := c.Measure(rounds, slice)
		verdict, within := judge(c, f)
		if !within {
			beyond++
		}
		ratioBound, allocsBound := "", ""
		if c.MaxRatio > 0 {
			ratioBound, allocsBound = fmt.Sprintf("%.2f", c.MaxRatio), fmt.Sprint(c.MaxAllocs)
		}
		fmt.Fprintf(table, "%s\t%s\t%d ns\t%d ns\t%.2f\t%s\t%d\t%d\t%s\t%s\n",
			c.Name(), c.Peer, f.Ours.Nanoseconds(), f.Theirs.Nanoseconds(), f.Ratio, ratioBound, f.OursAllocs, f.TheirsAllocs, allocsBound, verdict)
	}
	table.Flush()
	return beyond
}

// judge says how the figures stand to the bounds.
func judge(c bench.Comparison, f bench.Figures) (verdict string, within bool) {
	switch {
	case c.MaxRatio == 0:
		return "for information", true
	case f.Ratio > c.MaxRatio:
		return "TOO SLOW", false
	case f.OursAllocs > c.MaxAllocs:
		return "TOO MANY ALLOCATIONS", false
	}
	return "ok", true
}
