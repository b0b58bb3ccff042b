package contained

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// C9, T15: on a goroutine of the caller's as on one of the package's own.
func TestAPanicIsAnErrorThatTellsWhereAndShowsNothingButWhatTheRuntimeSays(t *testing.T) {
	var list []int
	for want, cause := range map[string]func() int{
		"runtime error: index out of range [0] with length 0": func() int { return list[0] },
		"with a value of type string":                         func() int { panic("the password is secret") },
		"with a value of type *errors.errorString":            func() int { panic(errors.New("the password is secret")) },
	} {
		f := func() (int, error) { return 1 + cause(), nil }
		for name, call := range map[string]func() (int, error){
			"Call": func() (int, error) { return Call(f) },
			"Within": func() (int, error) {
				return Within(t.Context(), 0, nil, func(context.Context) (int, error) { return f() })
			},
		} {
			value, err := call()
			fault, is := errors.AsType[*Fault](err)
			if value != 0 || !is || fault.Unwrap() != nil {
				t.Fatalf("%s of what panics %s: got %d and error %v, want 0 and a fault that is not late", name, want, value, err)
			}
			text := err.Error()
			if !strings.HasPrefix(text, "it panicked in ") || !strings.Contains(text, "(contained_test.go:") || !strings.HasSuffix(text, "): "+want) || strings.Contains(text, "secret") {
				t.Errorf("%s: got error %q, want the place in this file and %q", name, text, want)
			}
		}
	}
}

func TestWhatDoesNotPanicReturnsAsItIs(t *testing.T) {
	failure := errors.New("failure")
	if value, err := Call(func() (int, error) { return 7, failure }); value != 7 || err != failure {
		t.Errorf("Call: got %d and error %v, want 7 and %v", value, err, failure)
	}
	late := func(int) { t.Error("what came in time was given to late") }
	if value, err := Within(t.Context(), 0, late, func(context.Context) (int, error) { return 7, failure }); value != 7 || err != failure {
		t.Errorf("Within: got %d and error %v, want 7 and %v", value, err, failure)
	}
}

// T15
func TestAnEndedGoroutineIsAFault(t *testing.T) {
	_, err := Within(t.Context(), 0, nil, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	if fault, is := errors.AsType[*Fault](err); !is || fault.Unwrap() != nil || err.Error() != "it ended its goroutine" {
		t.Errorf("got error %v, want a fault that says that the goroutine was ended", err)
	}
}

func TestACallThatDoesNotReturnIsLeftBehindAndWhatItBringsIsGivenToLate(t *testing.T) {
	for name, c := range map[string]struct {
		patience time.Duration
		takes    time.Duration
		err      error
		inTime   bool
		late     int
	}{
		"at once":                          {0, 3 * time.Second, nil, false, 1},
		"within the patience":              {2 * time.Second, 2900 * time.Millisecond, nil, true, 0},
		"after it":                         {2 * time.Second, 3100 * time.Millisecond, nil, false, 1},
		"after it, and there is no value":  {2 * time.Second, 4 * time.Second, errors.New("failure"), false, 0},
		"before the end, and with no need": {0, 900 * time.Millisecond, nil, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				given, start := 0, time.Now()
				value, err := Within(ctx, c.patience, func(int) { given++ }, func(context.Context) (int, error) {
					time.Sleep(c.takes)
					return 7, c.err
				})
				waited := time.Since(start)
				time.Sleep(time.Minute)
				synctest.Wait()
				if c.inTime && (value != 7 || err != nil || waited != c.takes) {
					t.Errorf("got %d and error %v after %v, want 7 after %v", value, err, waited, c.takes)
				}
				if !c.inTime && (value != 0 || !errors.Is(err, context.DeadlineExceeded) || waited != time.Second+c.patience) {
					t.Errorf("got %d and error %v after %v, want the context's error %v after its end", value, err, waited, c.patience)
				}
				if given != c.late {
					t.Errorf("late was called %d times, want %d", given, c.late)
				}
			})
		})
	}
}

// odd is an error that wraps whatever it is told to.
type odd struct{ wraps func() []error }

func (o *odd) Error() string   { return "odd" }
func (o *odd) Unwrap() []error { return o.wraps() }

// T15
func TestAnErrorThatHasNoEndIsAFault(t *testing.T) {
	endless := &odd{}
	endless.wraps = func() []error { return []error{errors.New("another"), endless} }
	many := &odd{func() []error { return make([]error, 1000) }}
	for name, c := range map[string]struct {
		err   error
		fault bool
	}{"one that wraps itself": {endless, true}, "one of a thousand": {many, false}} {
		_, err := Call(func() (int, error) { return 1, c.err })
		if _, is := errors.AsType[*Fault](err); is != c.fault {
			t.Errorf("%s: got error %v, want a fault: %v", name, err, c.fault)
		}
	}
}
