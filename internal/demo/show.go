package demo

import (
	"context"
	"time"
)

// Show runs a Demo before the eyes of a person, and tells how it went. The view
// is closed at the end.
func Show(ctx context.Context, view View) (Summary, error) {
	events := make(chan Event, 10_000)
	d, err := New(func(e Event) {
		select {
		case events <- e:
		default: // nobody reads that many
		}
	})
	if err != nil {
		return Summary{}, err
	}
	defer view.Close()
	over := make(chan Summary, 1)
	go func() { over <- d.Run(ctx) }()

	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case e := <-events:
			view.Event(e)
		case <-ticker.C:
			view.Tick(d.Progress())
		case s := <-over:
			for len(events) > 0 {
				view.Event(<-events)
			}
			view.Tick(d.Progress())
			return s, nil
		}
	}
}
