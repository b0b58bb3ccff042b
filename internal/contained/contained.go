// Package contained calls what may panic in a goroutine of the library's own,
// where a panic would end the program: C9.
package contained

import "fmt"

// Panic is the error of a call that panicked.
type Panic struct{ cause any }

func (p *Panic) Error() string { return fmt.Sprint("it panicked: ", p.cause) }

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
