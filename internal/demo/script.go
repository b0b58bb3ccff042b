package demo

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	outage = 2 * time.Second

	// recovery is what the library's token still has of its life when the outage
	// ends. It leaves room for an attempt that begins just before the end, a
	// quarter of the rest until the next one, and that one.
	//
	// A refresh falls due when 1.5 to 2.6 s are left: an outage that began at that
	// very moment would outlast the token or nearly so, whatever a client does. So
	// it begins earlier, and covers the moment.
	recovery = 1200 * time.Millisecond

	// revocation is when all sessions are revoked: after the throttled call of
	// either client and its repetition, which end by 17 s at the latest, and before
	// the library's next refresh, which falls due at 19 s at the earliest.
	revocation = 18*time.Second + 500*time.Millisecond
)

// play lets the misfortunes happen, to each client as its own session is due to
// be renewed. It returns whether all of them have.
func (d *Demo) play(ctx context.Context) bool {
	first := make([]session, len(d.contenders))
	for i, c := range d.contenders {
		var ok bool
		if first[i], ok = c.next(ctx); !ok {
			return false
		}
	}
	// The outage begins this long before the renewal is due, for everybody.
	ahead := max(0, outage+recovery-first[0].expiry.Sub(first[0].due))

	var both sync.WaitGroup
	for i, c := range d.contenders {
		both.Go(func() { c.suffer(ctx, first[i].due.Add(-ahead)) })
	}
	both.Wait()

	if !sleep(ctx, revocation-d.elapsed()) {
		return false
	}
	for _, c := range d.contenders {
		c.tally.revocation(d.elapsed())
		c.tell(Trouble, "its API revokes every token")
		c.box.RevokeAll()
	}
	_, ok := d.contenders[0].next(ctx)
	return ok
}

// suffer takes the session endpoints away at that time, and then has the call
// throttled that renews the next session.
func (c *contender) suffer(ctx context.Context, begin time.Time) {
	if !sleep(ctx, time.Until(begin)) {
		return
	}
	c.tell(Trouble, "its API takes the session endpoints away for 2 s") // the cause before its effects
	c.away()
	for end := time.Now().Add(outage); time.Now().Before(end); {
		c.tally.mark(c.elapsed(), markAway)
		if !sleep(ctx, min(time.Until(end), Duration/cells/2)) {
			return
		}
	}
	c.tell(Neutral, "its session endpoints are back")
	inOrder(c.box)

	if _, ok := c.next(ctx); !ok {
		return
	}
	c.throttle()
	c.next(ctx)
}

// inOrder makes the session calls of an API slow, and nothing else.
func inOrder(box *sessiontest.Server) {
	box.Heal()
	box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Delay: latency})
}

// away makes them fail as slowly.
func (c *contender) away() {
	c.box.Heal()
	c.box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Delay: latency, Status: http.StatusServiceUnavailable})
}

// throttle has the next session call turned away, at once, as a gateway does it:
// the call never gets to what is slow.
func (c *contender) throttle() {
	c.box.Heal()
	c.box.Inject(sessiontest.OpSession, 1, sessiontest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"})
	c.box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Delay: latency})
}

// sleep returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
