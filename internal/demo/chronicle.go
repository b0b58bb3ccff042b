package demo

import (
	"sync"
	"time"
)

// Tone says how an event is for whom it happens to.
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
	Who  string        // the client's name, or the process's
	Tone Tone
	Text string // what happened; more about it after a colon
}

// chronicle tells what happens in a run, and when.
type chronicle struct {
	onEvent func(Event)

	mu    sync.Mutex // guards the rest, and is held while onEvent runs
	start time.Time
}

func newChronicle(onEvent func(Event)) *chronicle {
	return &chronicle{onEvent: onEvent, start: time.Now()}
}

// begin makes now the start.
func (c *chronicle) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start = time.Now()
}

func (c *chronicle) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.start)
}

// at is how long after the start a moment is.
func (c *chronicle) at(t time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Sub(c.start)
}

func (c *chronicle) report(who string, tone Tone, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onEvent(Event{time.Since(c.start), who, tone, text})
}
