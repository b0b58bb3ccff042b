package exchange

import (
	"runtime"
	"testing"
	"time"
)

// T16
func TestEqualDescriptionsAreReadOnceAndForgottenWithTheirLastUser(t *testing.T) {
	described := func(keep string) Description {
		return Description{SignIn: "POST /shared\n\nu={email}", Token: "token", Keep: map[string]string{keep: "a", "other": "b"}}
	}
	first, err := Shared(described("refresh"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Shared(described("refresh")); err != nil || again != first {
		t.Errorf("an equal description: got another exchange, or %v; want the same one", err)
	}
	if other, err := Shared(described("renew")); err != nil || other == first {
		t.Errorf("another description: got the same exchange, or %v; want another one", err)
	}
	if _, err := Shared(Description{}); err == nil {
		t.Error("a description that cannot work: got no error")
	}
	runtime.KeepAlive(first)

	left := func() int {
		known.mu.Lock()
		defer known.mu.Unlock()
		return len(known.exchanges)
	}
	for deadline := time.Now().Add(10 * time.Second); left() > 0 && time.Now().Before(deadline); runtime.Gosched() {
		runtime.GC()
	}
	if n := left(); n != 0 {
		t.Errorf("%d descriptions that nobody uses are kept, want none", n)
	}
}
