package proxy

import (
	"os"
	"testing"

	"github.com/jwtsession/jwtsession/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Beside(8)
	os.Exit(m.Run())
}
