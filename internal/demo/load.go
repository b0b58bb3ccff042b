package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// load is the requests of one client, and what became of them.
type load struct {
	*chronicle
	name      string // of the client
	url       string // of the API
	client    *http.Client
	recovered func() // is told that a request got a 401, and succeeded; nil: nobody is
	tally     tally
	inFlight  sync.WaitGroup
}

func (l *load) tell(tone Tone, text string) { l.report(l.name, tone, text) }

// send sends as many requests a second until the duration is over, or ctx ends.
// What has been begun goes on until the other context ends.
func (l *load) send(ctx, requests context.Context, rate int, duration time.Duration) {
	interval := time.Second / time.Duration(rate)
	total := int(duration / interval)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	start := l.elapsed()
	for sent, last := 0, start; sent < total; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := l.elapsed()
		if now-last > 2*interval {
			l.tally.stalled(span{last, now})
		}
		last = now
		// A late tick is made up for.
		for due := min(total, int((now-start)/interval)); sent < due; sent++ {
			l.inFlight.Go(func() { l.request(requests) })
		}
	}
}

// request sends one request, and notes what became of it.
func (l *load) request(ctx context.Context) {
	l.tally.began()
	var watch stopwatch
	ctx = context.WithValue(ctx, stopwatchKey{}, &watch)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/matters", nil)
	if err != nil {
		panic(err) // the URL is ours
	}
	start := time.Now()
	res, err := l.client.Do(req)
	end := time.Now()
	failure := ""
	switch {
	case err != nil:
		failure = reason(err)
	case res.StatusCode != http.StatusOK:
		failure = fmt.Sprint(res.StatusCode)
	}
	if err == nil {
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	o := outcome{
		start:    l.at(start),
		end:      l.at(end),
		wait:     end.Sub(start) - watch.sending,
		rejected: watch.rejected,
		failed:   failure != "",
	}
	if text := l.tally.add(o, failure); text != "" {
		tone := Good
		if o.failed {
			tone = Bad
		}
		l.tell(tone, text)
	}
	if o.rejected && !o.failed && l.recovered != nil {
		l.recovered()
	}
}

// stopwatch measures how much of a request's time is spent below the transport
// that attaches the token. The rest, before the first send and between a 401 and
// the second one, is what the request has waited for a token.
type stopwatch struct {
	sending  time.Duration
	rejected bool // a 401 came back
}

type stopwatchKey struct{}

// timedClient is a client with stopwatches.
func timedClient(base http.RoundTripper) *http.Client { return &http.Client{Transport: timed{base}} }

type timed struct{ base http.RoundTripper }

func (t timed) RoundTrip(req *http.Request) (*http.Response, error) {
	watch, measured := req.Context().Value(stopwatchKey{}).(*stopwatch)
	if !measured {
		return t.base.RoundTrip(req)
	}
	start := time.Now()
	res, err := t.base.RoundTrip(req)
	watch.sending += time.Since(start)
	watch.rejected = watch.rejected || err == nil && res.StatusCode == http.StatusUnauthorized
	return res, err
}
