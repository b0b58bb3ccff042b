package contained

import (
	"errors"
	"testing"
)

func TestAPanicIsAnErrorThatSaysSo(t *testing.T) {
	value, err := Call(func() (value int, err error) {
		defer func() { value = 1 }()
		var list []int
		return list[value], nil
	})
	const want = "it panicked: runtime error: index out of range [0] with length 0"
	if value != 0 || err == nil || err.Error() != want {
		t.Errorf("a call that panics: got %d and error %v, want 0 and %q", value, err, want)
	}
}

func TestWhatDoesNotPanicReturnsAsItIs(t *testing.T) {
	failure := errors.New("failure")
	if value, err := Call(func() (int, error) { return 7, failure }); value != 7 || err != failure {
		t.Errorf("a call that returns: got %d and error %v, want 7 and %v", value, err, failure)
	}
}
