package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// attempt makes one call to code that is not ours, and survives it: a panic
// becomes an error without the secrets, and a call that does not return when its
// context ends is left behind.
func attempt[T any](ctx context.Context, call func(context.Context) (T, error), secrets ...string) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	returned := make(chan outcome, 1)
	go func() {
		o := outcome{err: &unusableError{errors.New("jwtsession: a callback ended its goroutine")}}
		defer func() {
			if cause := recover(); cause != nil {
				text := printable(redact(secrets...).text(fmt.Sprint(cause)), longestQuote)
				o.err = &unusableError{fmt.Errorf("jwtsession: a callback panicked: %s", text)}
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
