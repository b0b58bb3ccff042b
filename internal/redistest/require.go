package redistest

import (
	"os"
	"os/exec"
	"testing"
)

// Require returns the path of redis-server. Where none is installed it skips the
// test, or fails it if the variable CI is set.
func Require(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal("redis-server is not installed, and in CI it has to be")
	default:
		t.Skip("not tried: redis-server is not installed")
	}
	return path
}
