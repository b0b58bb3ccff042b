package jwtsession

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// The README's programs are those that the examples compile and run: the one
// with a package clause is compiled here.
func TestTheREADMEsCodeIsThatOfTheExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var compiled strings.Builder
	for _, pattern := range []string{"example_test.go", "cache/*/example_test.go", "sessiontest/example_test.go"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compiled.WriteString(withoutIndent(string(source)))
		}
	}
	blocks := goBlock.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 6 {
		t.Errorf("the README has %d programs, want one for each way of use", len(blocks))
	}
	for _, block := range blocks {
		code := block[1]
		if strings.HasPrefix(code, "package main") {
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
				t.Errorf("the README's program: %v\n%s", err, out)
			}
			continue
		}
		if !strings.Contains(compiled.String(), withoutIndent(code)) {
			t.Errorf("this program of the README stands in no example:\n%s", code)
		}
	}
}

func withoutIndent(code string) string {
	lines := strings.Split(code, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}
