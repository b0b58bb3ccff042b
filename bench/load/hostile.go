package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// hostilePerGood is how many connections of each hostile kind there are for each
// good one: three kinds are 30 % each.
const hostilePerGood = 3

// hostile are connections that want no answer, each for as long as the proxy
// lets it.
var hostile = []func(ctx context.Context, conn net.Conn, host string){
	// Slow: a header, or a body, byte by byte.
	func(ctx context.Context, conn net.Conn, host string) {
		io.WriteString(conn, "POST /me HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 1000000\r\n\r\n")
		for ctx.Err() == nil {
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
			pause(ctx, time.Second)
		}
	},
	// Half open: nothing, or half of a header, and then silence.
	func(ctx context.Context, conn net.Conn, host string) {
		io.WriteString(conn, "GET /me HTTP/1.1\r\nHost: ")
		end := context.AfterFunc(ctx, func() { conn.Close() })
		defer end()
		io.Copy(io.Discard, conn)
	},
	// Garbage.
	func(ctx context.Context, conn net.Conn, host string) {
		noise := make([]byte, 4<<10)
		rand.Read(noise)
		io.WriteString(conn, strings.Repeat("GET /\x00 HTTP/9.9\r\n", int(noise[0])%3))
		conn.Write(noise)
		conn.SetReadDeadline(time.Now().Add(time.Second))
		io.Copy(io.Discard, conn)
		pause(ctx, time.Second)
	},
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// beset opens hostile connections to the proxy, n of each kind, again and again
// until ctx ends.
func beset(ctx context.Context, url string, n int) *sync.WaitGroup {
	host := strings.TrimPrefix(url, "http://")
	var all sync.WaitGroup
	for _, behave := range hostile {
		for range n {
			all.Go(func() {
				for ctx.Err() == nil {
					conn, err := net.Dial("tcp", host)
					if err != nil {
						pause(ctx, time.Second)
						continue
					}
					behave(ctx, conn, host)
					conn.Close()
				}
			})
		}
	}
	return &all
}

// withstand compares good clients alone with good ones beside hostile ones.
func (l load) withstand(ctx context.Context, out io.Writer, url string, duration time.Duration) error {
	const turns = 10
	var alone, beside []turn
	for range turns {
		t, err := l.wrk(ctx, url)
		if err != nil {
			return err
		}
		alone = append(alone, t)
	}
	hostile, stop := context.WithCancel(ctx)
	attackers := beset(hostile, url, hostilePerGood*l.connections)
	defer attackers.Wait()
	defer stop()
	var used []resources // after each turn
	for end := time.Now().Add(duration); time.Now().Before(end); {
		t, err := l.wrk(ctx, url)
		if err != nil {
			return err
		}
		now, err := readResources(ctx, url)
		if err != nil {
			return err
		}
		beside, used = append(beside, t), append(used, now)
	}
	a, b := sum(alone), sum(beside)
	fmt.Fprintf(out, "good clients alone: %d requests, %d failed, %.0f per second, p99 %v\n", a.requests, a.failed, a.rate, a.p99)
	fmt.Fprintf(out, "beside hostile ones for %v: %d requests, %d failed, %.0f per second, p99 %v: %.2f times\n", duration, b.requests, b.failed, b.rate, b.p99, b.slow()/a.slow())
	first, last := begin(used), ending(used)
	for _, at := range []struct {
		name string
		resources
	}{{"at the beginning", first}, {"at the end", last}} {
		fmt.Fprintf(out, "%s: %.1f MiB resident, %.1f MiB the heap's goal, %.0f goroutines\n", at.name, at.resident/(1<<20), at.goal/(1<<20), at.goroutines)
	}
	if b.failed > 0 {
		return fmt.Errorf("%d good requests failed beside hostile clients: want none", b.failed)
	}
	return grown(first, last)
}

// grown is an error if a proxy has more in use than before, under the same load.
// What is resident goes up and down with the collector; its goal, which is twice
// what it found to be in use, does not, and the least leak shows in it.
func grown(first, last resources) error {
	const slack = 2 << 20
	switch {
	case last.goal > 1.1*first.goal+slack:
		return fmt.Errorf("the goal of the proxy's heap grew from %.1f MiB to %.1f: it has twice what is in use", first.goal/(1<<20), last.goal/(1<<20))
	case last.resident > 1.2*first.resident+8*slack:
		return fmt.Errorf("the proxy grew from %.1f MiB to %.1f", first.resident/(1<<20), last.resident/(1<<20))
	case last.goroutines > 1.2*first.goroutines+50:
		return fmt.Errorf("the proxy had %.0f goroutines, and has %.0f", first.goroutines, last.goroutines)
	}
	return nil
}

// begin and ending are the medians of the first third and of the last: hostile
// connections take a while to be all there, and no single moment is like another.
func begin(used []resources) resources  { return typical(used[len(used)/10 : max(1, len(used)/3)]) }
func ending(used []resources) resources { return typical(used[len(used)*2/3:]) }

func typical(used []resources) resources {
	var goroutines, resident, heap, goal []float64
	for _, r := range used {
		goroutines, resident, heap, goal = append(goroutines, r.goroutines), append(resident, r.resident), append(heap, r.heap), append(goal, r.goal)
	}
	return resources{goroutines: middle(goroutines), resident: middle(resident), heap: middle(heap), goal: middle(goal)}
}
