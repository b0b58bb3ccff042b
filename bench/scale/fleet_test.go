package scale

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession"
)

var (
	fleetSize   = flag.Int("fleet", 300, "how many sources share one account")
	fleetStarts = flag.Duration("starts", time.Second, "within what time they all start")
	requestGap  = flag.Duration("gap", time.Second, "the time between the requests of one source, on average")
	fleetBefore = flag.Duration("before", 20*time.Minute, "how long all is well before the log-out everywhere")
)

const (
	fleetLife  = 15 * time.Minute
	baseURL    = "https://api.example.com/v1"
	maxWaiting = 2 * time.Second // besides what the session API takes
)

// fleet is many sources of one account, each as if in a process of its own, and
// each with a program that makes requests.
type fleet struct {
	api   api
	store farStore

	mu     sync.Mutex // guards the rest
	waits  []wait
	failed int
}

// wait is how much longer a request took than the resource did.
type wait struct {
	over time.Time
	took time.Duration
}

// run has n programs make requests until end.
func (f *fleet) run(t *testing.T, n int, end time.Time) *sync.WaitGroup {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			time.Sleep(rand.N(*fleetStarts + 1))
			ts, err := jwtsession.New(jwtsession.Config{
				BaseURL:     baseURL,
				Credentials: jwtsession.Credentials{Email: "clerk@example.com", Password: "a password"},
				CacheKey:    []byte("thirty-two bytes of a test's key"),
				Cache:       &f.store,
				HTTPClient:  &http.Client{Transport: &f.api},
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer ts.Close()
			client := ts.Client()
			for time.Now().Before(end) {
				f.request(client)
				time.Sleep(rand.N(2 * *requestGap))
			}
		})
	}
	return &all
}

func (f *fleet) request(client *http.Client) {
	start := time.Now()
	res, err := client.Get(baseURL + "/tasks")
	took := time.Since(start) - resourceLatency
	if err == nil {
		res.Body.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if took > 0 { // the others are many
		f.waits = append(f.waits, wait{time.Now(), took})
	}
	if err != nil || res.StatusCode != http.StatusOK {
		f.failed++
	}
}

// period is what happened in a part of the simulation.
type period struct {
	name                         string
	signIns, refreshes, rejected int
	loads, loadedMost            int // of the store: reads, and those made in a second
	calls, calledMost            int // all of them
	late                         int
	waited                       int // requests that did
	longest                      time.Duration
}

func (f *fleet) period(name string, start, end time.Time) period {
	p := period{name: name}
	p.signIns, _ = f.api.signIns.between(start, end)
	p.refreshes, _ = f.api.refreshes.between(start, end)
	p.rejected, _ = f.api.rejected.between(start, end)
	p.loads, p.loadedMost = f.store.loads.between(start, end)
	p.calls, p.calledMost = f.store.calls.between(start, end)
	p.late, _ = f.store.late.between(start, end)
	in := slices.DeleteFunc(slices.Clone(f.waits), func(w wait) bool { return w.over.Before(start) || !w.over.Before(end) })
	p.waited = len(in)
	for _, w := range in {
		p.longest = max(p.longest, w.took)
	}
	return p
}

const periods = `| | sign-ins | refreshes | 401s | calls to Redis | made in a second, at most | reads, of them | in a second, at most | given up | requests that waited | the longest |
|---|---|---|---|---|---|---|---|---|---|---|`

func (p period) String() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %v |", p.name, p.signIns, p.refreshes, p.rejected,
		p.calls, p.calledMost, p.loads, p.loadedMost, p.late, p.waited, p.longest.Round(time.Millisecond))
}

// T18: however many share an account, one signs in for all, nobody waits for long,
// and no request fails.
func TestAFleetOfOneAccountActsAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{api: api{life: fleetLife}}
		start := time.Now()
		started := start.Add(*fleetStarts + 2**sessionLatency + time.Minute).Truncate(time.Second)
		loggedOut := started.Add(*fleetBefore)
		end := loggedOut.Add(2 * time.Minute)
		programs := f.run(t, *fleetSize, end)
		time.Sleep(loggedOut.Sub(start))
		f.api.logOutEverywhere()
		programs.Wait()

		first := f.period("the start", start, started)
		calm := f.period(fmt.Sprintf("the next %v", *fleetBefore), started, loggedOut)
		after := f.period("2m from a log-out everywhere on", loggedOut, end)
		t.Logf("%d sources, %v between the requests of each, Redis does %d calls a second:\n\n%s\n%v\n%v\n%v\n",
			*fleetSize, *requestGap, time.Second / *perCall, periods, first, calm, after)

		for _, p := range []period{first, after} {
			if p.signIns != 1 {
				t.Errorf("%s: got %d sign-ins, want 1", p.name, p.signIns)
			}
			if most := 2**sessionLatency + maxWaiting; p.longest > most {
				t.Errorf("%s: a request waited %v, want at most %v", p.name, p.longest, most)
			}
		}
		if most := int(*fleetBefore / (fleetLife * 7 / 10)); calm.signIns != 0 || calm.refreshes > most+1 || calm.waited != 0 {
			t.Errorf("%s: got %d sign-ins, %d refreshes, %d requests that waited, want 0, at most %d, 0", calm.name, calm.signIns, calm.refreshes, calm.waited, most+1)
		}
		if f.failed != 0 {
			t.Errorf("%d requests failed, want none", f.failed)
		}
	})
}
