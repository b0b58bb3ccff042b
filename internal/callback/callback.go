// Package callback calls code that is not ours, and survives it.
package callback

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// patience is how long a call may go on after its context has ended.
const patience = time.Second

// Fault is what a callback did instead of returning: it panicked, or ended its
// goroutine.
type Fault struct{ what string }

// Error tells where, and nothing that the callback said.
func (f *Fault) Error() string { return "jwtsession: a callback " + f.what }

// Call makes one call. A panic becomes a [Fault], and a call that does not return
// when its context ends is left behind after a second, with ctx's error.
func Call[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	returned := make(chan outcome, 1)
	go func() {
		o := outcome{err: &Fault{"ended its goroutine"}}
		defer func() {
			if cause := recover(); cause != nil {
				o.err = Panicked(cause)
			}
			returned <- o
		}()
		o.value, o.err = call(ctx)
	}()
	select {
	case o := <-returned:
		return o.value, o.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case o := <-returned:
		return o.value, o.err
	case <-timer.C:
		var none T
		return none, fmt.Errorf("jwtsession: a callback did not return when its time was over: %w", ctx.Err())
	}
}

// Panicked is called where a panic was recovered. It tells where a panic began, and not what it says, unless that is the
// runtime's own: a provider may panic with the very credentials.
func Panicked(cause any) *Fault {
	what := fmt.Sprintf("with a value of type %T", cause)
	if own, ok := cause.(runtime.Error); ok {
		what = own.Error()
	}
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime.") {
			return &Fault{fmt.Sprintf("panicked in %s (%s:%d): %s", frame.Function, filepath.Base(frame.File), frame.Line, what)}
		}
		if !more {
			return &Fault{"panicked: " + what}
		}
	}
}
