package contained

import (
	"errors"
	"testing"
)

func TestAPanicIsAnErrorThatShowsNothingButWhatTheRuntimeSays(t *testing.T) {
	var list []int
	for want, cause := range map[string]func() int{
		"it panicked: runtime error: index out of range [0] with length 0": func() int { return list[0] },
		"it panicked with a string":                                        func() int { panic("the password is secret") },
	} {
		value, err := Call(func() (int, error) { return 1 + cause(), nil })
		if value != 0 || err == nil || err.Error() != want {
			t.Errorf("a call that panics: got %d and error %v, want 0 and %q", value, err, want)
		}
	}
}

func TestWhatDoesNotPanicReturnsAsItIs(t *testing.T) {
	failure := errors.New("failure")
	if value, err := Call(func() (int, error) { return 7, failure }); value != 7 || err != failure {
		t.Errorf("a call that returns: got %d and error %v, want 7 and %v", value, err, failure)
	}
}
