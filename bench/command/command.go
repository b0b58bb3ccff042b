// Package command builds the command of the module beside this one, for programs
// that measure it.
package command

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds jwtsession as its users do, into a directory.
func Build(ctx context.Context, directory string) (binary string, err error) {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/jwtsession/jwtsession").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	binary = filepath.Join(directory, "jwtsession")
	build := exec.CommandContext(ctx, "go", "build", "-C", strings.TrimSpace(string(module)), "-o", binary, "./cmd/jwtsession")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, output)
	}
	return binary, nil
}
