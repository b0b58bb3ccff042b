// Package contained calls code that is not ours, a program's or a store's, and
// survives it: a panic, which in a goroutine of the library's own would end the
// program (C9, T15), and a call that does not return.
package contained

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Fault is what a call did instead of returning.
type Fault struct {
	what string
	late error // of the context; nil: it panicked, or ended its goroutine
}

// Error tells where, and nothing that the call said.
func (f *Fault) Error() string { return f.what }

// Unwrap is the context's error of a call that did not return in time, and nil of
// one that panicked or ended its goroutine.
func (f *Fault) Unwrap() error { return f.late }

// Panicked is the fault of a panic that was recovered: the caller is the function
// that was deferred. It tells where the panic began, and not what it says, unless
// that is the runtime's own: a provider may panic with the very credentials.
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
			return &Fault{what: fmt.Sprintf("it panicked in %s (%s:%d): %s", frame.Function, filepath.Base(frame.File), frame.Line, what)}
		}
		if !more {
			return &Fault{what: "it panicked: " + what}
		}
	}
}

// Call calls f and returns what f does, or the zero value and a *[Fault] if f
// panics, or its error does when it is asked what it is: a nil pointer behind an
// error, for instance.
func Call[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			var none T
			value, err = none, Panicked(cause)
		}
	}()
	value, err = f()
	ask(err, 0)
	return value, err
}

// deepest is how many errors one may wrap, one in the other: what wraps itself has
// no end.
const deepest = 100

// ask calls what errors.Is, errors.As and the library will call of an error.
func ask(err error, depth int) {
	if err == nil {
		return
	}
	if depth == deepest {
		panic(fmt.Sprintf("an error wraps more than %d others", deepest))
	}
	_ = err.Error()
	if own, ok := err.(interface{ Is(error) bool }); ok {
		own.Is(context.Canceled)
	}
	if own, ok := err.(interface{ As(any) bool }); ok {
		own.As(new(*Fault))
	}
	if own, ok := err.(interface{ Timeout() bool }); ok {
		own.Timeout()
	}
	if own, ok := err.(interface{ WasSent() bool }); ok {
		own.WasSent()
	}
	switch wrapping := err.(type) {
	case interface{ Unwrap() error }:
		ask(wrapping.Unwrap(), depth+1)
	case interface{ Unwrap() []error }:
		for _, each := range wrapping.Unwrap() {
			ask(each, depth+1)
		}
	}
}

// Within makes a call in a goroutine of its own, and is a *[Fault] if the call
// panics, ends its goroutine, or has not returned when patience is over after the
// end of ctx. Such a call is left behind, and what it brings after all is given to
// late; nil drops it.
func Within[T any](ctx context.Context, patience time.Duration, late func(T), call func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	returned := make(chan outcome) // not buffered: either the caller has it, or it has left
	left := make(chan struct{})
	start := time.Now()
	go func() {
		o := outcome{err: &Fault{what: "it ended its goroutine"}}
		defer func() {
			select {
			case returned <- o:
			case <-left:
				if o.err == nil && late != nil {
					late(o.value)
				}
			}
		}()
		o.value, o.err = Call(func() (T, error) { return call(ctx) })
	}()
	var over <-chan time.Time
	ended := ctx.Done()
	for {
		select {
		case o := <-returned:
			return o.value, o.err
		case <-ended:
			ended = nil
			timer := time.NewTimer(patience)
			defer timer.Stop()
			over = timer.C
		case <-over:
			close(left)
			var none T
			return none, &Fault{fmt.Sprintf("no answer within %v: %v", time.Since(start).Round(time.Millisecond), ctx.Err()), ctx.Err()}
		}
	}
}
