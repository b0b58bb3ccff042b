package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// turn is what wrk says of one turn, or what several come to.
type turn struct {
	requests, failed int
	rate             float64 // per second
	p50, p99         time.Duration
}

func (t turn) throughput() float64 { return t.rate }
func (t turn) median() float64     { return t.p50.Seconds() }
func (t turn) slow() float64       { return t.p99.Seconds() }

// sum adds turns up. Of the rates and latencies it takes the median, which one
// turn on a busy machine does not move.
func sum(turns []turn) turn {
	var all turn
	var rates []float64
	var p50s, p99s []time.Duration
	for _, t := range turns {
		all.requests += t.requests
		all.failed += t.failed
		rates = append(rates, t.rate)
		p50s = append(p50s, t.p50)
		p99s = append(p99s, t.p99)
	}
	all.rate, all.p50, all.p99 = middle(rates), middle(p50s), middle(p99s)
	return all
}

func middle[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// wrk sends requests for a turn.
func (l load) wrk(ctx context.Context, url string) (turn, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", l.connections), fmt.Sprintf("-d%ds", max(1, int(l.turn.Seconds()))), "--timeout", "10s", "--latency", url+"/me")
	output, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return turn{}, errors.New("wrk is not installed: it makes the requests")
	}
	if err != nil {
		return turn{}, fmt.Errorf("wrk: %w: %s", err, output)
	}
	return parseWrk(string(output))
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP50      = regexp.MustCompile(`50%\s+([\d.]+[a-z]+)`)
	wrkP99      = regexp.MustCompile(`99%\s+([\d.]+[a-z]+)`)
	wrkErrors   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkNon2xx   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// parseWrk reads what wrk prints. It says nothing of errors if there are none.
func parseWrk(output string) (t turn, err error) {
	requests, rate := wrkRequests.FindStringSubmatch(output), wrkRate.FindStringSubmatch(output)
	p50, p99 := wrkP50.FindStringSubmatch(output), wrkP99.FindStringSubmatch(output)
	if requests == nil || rate == nil || p50 == nil || p99 == nil {
		return t, fmt.Errorf("wrk printed no figures:\n%s", output)
	}
	t.requests, _ = strconv.Atoi(requests[1])
	t.rate, _ = strconv.ParseFloat(rate[1], 64)
	if t.p50, err = time.ParseDuration(p50[1]); err == nil {
		t.p99, err = time.ParseDuration(p99[1])
	}
	for _, counts := range [][]string{wrkErrors.FindStringSubmatch(output), wrkNon2xx.FindStringSubmatch(output)} {
		for _, count := range counts[min(1, len(counts)):] {
			n, _ := strconv.Atoi(count)
			t.failed += n
		}
	}
	return t, err
}

// resources are what the proxy has in use.
type resources struct{ goroutines, resident, heap, goal, refreshes float64 }

// readResources asks the proxy for them.
func readResources(ctx context.Context, url string) (r resources, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/-/metrics", nil)
	if err != nil {
		return r, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	wanted := map[string]*float64{
		"go_goroutines":                 &r.goroutines,
		"process_resident_memory_bytes": &r.resident,
		"go_memstats_heap_inuse_bytes":  &r.heap,
		"go_memstats_next_gc_bytes":     &r.goal,
		"jwtsession_refreshes_total":    &r.refreshes,
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := wanted[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return r, err
			}
			delete(wanted, name)
		}
	}
	if len(wanted) > 0 {
		return r, fmt.Errorf("the proxy's metrics lack %v", slices.Sorted(maps.Keys(wanted)))
	}
	return r, nil
}
