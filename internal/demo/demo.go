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
	*chronicle
	contenders []*contender // the library's first
}

// New prepares a run. onEvent is told what happens, one event at a time; it must
// not call the Demo.
func New(onEvent func(Event)) (*Demo, error) {
	d := &Demo{chronicle: newChronicle(onEvent)}
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
	d.begin()
	playing, stop := context.WithCancel(ctx)
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	finished := make(chan bool, 1)
	go func() { finished <- d.play(playing) }()

	var loads sync.WaitGroup
	for _, c := range d.contenders {
		loads.Go(func() { c.send(ctx, requests, Rate, Duration) })
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
