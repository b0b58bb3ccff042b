package jwtsession

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
	"weak"

	"github.com/cenkalti/backoff/v4"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// checkEvery bounds how long the timer may sleep through a suspend or a change of
// the clock.
const checkEvery = time.Minute

// retries is the schedule of all retries: 1 s, then twice as long each time, up
// to a minute, for ever. The core jitters it.
var retries = sync.OnceValue(func() []time.Duration {
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(time.Second),
		backoff.WithRandomizationFactor(0),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(time.Minute),
		backoff.WithMaxElapsedTime(0),
	)
	var all []time.Duration
	for len(all) == 0 || all[len(all)-1] < b.MaxInterval {
		all = append(all, b.NextBackOff())
	}
	return all
})

// configs are the core's, of which sources that are alike have one.
var configs sync.Map // of *core.Config, by what they are without Retries

func configOf(c core.Config) *core.Config {
	type likeness struct {
		timeout     time.Duration
		cache, asks bool
	}
	c.Retries = retries()
	one, _ := configs.LoadOrStore(likeness{c.Timeout, c.Cache, c.Asks}, &c)
	return one.(*core.Config)
}

// step tells the core what has happened, and does what it says. An operation that
// is to begin gets a goroutine, unless one is there. mu is held.
func (ts *TokenSource) step(in core.Input) {
	if ctx, op := ts.decide(in); op.Kind != core.Idle {
		go ts.run(ctx, op)
	}
}

// done tells the core what became of the operation under way, and returns the
// next one.
func (ts *TokenSource) done(in core.Input) (context.Context, core.Op) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.running.cancel()
	ctx, op := ts.decide(in)
	if op.Kind == core.Idle {
		close(ts.running.ended)
		ts.running = nil
	}
	return ctx, op
}

// decide has the core decide, and does all that takes no time. It returns the
// operation that is to begin, and its context. mu is held.
func (ts *TokenSource) decide(in core.Input) (context.Context, core.Op) {
	now := ts.clock()
	if back := ts.setBack(now); back > 0 {
		*ts.state = ts.state.SetBack(back)
	}
	in.Draw = rand.Float64()
	var effects core.Effects
	*ts.state, effects = core.Step(ts.config, *ts.state, in, core.At(now))
	for _, e := range effects.Events {
		ts.report(e, now)
	}
	ts.show()
	ts.arm(now)
	if a := effects.Wake; a != nil {
		ts.tell(&ts.waiting, a, now)
	}
	if a := effects.Told; a != nil {
		ts.tell(&ts.leaving, a, now)
	}
	if effects.Cancel && ts.running != nil {
		if effects.Grace > 0 {
			time.AfterFunc(effects.Grace, ts.running.cancel)
		} else {
			ts.running.cancel()
		}
	}
	op := effects.Begin
	if op.Kind == core.Idle {
		return nil, op
	}
	ctx := context.WithValue(context.Background(), inFlight{weak.Make(ts)}, true)
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, end := context.WithTimeout(ctx, op.Until.Sub(core.At(now)))
	if ts.running == nil {
		ts.running = &running{ended: make(chan struct{})}
	}
	ts.running.cancel = func() { cancel(errCancelled); end() }
	return ctx, op
}

// setBack is by how much the clock was set back since the last step.
func (ts *TokenSource) setBack(now time.Time) time.Duration {
	ahead := now.Round(0).Sub(begin.Round(0)) - now.Sub(begin)
	back := ts.stepped - ahead
	ts.stepped = ahead
	if back > time.Second {
		return back
	}
	return 0
}

// begin is where the monotonic clock is read from.
var begin = time.Now()

// show lets callers see what is visible.
func (ts *TokenSource) show() {
	s, visible := ts.state.Visible()
	if !visible {
		ts.current.Store(nil)
		return
	}
	if ts.last == nil || ts.last.token() != s.Token || ts.last.issued != s.Issued || ts.last.expires != s.Expires {
		ts.last = newSnapshot(s)
		switch signer := ts.signer().(type) {
		case nil:
		case *Client:
			if !signer.protocol.SendsBearer() {
				ts.last.carrier = carrierOf(signer, s)
			}
		default:
			ts.last.signed = new(issuerSession(s))
		}
		ts.state.Held.Token = ts.last.token() // one copy in memory is enough
	}
	if ts.current.Load() != ts.last {
		ts.current.Store(ts.last)
	}
}

