package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// attempt makes one call to code that is not ours, and survives it: a panic
// becomes an error, and a call that does not return when its context ends is
// left behind. No error shows the secrets.
func attempt[T any](ctx context.Context, call func(context.Context) (T, error), secrets ...string) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	returned := make(chan outcome, 1)
	go func() {
		o := outcome{err: &unusableError{errors.New("jwtsession: a callback ended its goroutine"), true}}
		defer func() {
			if cause := recover(); cause != nil {
				o.err = &unusableError{panicked(cause), true}
			}
			returned <- o
		}()
		o.value, o.err = call(ctx)
		o.err = redact(secrets...).error(o.err)
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

// panicked tells where a panic began, and not what it says, unless that is the
// runtime's own: a provider may panic with the very credentials.
func panicked(cause any) error {
	what := fmt.Sprintf("with a value of type %T", cause)
	if own, ok := cause.(runtime.Error); ok {
		what = own.Error()
	}
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Errorf("jwtsession: a callback panicked in %s (%s:%d): %s", frame.Function, filepath.Base(frame.File), frame.Line, what)
		}
		if !more {
			return fmt.Errorf("jwtsession: a callback panicked: %s", what)
		}
	}
}
