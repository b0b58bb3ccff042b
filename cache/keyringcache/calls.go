package keyringcache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/internal/contained"
)

// calls runs the operations that call the keyring, one at a time, because the
// keyring package has one connection for all, on which the answers to two prompts
// get mixed up. Its functions take no context and may hang for good. Therefore
// each operation has a goroutine of its own, and who waits for it can leave.
//
// An operation is
//
//	current    until it returns; others wait for that, each within its bound
//	overdue    current, but its bound is over; others fail at once
//	given up   overdue for a minute, and another one took its place
//
// At most maxGivenUp are given up at a time. Thus a keyring that hangs costs a
// process that many goroutines, and one that hung once is used again.
type calls struct {
	mu      sync.Mutex // held for a moment only
	current *operation // nil: none
	givenUp int
}

// systemCalls are the calls to the keyring of the operating system.
var systemCalls calls

const (
	giveUpAfter = time.Minute
	maxGivenUp  = 3
)

type operation struct {
	began     time.Time
	due       time.Time
	isGivenUp bool // guarded by calls.mu

	done   chan struct{} // closed when it returned; then the rest is set
	secret *secret
	err    error
}

// noAnswerError means that an operation did not end, or not by returning.
type noAnswerError struct{ reason error }

func (e *noAnswerError) Error() string { return e.reason.Error() }
func (e *noAnswerError) Unwrap() error { return e.reason }

// run runs f and returns what f does, or a *noAnswerError if that takes longer
// than bound or ctx allows, the wait for other operations included. Then f goes
// on, or was not begun.
func (c *calls) run(ctx context.Context, bound time.Duration, f func() (*secret, error)) (*secret, error) {
	if ctx.Err() != nil {
		return nil, &noAnswerError{ctx.Err()}
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for {
		o, isMine, err := c.enter(bound, f)
		if err != nil {
			return nil, err
		}
		select {
		case <-o.done:
			if isMine {
				return o.secret, o.err
			}
		case <-timer.C:
			return nil, &noAnswerError{fmt.Errorf("it has not answered within %v", bound)}
		case <-ctx.Done():
			return nil, &noAnswerError{fmt.Errorf("it has not answered yet: %w", ctx.Err())}
		}
	}
}

// enter begins an operation if it is the turn of one. Else it returns the one to
// wait for, or an error if there is no sense in waiting.
func (c *calls) enter(bound time.Duration, f func() (*secret, error)) (o *operation, isMine bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.current; o != nil {
		overdue := time.Since(o.due)
		if overdue < 0 {
			return o, false, nil
		}
		if overdue < giveUpAfter || c.givenUp == maxGivenUp {
			return nil, false, &noAnswerError{fmt.Errorf("it has not answered a call that began %v ago",
				time.Since(o.began).Round(time.Millisecond))}
		}
		o.isGivenUp = true
		c.givenUp++
	}
	now := time.Now()
	o = &operation{began: now, due: now.Add(bound), done: make(chan struct{})}
	c.current = o
	go c.perform(o, f)
	return o, true, nil
}

func (c *calls) perform(o *operation, f func() (*secret, error)) {
	defer close(o.done)
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if o.isGivenUp {
			c.givenUp--
		} else {
			c.current = nil
		}
	}()
	// The keyring package takes answers for what it expects, and panics if the bus
	// goes away while a prompt is shown.
	o.secret, o.err = contained.Call(f)
	if reason, hasPanicked := errors.AsType[*contained.Fault](o.err); hasPanicked {
		o.err = &noAnswerError{fmt.Errorf("the keyring package does not understand its answer: %w", reason)}
	}
}
