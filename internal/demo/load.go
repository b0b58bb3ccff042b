package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// load sends requests at the rate until the duration is over, or ctx ends. What
// has been begun goes on until the other context ends.
func (c *contender) load(ctx, requests context.Context, duration time.Duration) {
	const interval = time.Second / Rate
	total := int(duration / interval)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	start := c.demo.elapsed()
	for sent, last := 0, start; sent < total; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := c.demo.elapsed()
		if now-last > 2*interval {
			c.tally.stalled(span{last, now})
		}
		last = now
		// A late tick is made up for.
		for due := min(total, int((now-start)/interval)); sent < due; sent++ {
			c.inFlight.Go(func() { c.request(requests) })
		}
	}
}

// request sends one request, and notes what became of it.
func (c *contender) request(ctx context.Context) {
	c.tally.began()
	var watch stopwatch
	ctx = context.WithValue(ctx, stopwatchKey{}, &watch)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.box.URL+"/matters", nil)
	if err != nil {
		panic(err) // the URL is ours
	}
	start := time.Now()
	res, err := c.client.Do(req)
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
		start:    c.demo.at(start),
		end:      c.demo.at(end),
		wait:     end.Sub(start) - watch.sending,
		rejected: watch.rejected,
		failed:   failure != "",
	}
	if text := c.tally.add(o, failure); text != "" {
		tone := Good
		if o.failed {
			tone = Bad
		}
		c.demo.report(c.name, tone, text)
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

// timedClient is the client of the API, with stopwatches.
func (c *contender) timedClient() *http.Client {
	client := c.box.Client()
	client.Transport = timed{client.Transport}
	return client
}

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
