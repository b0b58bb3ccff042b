package jwtsession

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What a program links that imports the root package. x/sys comes with
// x/crypto, whose argon2 asks it for the processor's abilities.
var budget = []string{
	"github.com/cenkalti/backoff/v4",
	"github.com/golang-jwt/jwt/v5",
	"github.com/jwtsession/jwtsession",
	"golang.org/x/crypto",
	"golang.org/x/oauth2",
	"golang.org/x/sys",
}

func TestTheRootPackageLinksItsBudgetAndNothingElse(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	modules := slices.Compact(slices.Sorted(slices.Values(strings.Fields(string(out)))))
	if !slices.Equal(modules, budget) {
		t.Errorf("the root package links the modules\n%q, want\n%q", modules, budget)
	}
}

// A program without a cache links no
// store.
func TestTheRootPackageLinksNoStore(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, path := range strings.Fields(string(out)) {
		if strings.HasPrefix(path, "github.com/jwtsession/jwtsession/cache/") || strings.HasSuffix(path, "/sessiontest") {
			t.Errorf("the root package links %s", path)
		}
	}
}
