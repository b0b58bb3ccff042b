package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// wait is how long a request waited, and when it was made.
type wait struct{ at, took time.Duration }

// waits has all libraries make 1,000 requests a second, across refreshes that take
// 300 ms and are about an interval apart: each has tokens of a life for which that
// is so. The requests go nowhere, so that what they wait for is the library alone.
func waits(columns []library, interval time.Duration) ([][]wait, error) {
	all := make([][]wait, len(columns))
	failures := make([]error, len(columns))
	var group sync.WaitGroup
	for i, lib := range columns {
		if !lib.renewsOnly {
			group.Go(func() { all[i], failures[i] = waitsOf(lib, interval) })
		}
	}
	group.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

const (
	latency = 300 * time.Millisecond
	pace    = time.Millisecond
)

func waitsOf(lib library, interval time.Duration) ([]wait, error) {
	box := sessiontest.NewServer(sessiontest.WithTokenLife(lib.life(interval)), sessiontest.WithLatency(latency))
	defer box.Close()
	server := apiOf(box)
	server.base = silence{}
	c, err := lib.open(server)
	if err != nil {
		return nil, err
	}
	defer c.close()
	send := requester(c.do, box.URL+"/me")
	if err := send(); err != nil {
		return nil, err
	}
	requests := make([]wait, int(interval*9/4/pace))
	var failure error
	var once sync.Once
	var group sync.WaitGroup
	start := time.Now()
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for i := range requests {
		for due := start.Add(time.Duration(i) * pace); time.Now().Before(due); {
			<-ticker.C
		}
		group.Go(func() {
			began := time.Now()
			if err := send(); err != nil {
				once.Do(func() { failure = err })
			}
			requests[i] = wait{at: began.Sub(start), took: time.Since(began)}
		})
	}
	group.Wait()
	return requests, failure
}

// waitLines are the longest wait of each library, and that of one in a thousand.
func waitLines(all [][]wait) []line {
	const reason = "Where both are far below a refresh's 300 ms, it is the machine's scheduler that is measured."
	longest := line{Name: "1,000 requests/s across refreshes of 300 ms: the longest wait, ms", Reason: reason}
	rare := line{Name: "1,000 requests/s across refreshes of 300 ms: p99.9 of the waits, ms", Reason: reason}
	for _, requests := range all {
		if requests == nil {
			longest.Cells, rare.Cells = append(longest.Cells, none), append(rare.Cells, none)
			continue
		}
		took := make([]time.Duration, len(requests))
		for i, w := range requests {
			took[i] = w.took
		}
		slices.Sort(took)
		longest.Cells = append(longest.Cells, measured(milliseconds(took[len(took)-1])))
		rare.Cells = append(rare.Cells, measured(milliseconds(took[len(took)*999/1000])))
	}
	return []line{longest, rare}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// signIns is how many calls for a session it takes to make a request with each of
// so many sources, at once: of this library they share a store, as those of one
// process may, of the others there is none.
func signIns(lib library, sources int) (int, error) {
	box := sessiontest.NewServer(sessiontest.WithTokenLife(hour), sessiontest.InMemory())
	defer box.Close()
	server := apiOf(box)
	server.store = cache.NewMemory()
	var failure error
	var once sync.Once
	var group sync.WaitGroup
	for range sources {
		c, err := lib.open(server)
		if err != nil {
			return 0, err
		}
		defer c.close()
		group.Go(func() {
			if _, err := c.token(context.Background()); err != nil {
				once.Do(func() { failure = err })
			}
		})
	}
	group.Wait()
	counts := box.Counts()
	return counts.Creates + counts.Refreshes, failure
}
