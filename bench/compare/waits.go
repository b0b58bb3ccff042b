package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
// is so. The requests go nowhere, so that what they wait for is the library alone,
// and the machine: bare are requests without a token, made at the same time.
func waits(columns []library, interval time.Duration) (all [][]wait, bare []wait, err error) {
	all = make([][]wait, len(columns))
	failures := make([]error, len(columns)+1)
	var group sync.WaitGroup
	group.Go(func() {
		bare, failures[len(columns)] = paced(requester((&http.Client{Transport: silence{}}).Do, "https://api.example.com/v1/me"), interval)
	})
	for i, lib := range columns {
		if !lib.renewsOnly {
			group.Go(func() { all[i], failures[i] = waitsOf(lib, interval) })
		}
	}
	group.Wait()
	return all, bare, errors.Join(failures...)
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
	return paced(send, interval)
}

// paced sends for as long as it takes to see two refreshes, whatever has become of
// the requests before.
func paced(send func() error, interval time.Duration) ([]wait, error) {
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

// waitLines are the longest wait of each library, and that of one in a thousand. A
// tenth of a refresh, and what requests without a token wait, are the machine's.
func waitLines(all [][]wait, bare []wait) []line {
	noise := max(milliseconds(latency/10), longest(bare))
	reason := fmt.Sprintf("below a tenth of a refresh's 300 ms it is the machine that is measured: requests without a token waited up to %.1f ms at the same time.", longest(bare))
	lines := []line{
		{Name: "1,000 requests/s across refreshes of 300 ms: the longest wait, ms"},
		{Name: "1,000 requests/s across refreshes of 300 ms: p99.9 of the waits, µs"},
	}
	for _, requests := range all {
		if requests == nil {
			lines[0].Cells, lines[1].Cells = append(lines[0].Cells, none), append(lines[1].Cells, none)
			continue
		}
		lines[0].Cells = append(lines[0].Cells, measured(longest(requests)))
		lines[1].Cells = append(lines[1].Cells, measured(float64(sorted(requests)[len(requests)*999/1000].Microseconds())))
	}
	for i, unit := range []float64{1, 1000} {
		if *lines[i].Cells[0].Score <= noise*unit {
			lines[i].Reason = reason
		}
	}
	return lines
}

func longest(requests []wait) float64 { return milliseconds(sorted(requests)[len(requests)-1]) }

func sorted(requests []wait) []time.Duration {
	took := make([]time.Duration, len(requests))
	for i, w := range requests {
		took[i] = w.took
	}
	slices.Sort(took)
	return took
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
