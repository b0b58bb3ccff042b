// Package longtest marks tests that take minutes, many processes, or a machine
// with nothing else to do. They run where the variable JWTSESSION_TEST is "long",
// as in .ci/long:
//
//	JWTSESSION_TEST=long go test ./...
package longtest

import (
	"os"
	"testing"
)

const variable, wanted = "JWTSESSION_TEST", "long"

// Run skips the test unless long tests are to run.
func Run(t testing.TB) {
	t.Helper()
	if !IsOn(t) {
		t.Skipf("a long test: it runs with %s=%s, as in .ci/long", variable, wanted)
	}
}

// IsOn reports whether long tests are to run: for a test that does less where they
// are not. It fails the test if the variable has a value that means nothing.
func IsOn(t testing.TB) bool {
	t.Helper()
	value := os.Getenv(variable)
	if value != "" && value != wanted {
		t.Fatalf("%s is %q, want %q or nothing", variable, value, wanted)
	}
	return value == wanted
}
