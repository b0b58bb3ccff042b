package demo

import (
	"context"
	"time"
)

// Show runs a Demo before the eyes of a person, and tells how it went. The view
// is closed at the end.
func Show(ctx context.Context, view View) (Summary, error) {
	return show(ctx, view, New)
}

// ShowFleet is Show for a Fleet.
func ShowFleet(ctx context.Context, view View, config FleetConfig) (Totals, error) {
	return show(ctx, view, func(onEvent func(Event)) (*Fleet, error) { return NewFleet(config, onEvent) })
}

// run is a Demo or a Fleet, and S what it tells at its end.
type run[S any] interface {
	Run(context.Context) S
	picture(brush) string
}

func show[S any, R run[S]](ctx context.Context, view View, prepare func(onEvent func(Event)) (R, error)) (S, error) {
	events := make(chan Event, 10_000)
	r, err := prepare(func(e Event) {
		select {
		case events <- e:
		default: // nobody reads that many
		}
	})
	if err != nil {
		var none S
		return none, err
	}
	defer view.Close()
	over := make(chan S, 1)
	go func() { over <- r.Run(ctx) }()

	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case e := <-events:
			view.Event(e)
		case <-ticker.C:
			view.Tick(r.picture)
		case s := <-over:
			for len(events) > 0 {
				view.Event(<-events)
			}
			view.Tick(r.picture)
			return s, nil
		}
	}
}
