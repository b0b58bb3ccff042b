// Command load measures the proxy under load, beside a bare httputil.ReverseProxy
// with the same transport and beside nginx, in the same run.
//
//	cd bench && go run ./load                              the comparison
//	cd bench && go run ./load -turn 30s -duration 30s      30 s without a break
//	cd bench && go run ./load -hostile 10m                 beside clients that mean ill
//
// The API, both proxies and wrk, which makes the requests, are processes of their
// own; the proxy is the built command. Its session lives for 4 s, so that it is
// refreshed every 3 s or so. The proxies take turns, in the order a b c c b a, so
// that all meet the same machine. It fails if a single request does, or if the
// proxy's memory or goroutines grow.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	playRole()
	var l load
	flag.IntVar(&l.connections, "connections", 64, "connections that are open at once")
	flag.DurationVar(&l.duration, "duration", 30*time.Second, "how long each proxy is under load, all in all")
	flag.DurationVar(&l.turn, "turn", 3*time.Second, "how long one of them is at a time")
	flag.DurationVar(&l.settle, "settle", 100*time.Second, "how long to wait, at the end, for idle connections to be closed")
	besieged := flag.Duration("hostile", 0, "how long to put the proxy under load beside slow, half-open and garbled connections, in place of the comparison")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *besieged > 0 {
		end(l.siege(ctx, *besieged))
		return
	}
	report, err := l.run(ctx)
	if err == nil {
		report.print(os.Stdout)
		err = report.verdict()
	}
	end(err)
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// siege puts the proxy under load beside hostile clients.
func (l load) siege(ctx context.Context, duration time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stage, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer stage.close()
	return l.withstand(ctx, os.Stdout, stage.proxy, duration)
}

// load is what the proxies are put under.
type load struct {
	connections            int
	duration, turn, settle time.Duration
}

// report is what became of it.
type report struct {
	connections int
	proxy, bare []turn
	nginx       []turn
	start       resources // of the proxy: before the first turn
	first       resources // after it
	last        resources // after the last turn
	settled     resources // after idle connections were closed; zero: not awaited
	refreshes   float64
}

// run puts both proxies under load.
func (l load) run(ctx context.Context) (r report, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stage, err := newStage(ctx)
	if err != nil {
		return r, err
	}
	defer stage.close()
	r.connections = l.connections
	if r.start, err = readResources(ctx, stage.proxy); err != nil {
		return r, err
	}
	turns := max(1, int(l.duration/l.turn))
	for i := range turns {
		order := []string{stage.proxy, stage.bare, stage.nginx}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, url := range order {
			t, err := l.wrk(ctx, url)
			if err != nil {
				return r, err
			}
			switch url {
			case stage.bare:
				r.bare = append(r.bare, t)
				continue
			case stage.nginx:
				r.nginx = append(r.nginx, t)
				continue
			}
			r.proxy = append(r.proxy, t)
			if r.last, err = readResources(ctx, stage.proxy); err != nil {
				return r, err
			}
			if i == 0 {
				r.first = r.last
			}
		}
	}
	r.refreshes = r.last.refreshes - r.start.refreshes
	if l.settle > 0 {
		select {
		case <-time.After(l.settle):
		case <-ctx.Done():
			return r, ctx.Err()
		}
		r.settled, err = readResources(ctx, stage.proxy)
	}
	return r, err
}

func (r report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\trequests\tfailed\tper second\tp50\tp99")
	for _, side := range []struct {
		name  string
		turns []turn
	}{{"jwtsession proxy", r.proxy}, {"bare ReverseProxy", r.bare}, {"nginx", r.nginx}} {
		s := sum(side.turns)
		fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%v\t%v\n", side.name, s.requests, s.failed, s.rate, s.p50, s.p99)
	}
	fmt.Fprintf(w, "to the bare one\t\t\t%.3f\t%.3f\t%.3f\n", r.ratio(r.bare, turn.throughput), r.ratio(r.bare, turn.median), r.ratio(r.bare, turn.slow))
	fmt.Fprintf(w, "to nginx\t\t\t%.3f\t%.3f\t%.3f\n", r.ratio(r.nginx, turn.throughput), r.ratio(r.nginx, turn.median), r.ratio(r.nginx, turn.slow))
	fmt.Fprintln(w)
	fmt.Fprintln(w, "jwtsession proxy\tgoroutines\tresident\theap")
	for _, at := range []struct {
		name string
		resources
	}{{"before", r.start}, {"after the first turn", r.first}, {"after the last turn", r.last}, {"without idle connections", r.settled}} {
		if at.resources != (resources{}) {
			fmt.Fprintf(w, "%s\t%.0f\t%.1f MiB\t%.1f MiB\n", at.name, at.goroutines, at.resident/(1<<20), at.heap/(1<<20))
		}
	}
	w.Flush()
	fmt.Fprintf(out, "\nThe session was refreshed %.0f times in %d turns of each.\n", r.refreshes, len(r.proxy))
}

// ratio is the proxy's figure over another one's.
func (r report) ratio(other []turn, figure func(turn) float64) float64 {
	return figure(sum(r.proxy)) / figure(sum(other))
}

// verdict is an error if a request failed, or if something grew. Figures are for
// people to judge: they depend on the machine.
func (r report) verdict() error {
	const (
		slack = 32 << 20

		// A client's connection has one goroutine, or two while it is served, and
		// the one to the API that goes with it has two. A goroutine that a request
		// leaves behind is soon beyond that: there are hundreds of requests for each
		// connection in a long run, and tens in a short one.
		mostPerConnection = 4
	)
	switch {
	case sum(r.proxy).failed > 0 || sum(r.bare).failed > 0 || sum(r.nginx).failed > 0:
		return fmt.Errorf("%d requests through the proxy failed, %d through the bare one, and %d through nginx: want none", sum(r.proxy).failed, sum(r.bare).failed, sum(r.nginx).failed)
	case r.refreshes < 1:
		return fmt.Errorf("the session was never refreshed: the load was no test of that")
	case r.last.goroutines > r.start.goroutines+float64(mostPerConnection*r.connections)+50:
		return fmt.Errorf("the proxy has %.0f goroutines after the last turn: want %d for each of %d connections at most", r.last.goroutines, mostPerConnection, r.connections)
	case r.last.resident > 1.2*r.first.resident+slack:
		return fmt.Errorf("the proxy had %.0f MiB after the first turn and has %.0f after the last", r.first.resident/(1<<20), r.last.resident/(1<<20))
	case r.settled.goroutines > r.start.goroutines+20:
		return fmt.Errorf("the proxy had %.0f goroutines before the load, and has %.0f long after it", r.start.goroutines, r.settled.goroutines)
	}
	return nil
}
