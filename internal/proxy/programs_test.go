package proxy

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// program finds a program that a test is about. Where it is missing the test does
// not run, which in CI is a failure.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed: the proxy was not tried with it", name)
	}
	t.Skipf("%s is not installed: the proxy was not tried with it", name)
	panic("not reached")
}

// output runs a program to its end, and returns what it printed.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	printed, err := exec.CommandContext(ctx, program(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, printed)
	}
	return strings.TrimSpace(string(printed))
}
