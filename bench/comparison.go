package bench

import (
	"crypto/sha256"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// Comparison is one operation as this library does it, and as a peer does it.
type Comparison struct {
	// Operation says what is done, "RoundTrip with 2 headers" for instance.
	Operation string

	// Peer is the name of the other library.
	Peer string

	// Parallel has one goroutine per processor do the operation at the same time.
	Parallel bool

	// Ours and Theirs do the operation once. They are safe for concurrent use, and
	// always succeed.
	Ours, Theirs func() error

	// MaxRatio bounds our time, as a share of theirs. Zero is no bound: the figure
	// is for information.
	MaxRatio float64

	// MaxAllocs bounds our allocations per operation, if there is a MaxRatio.
	MaxAllocs int
}

// Name tells the comparisons apart.
func (c Comparison) Name() string {
	if c.Parallel {
		return c.Operation + ", parallel"
	}
	return c.Operation + ", serial"
}

// Figures are what a comparison came to. The times are those of one operation:
// the wall time of a run, divided by the number of operations in it.
type Figures struct {
	Ours, Theirs             time.Duration // medians
	Ratio                    float64       // median of the rounds' ratios, not the ratio of the medians
	OursAllocs, TheirsAllocs int           // per operation
}

// Measure compares in a number of rounds, in each of which both sides run for
// about slice.
//
// The two sides take turns, so that whatever else the machine is doing hits
// both, and who goes first changes with every round, so that neither always
// meets the caches and the garbage of the other. A round gives one ratio; the
// median of them leaves out the rounds in which only one side was disturbed.
func (c Comparison) Measure(rounds int, slice time.Duration) Figures {
	n := c.calibrate(slice)
	var ours, theirs []time.Duration
	var ratios []float64
	for i := range rounds {
		o, t := c.round(n, i%2 == 1)
		ours = append(ours, o/time.Duration(n))
		theirs = append(theirs, t/time.Duration(n))
		ratios = append(ratios, float64(o)/float64(t))
	}
	return Figures{
		Ours:         Median(ours),
		Theirs:       Median(theirs),
		Ratio:        Median(ratios),
		OursAllocs:   int(testing.AllocsPerRun(1000, func() { repeat(c.Ours, 1) })),
		TheirsAllocs: int(testing.AllocsPerRun(1000, func() { repeat(c.Theirs, 1) })),
	}
}

// round times both sides, n operations each, one right after the other.
func (c Comparison) round(n int, theirsFirst bool) (ours, theirs time.Duration) {
	if theirsFirst {
		theirs = Elapsed(c.Theirs, n, c.Parallel)
		return Elapsed(c.Ours, n, c.Parallel), theirs
	}
	ours = Elapsed(c.Ours, n, c.Parallel)
	return ours, Elapsed(c.Theirs, n, c.Parallel)
}

// calibrate returns how many operations of the slower side fill the slice.
func (c Comparison) calibrate(slice time.Duration) int {
	for n := 1000; ; n *= 2 {
		ours, theirs := c.round(n, false)
		if max(ours, theirs) >= slice {
			return n
		}
	}
}

// Elapsed is the wall time of n operations.
func Elapsed(operation func() error, n int, parallel bool) time.Duration {
	workers := 1
	if parallel {
		workers = runtime.GOMAXPROCS(0)
	}
	var all sync.WaitGroup
	start := time.Now()
	for range workers - 1 {
		all.Go(func() { repeat(operation, n/workers) })
	}
	repeat(operation, n-n/workers*(workers-1))
	all.Wait()
	return time.Since(start)
}

// FreeProcessors is how many processors this program has to itself at the moment:
// how much faster work that shares nothing is done by one goroutine on each than
// by one alone. Where other programs take theirs, operations in parallel cost what
// they cost one after the other.
func FreeProcessors() float64 {
	work := func() error { sha256.Sum256(make([]byte, 256)); return nil }
	var speedups []float64
	for range 9 {
		speedups = append(speedups, float64(Elapsed(work, 20_000, false))/float64(Elapsed(work, 20_000, true)))
	}
	return Median(speedups)
}

// repeat panics if the operation fails: the figures would be worth nothing.
func repeat(operation func() error, n int) {
	for range n {
		if err := operation(); err != nil {
			panic(err)
		}
	}
}

// Median returns the middle one of the values, which it sorts: of an even
// number of them, the upper of the two in the middle.
func Median[T int | float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
