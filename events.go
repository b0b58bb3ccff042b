package jwtsession

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// EventKind says what happened to a session.
type EventKind string

const (
	// EventSignedIn: a sign-in brought a new session.
	EventSignedIn EventKind = "signed in"

	// EventSignInFailed: an attempt to sign in failed. Event.RetryIn tells when the
	// next one may be made, when a caller asks.
	EventSignInFailed EventKind = "sign-in failed"

	// EventRefreshed: a refresh brought a session that expires later.
	EventRefreshed EventKind = "refreshed"

	// EventRefreshFailed: an attempt to refresh failed. As long as the session
	// lives, its callers notice nothing.
	EventRefreshFailed EventKind = "refresh failed"

	// EventRejected: the server rejected a token before it expired, with a 401 to
	// a request of the program's. It is asked to renew the session before anybody uses
	// it again.
	EventRejected EventKind = "token rejected"

	// EventRevoked: the session was revoked, by Revoke.
	EventRevoked EventKind = "revoked"

	// EventRevokeFailed: an attempt to revoke the session failed; it goes on.
	EventRevokeFailed EventKind = "revoke failed"

	// EventAdopted: another source had left a newer session in the cache, and this
	// one goes on with it, without a call to the server.
	EventAdopted EventKind = "adopted"

	// EventCacheFailed: the cache could not be used, or held something that is no
	// entry of this account. The session goes on without it, and the cache is tried
	// again later.
	EventCacheFailed EventKind = "cache failed"
)

// Event is something that happened to a session. It holds no secret, and may be
// printed, logged and encoded as JSON as it is.
type Event struct {
	Kind EventKind `json:"kind"`

	// Time is when it happened.
	Time time.Time `json:"time"`

	// Account is the domain of the e-mail address, or Config.Account; empty before
	// the credentials are known.
	Account string `json:"account,omitempty"`

	// SessionID is the first 8 characters of the token's jti, where it has one.
	SessionID string `json:"session,omitempty"`

	// ExpiresAt is when the session that the event is about expires; zero if that
	// is unknown, or there is no session.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`

	// Attempt counts the attempts since the last success, from 1.
	Attempt int `json:"attempt,omitempty"`

	// Duration is how long the attempt took.
	Duration time.Duration `json:"duration,omitempty"`

	// RetryIn is when the next attempt may be made, from Time on; zero if nothing
	// is planned. While there is a live session it is made then; without one, when
	// a caller asks from then on: a source that nobody asks does not sign in.
	RetryIn time.Duration `json:"retryIn,omitempty"`

	// Err is why an attempt failed.
	Err error `json:"-"`
}

// MarshalJSON writes the error as its text.
func (e Event) MarshalJSON() ([]byte, error) {
	type fields Event
	return json.Marshal(struct {
		fields
		Error string `json:"error,omitempty"`
	}{fields(e), errorText(e.Err)})
}

// String is the event as a line of a log has it.
func (e Event) String() string {
	return string(e.Kind) + attrText(e.attrs())
}

// Format prints what String returns, whatever the verb: an issuer's error may
// have a token in one of its fields.
func (e Event) Format(f fmt.State, _ rune) { io.WriteString(f, e.String()) }

// attrText is attributes as a person reads them.
func attrText(attrs []slog.Attr) string {
	var b strings.Builder
	for _, attr := range attrs {
		b.WriteString(" " + attr.String())
	}
	return b.String()
}

// LogValue is what slog prints.
func (e Event) LogValue() slog.Value { return slog.GroupValue(e.attrs()...) }

func (e Event) attrs() []slog.Attr {
	var attrs []slog.Attr
	if e.Account != "" {
		attrs = append(attrs, slog.String("account", e.Account))
	}
	if e.SessionID != "" {
		attrs = append(attrs, slog.String("session", e.SessionID))
	}
	if !e.ExpiresAt.IsZero() {
		attrs = append(attrs, slog.Time("expiresAt", e.ExpiresAt))
	}
	if e.Attempt > 0 {
		attrs = append(attrs, slog.Int("attempt", e.Attempt))
	}
	if e.RetryIn > 0 {
		attrs = append(attrs, slog.Duration("retryIn", e.RetryIn))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", redact().text(e.Err.Error())))
	}
	return attrs
}

func (e Event) level() slog.Level {
	if e.Err != nil {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// reporter hands events to the logger and to Config.OnEvent: one at a time, in
// their order, on a goroutine of their own that lives as long as there are any.
// So a callback may take its time, panic, or use the token source, and neither
// a caller nor an operation waits for it.
type reporter struct {
	logger  *slog.Logger
	onEvent func(Event)

	mu      sync.Mutex // guards pending; not held while an event is handed over
	pending *pending   // nil: nothing under way
}

// pending is what is to be handed over, and there only while there is some: a
// source at rest keeps no room for it.
type pending struct {
	queue []Event
	idle  chan struct{} // closed when the queue has been handed over
}

// report queues an event. A nil reporter drops it.
func (r *reporter) report(e Event) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.pending = &pending{idle: make(chan struct{})}
		go r.handOver(r.pending)
	}
	r.pending.queue = append(r.pending.queue, e)
}

func (r *reporter) handOver(p *pending) {
	defer close(p.idle)
	for {
		r.mu.Lock()
		if len(p.queue) == 0 {
			r.pending = nil
			r.mu.Unlock()
			return
		}
		e := p.queue[0]
		p.queue = p.queue[1:]
		r.mu.Unlock()
		r.contain(func() { r.log(e) })
		r.contain(func() { r.call(e) })
	}
}

func (r *reporter) log(e Event) {
	if r.logger != nil {
		r.logger.LogAttrs(context.Background(), e.level(), "jwtsession: "+string(e.Kind), e.attrs()...)
	}
}

func (r *reporter) call(e Event) {
	if r.onEvent != nil {
		r.onEvent(e)
	}
}

// contain keeps a panic, and a runtime.Goexit, of the program's code away from
// the events that follow.
func (r *reporter) contain(f func()) {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		f()
	}()
	if cause := <-done; cause != nil && r.logger != nil {
		defer func() { _ = recover() }() // the logger may be what panicked
		r.logger.Error("jwtsession: a callback panicked", "panic", fmt.Sprintf("%T", cause))
	}
}

// wait returns when the events so far have been handed over, or when patience
// ends: the callback under way may be the one that waits.
func (r *reporter) wait(patience time.Duration) {
	if r == nil {
		return
	}
	r.mu.Lock()
	p := r.pending
	r.mu.Unlock()
	if p == nil {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.idle:
	case <-timer.C:
	}
}