// carrierOf builds what carries a session, once for all its requests (H6). It is
// nil where that is the header that a snapshot has in any case.
func carrierOf(client *Client, s core.Session) *exchange.Carrier {
	if client.protocol.SendsBearer() {
		return nil
	}
	carrier, err := client.carry(issuerSession(s))
	if err != nil {
		return &exchange.Carrier{} // it was checked when it was issued
	}
	return carrier
}

// signer says what carries a session, and what ends it; nil: Authorization:
// Bearer, and 401.
func (ts *TokenSource) signer() Signer {
	if client, ok := (*ts.issuer).(*Client); ok {
		if client.described {
			return client
		}
		return nil
	}
	signer, _ := (*ts.issuer).(Signer)
	return signer
}

// arm sets the timer. It looks at the clocks at least once a minute: it sleeps
// through a suspend, and knows nothing of a clock that was set. Sources that began
// together do not look together: each that does has a goroutine.
func (ts *TokenSource) arm(now time.Time) {
	alarm := ts.state.Alarm(core.At(now))
	if alarm == ts.alarm {
		return
	}
	ts.alarm = alarm
	wait := min(max(0, alarm.Sub(core.At(now))), checkEvery-rand.N(checkEvery/8))
	switch {
	case alarm == 0:
		ts.timer.Stop()
	case ts.timer == nil:
		source := weak.Make(ts)
		ts.timer = time.AfterFunc(wait, func() {
			if ts := source.Value(); ts != nil {
				ts.tick()
			}
		})
	default:
		ts.timer.Reset(wait)
	}
}

// tick is what the timer does.
func (ts *TokenSource) tick() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.alarm != 0 {
		ts.alarm = 0 // it has rung, and is to be set again
		ts.step(core.Input{Kind: core.Tick})
	}
}

// tell ends a wait. mu is held.
func (ts *TokenSource) tell(whose **wait, a *core.Answer, now time.Time) {
	w := *whose
	if w == nil {
		return
	}
	*whose = nil
	if w.err = ts.explain(a.Err, a, now); w.err == nil {
		w.session = ts.current.Load()
	}
	close(w.over)
}

// explain says where a session was of no use, and of what is remembered how old
// it is, and until when it holds.
func (ts *TokenSource) explain(err error, a *core.Answer, now time.Time) error {
	switch err {
	case core.ErrExpired, core.ErrShort, core.ErrTimeout:
		err = &unusableError{fmt.Errorf("jwtsession: sign in%s: %w", ts.at(), err), false}
	}
	if err != nil && a != nil && a.Since != 0 && a.Until > core.At(now) {
		return &rememberedError{err, core.At(now).Sub(a.Since), a.Until.Sub(core.At(now))}
	}
	return err
}

// rememberedError is an error of an earlier attempt: nobody was asked now.
type rememberedError struct {
	err       error
	age, left time.Duration
}

// Error says when it was said, and when the server will be asked again.
func (e *rememberedError) Error() string {
	age := "just now"
	if e.age >= time.Second {
		age = inWords(e.age) + " ago"
	}
	return fmt.Sprintf("%v (said %s; the server is asked again in %s)", e.err, age, inWords(e.left))
}

func (e *rememberedError) Unwrap() error { return e.err }

// inWords is a time to whole seconds, at least one.
func inWords(d time.Duration) string {
	return max(d.Round(time.Second), time.Second).String()
}

// report hands an event on. mu is held.
func (ts *TokenSource) report(e core.Event, now time.Time) {
	out := Event{
		Kind: eventKinds[e.Kind], Time: now.Round(0), Account: ts.account, SessionID: lifetime.OfToken(e.Session.Token).ShortID(), ExpiresAt: e.Session.Expires.Time(),
		Attempt: e.Attempt, RetryIn: e.RetryIn, Err: ts.explain(e.Err, nil, now),
	}
	if e.Began != 0 {
		out.Duration = core.At(now).Sub(e.Began)
	}
	ts.reporter.report(out)
}

var eventKinds = [...]EventKind{
	core.EventSignedIn:      EventSignedIn,
	core.EventSignInFailed:  EventSignInFailed,
	core.EventRefreshed:     EventRefreshed,
	core.EventRefreshFailed: EventRefreshFailed,
	core.EventRejected:      EventRejected,
	core.EventRevoked:       EventRevoked,
	core.EventRevokeFailed:  EventRevokeFailed,
	core.EventAdopted:       EventAdopted,
	core.EventCacheFailed:   EventCacheFailed,
}

// name is whose session it is, for events.
func (ts *TokenSource) name(account string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.account = account
}
