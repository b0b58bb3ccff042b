// Package contained calls what may panic in a goroutine of the library's own,
// where a panic would end the program: C9.
package contained

import (
	"fmt"
	"runtime"
)

// Panic is the error of a call that panicked.
type Panic struct{ cause any }

// Error shows the cause if it is the runtime's. Anything else may have a secret in
// it, and is told by its type.
func (p *Panic) Error() string {
	if fault, isRuntimes := p.cause.(runtime.Error); isRuntimes {
		return "it panicked: " + fault.Error()
	}
	return fmt.Sprintf("it panicked with a %T", p.cause)
}

// Call calls f and returns what f does, or the zero value and a *[Panic] if f
// panics.
func Call[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			var none T
			value, err = none, &Panic{cause}
		}
	}()
	return f()
}
