package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/jwtsession/jwtsession/bench"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// silence is a base transport that answers at once.
type silence struct{}

func (silence) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
}

// overheads measures what a signed request costs more than one without a token, by
// the same http.Client over a transport that answers at once. All take turns, and
// begin one further with each round: a round gives one difference for each.
func overheads(columns []library, rounds int, slice time.Duration, noise float64) ([]line, error) {
	box := sessiontest.NewServer(sessiontest.WithTokenLife(hour))
	defer box.Close()
	server := apiOf(box)
	server.base = silence{}
	url := box.URL + "/matters?page=2"
	operations := []func() error{requester(server.plain().Do, url)}
	for _, lib := range columns {
		if lib.renewsOnly {
			operations = append(operations, nil)
			continue
		}
		c, err := lib.open(server)
		if err != nil {
			return nil, err
		}
		defer c.close()
		operations = append(operations, requester(c.do, url))
	}
	var lines []line
	for _, parallel := range []bool{false, true} {
		more, err := overheadLines(operations, rounds, slice, noise, parallel)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// requester makes a request anew, as programs do.
func requester(do func(*http.Request) (*http.Response, error), url string) func() error {
	return func() error {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", "compare/1.0")
		res, err := do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
}

// overheadLines are those of the operations, the first of which is a request
// without a token.
func overheadLines(operations []func() error, rounds int, slice time.Duration, noise float64, parallel bool) ([]line, error) {
	n := 1000
	for _, operation := range operations {
		if operation == nil {
			continue
		}
		if err := operation(); err != nil { // signs in
			return nil, err
		}
	}
	for bench.Elapsed(operations[0], n, parallel) < slice {
		n *= 2
	}
	times := make([][]float64, len(operations))
	for round := range rounds {
		took := make([]float64, len(operations))
		for i := range operations {
			if at := (round + i) % len(operations); operations[at] != nil {
				took[at] = float64(bench.Elapsed(operations[at], n, parallel).Nanoseconds()) / float64(n)
			}
		}
		for i := range took {
			times[i] = append(times[i], took[i]-took[0])
		}
	}
	how := "serial"
	if parallel {
		how = "parallel"
	}
	const reason = "smithy is a cache without a transport: the program writes the header into its own request, where a transport must copy the caller's."
	without := []string{"smithy"}
	lines := []line{
		{Name: fmt.Sprintf("a signed request, %s: ns more than without a token", how), Reason: reason, behindOf: without, slack: noise},
		{Name: fmt.Sprintf("a signed request, %s: bytes more", how), Reason: reason, behindOf: without, slack: noise},
		{Name: fmt.Sprintf("a signed request, %s: allocations more", how), Reason: reason, behindOf: without},
	}
	bareBytes, bareAllocs := allocated(operations[0], n, parallel)
	for i, operation := range operations[1:] {
		if operation == nil {
			for at := range lines {
				lines[at].Cells = append(lines[at].Cells, none)
			}
			continue
		}
		bytes, allocs := allocated(operation, n, parallel)
		for at, value := range []float64{bench.Median(times[i+1]), bytes - bareBytes, allocs - bareAllocs} {
			lines[at].Cells = append(lines[at].Cells, measured(float64(int(value+0.5))))
		}
	}
	return lines, nil
}

// allocated is what one operation takes of the heap.
func allocated(operation func() error, n int, parallel bool) (bytes, objects float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	bench.Elapsed(operation, n, parallel)
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n)
}
