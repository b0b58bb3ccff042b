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
	pause(ctx, 2*longestTurn)
	first, err := readResources(ctx, url)
	if err != nil {
		return err
	}
	for end := time.Now().Add(duration); time.Now().Before(end); {
		t, err := l.wrk(ctx, url)
		if err != nil {
			return err
		}
		beside = append(beside, t)
	}
	last, err := readResources(ctx, url)
	if err != nil {
		return err
	}
	a, b := sum(alone), sum(beside)
	fmt.Fprintf(out, "good clients alone: %d requests, %d failed, %.0f per second, p99 %v\n", a.requests, a.failed, a.rate, a.p99)
	fmt.Fprintf(out, "beside hostile ones for %v: %d requests, %d failed, %.0f per second, p99 %v: %.2f times\n", duration, b.requests, b.failed, b.rate, b.p99, b.slow()/a.slow())
	fmt.Fprintf(out, "resident: %.1f MiB at first, %.1f MiB at the end; goroutines: %.0f, %.0f\n", first.resident/(1<<20), last.resident/(1<<20), first.goroutines, last.goroutines)
	switch {
	case b.failed > 0:
		return fmt.Errorf("%d good requests failed beside hostile clients: want none", b.failed)
	case last.resident > 1.2*first.resident+(16<<20):
		return fmt.Errorf("the proxy grew from %.0f MiB to %.0f beside hostile clients", first.resident/(1<<20), last.resident/(1<<20))
	}
	return nil
}

// longestTurn is how long hostile connections are given to be all there.
const longestTurn = 5 * time.Second
