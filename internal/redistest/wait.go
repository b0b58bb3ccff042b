package redistest

import (
	"testing"
	"time"
)

// WaitFor asks another process, which cannot tell when it is ready.
func WaitFor(t testing.TB, what string, isReady func() bool) {
	t.Helper()
	for start := time.Now(); !isReady(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
