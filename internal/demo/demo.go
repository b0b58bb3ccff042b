// Package demo shows what a jwtsession.TokenSource spares a program: it drives
// two clients, each through the same misfortunes of an API of its own.
//
// One is a jwtsession.TokenSource's, the other what people write without it: an
// oauth2.ReuseTokenSource that signs in whenever its token has run out.
package demo

import (
	"context"
	"sync"
	"time"
)

const (
	// Duration is how long a run takes.
	Duration = 25 * time.Second

	// Rate is how many requests a second each client sends.
	Rate = 200

	// tokenLife is what makes tokens of 8 seconds: an expiry has whole seconds and
	// is rounded down, so that a token lives 8 s and a fraction.
	tokenLife = 9*time.Second - time.Millisecond

	// latency is how long a session call takes.
	latency = 300 * time.Millisecond

	// grace is how long requests may go on after the end.
	grace = 5 * time.Second
)

// Demo is one run.
type Demo struct {
	contenders []*contender // the library's first
	onEvent    func(Event)

	mu    sync.Mutex // guards the rest, and is held while onEvent runs
	start time.Time
}

// Tone says how an event is for the client that it happens to.
type Tone int

// The tones of events.
const (
	Neutral Tone = iota
	Good
	Trouble // that requests need not notice
	Bad     // for requests
)

// Event is something that happened in a run.
type Event struct {
	At   time.Duration // since the start
	Who  string        // the client's name
	Tone Tone
	Text string
}

// New prepares a run. onEvent is told what happens, one event at a time; it must
// not call the Demo.
func New(onEvent func(Event)) (*Demo, error) {
	d := &Demo{onEvent: onEvent, start: time.Now()}
	ours, err := newLibraryClient(d)
	if err != nil {
		return nil, err
	}
	peer, err := newPlainClient(d)
	if err != nil {
		ours.close()
		return nil, err
	}
	d.contenders = []*contender{ours, peer}
	return d, nil
}

// Run runs until it is over, or ctx ends, and tells how it went. It can be called
// once.
func (d *Demo) Run(ctx context.Context) Summary {
	d.mu.Lock()
	d.start = time.Now()
	d.mu.Unlock()

	playing, stop := context.WithCancel(ctx)
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	finished := make(chan bool, 1)
	go func() { finished <- d.play(playing) }()

	var loads sync.WaitGroup
	for _, c := range d.contenders {
		loads.Go(func() { c.load(ctx, requests, Duration) })
	}
	loads.Wait()
	s := Summary{Interrupted: ctx.Err() != nil, Took: d.elapsed()}
	stop()
	s.Finished = <-finished

	last := time.AfterFunc(grace, abandon)
	defer last.Stop()
	for _, c := range d.contenders {
		c.box.Heal() // so that whoever waits for a sign-in gets it
		c.inFlight.Wait()
		s.Clients = append(s.Clients, c.result())
		c.close()
	}
	return s
}

func (d *Demo) elapsed() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.start)
}

// at is how long after the start a moment is.
func (d *Demo) at(t time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return t.Sub(d.start)
}

func (d *Demo) report(who string, tone Tone, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onEvent(Event{time.Since(d.start), who, tone, text})
}
