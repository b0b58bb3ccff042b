package proxy

import (
	"flag"
	"os"
	"testing"
)

// The tests that are parallel wait for time-outs, and hardly compute: there may be
// more of them than processors.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8")
	os.Exit(m.Run())
}
