//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// settled is how long it may take, once faults are over, until each worker is
	// signed in and has been served.
	settled = 20 * time.Second

	workersOfAFleet = 3
)

var quietLog = log.New(io.Discard, "", 0)

// size is what a soak consists of.
type size struct{ workers int }

// stores are those of its fleets.
func (s size) stores() []string {
	all := make([]string, max(1, s.workers/workersOfAFleet))
	for i := range all {
		all[i] = []string{"file", "redis"}[i%2]
	}
	return all
}

// each is how many workers a fleet has.
func (s size) each() int { return s.workers / len(s.stores()) }

// history is a run, from an empty world to its end.
type history struct {
	broken chan string
	whose  int // fleet it was that broke something
	fleets []*fleet
	steps  int
	faults int
}

// play starts a world, and has it suffer the faults of each step, which next
// returns until it has no more. It returns what broke; "": nothing did.
func (h *history) play(stores []string, each int, next func(step int) (faults []fault, more bool)) (string, error) {
	h.broken, h.whose = make(chan string, 1), -1
	breaks := func(format string, args ...any) {
		select {
		case h.broken <- fmt.Sprintf(format, args...):
		default:
		}
	}
	directory, err := os.MkdirTemp("", "soak")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(directory)
	stranger := httptest.NewServer(foreign(breaks))
	defer stranger.Close()
	h.fleets = make([]*fleet, len(stores))
	var all sync.WaitGroup
	var failure error
	var mu sync.Mutex
	for i, store := range stores {
		all.Go(func() {
			f, err := newFleet(i, each, store, directory, stranger.URL, breaks)
			mu.Lock()
			defer mu.Unlock()
			if h.fleets[i] = f; err != nil {
				failure = err
			}
		})
	}
	all.Wait()
	broke := ""
	if failure == nil {
		broke = h.suffer(next)
	}
	for _, f := range h.fleets {
		if f != nil {
			all.Go(f.close)
		}
	}
	all.Wait()
	if broke == "" {
		broke = h.verdict()
	}
	return broke, failure
}

// suffer takes the steps.
func (h *history) suffer(next func(int) ([]fault, bool)) string {
	if broke := h.settle(time.Now()); broke != "" {
		return broke
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go h.listen(ctx)
	for {
		faults, more := next(h.steps + 1)
		if !more {
			return ""
		}
		h.steps++
		h.faults += len(faults)
		var all sync.WaitGroup
		begin := time.Now()
		for _, t := range faults {
			all.Go(func() {
				time.Sleep(t.at)
				h.fleets[t.fleet].suffer(t)
			})
		}
		all.Wait()
		time.Sleep(time.Until(begin.Add(stepTime)))
		if broke := h.settle(time.Now()); broke != "" {
			return broke
		}
	}
}

// listen notices when this process, which is the APIs and relays, did nothing.
func (h *history) listen(ctx context.Context) {
	last := time.Now()
	every(ctx, 20*time.Millisecond, func() {
		now := time.Now()
		if now.Sub(last) > shortestStall {
			for _, f := range h.fleets {
				f.judge.stalled([]span{{last, now}})
			}
		}
		last = now
	})
}

// settle returns when each worker has been served since, or something broke.
func (h *history) settle(since time.Time) string {
	for {
		late := ""
		for _, f := range h.fleets {
			for _, m := range f.members {
				if !m.good().After(since) {
					h.whose = f.number
					late = fmt.Sprintf("fleet %d (%s): T9: the worker at %s has had no answer for %v after all was well\n%s", f.number+1, f.store, m.Address, settled, m.tail())
				}
			}
		}
		if broke := h.verdict(); broke != "" || late == "" {
			return broke
		}
		if time.Since(since) > settled {
			return late
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// verdict returns what broke; "": nothing yet.
func (h *history) verdict() string {
	select {
	case broke := <-h.broken:
		return broke + h.tails(broke)
	default:
		return ""
	}
}

// tails is what the workers of the fleet in question wrote last.
func (h *history) tails(broke string) string {
	var b strings.Builder
	for _, f := range h.fleets {
		if f != nil && strings.HasPrefix(broke, fmt.Sprintf("fleet %d ", f.number+1)) {
			h.whose = f.number
			for _, m := range f.members {
				fmt.Fprintf(&b, "\n-- the last events of the worker at %s:\n%s", m.Address, m.tail())
			}
		}
	}
	return b.String()
}

// events counts what has happened to the workers' sessions.
func (h *history) events() string {
	sum := map[string]int{}
	for _, f := range h.fleets {
		for _, m := range f.members {
			m.mu.Lock()
			for kind, n := range m.events {
				sum[kind] += n
			}
			m.mu.Unlock()
		}
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(sum)) {
		all = append(all, fmt.Sprintf("%s %d", kind, sum[kind]))
	}
	return strings.Join(all, ", ")
}

// requests counts what the workers have sent.
func (h *history) requests() (count, failed int) {
	for _, f := range h.fleets {
		for _, m := range f.members {
			m.mu.Lock()
			count, failed = count+m.count, failed+m.failed
			m.mu.Unlock()
		}
	}
	return count, failed
}
