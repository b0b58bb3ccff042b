//go:build unix

// Command mutants tries what tests see: it changes one operator of the code after
// the other, and runs the tests with each.
//
//	cd bench && go run ./mutants . ./internal/sharing ./internal/origin
//
// All mutants of the packages are compiled into one binary for each package's
// tests, where a variable of the environment chooses one of them: so a mutant
// costs no build. First each test runs alone, with no mutant, and tells which it
// comes by. A mutant is then judged by those tests of its own package that do, and
// if none minds it by those of the root package, but those of -skip. It prints who
// lived, and counts.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// others are tests that go on for long, and those that are about documents, or about
// what the code imports: a mutant imports more.
const others = "README|AProgramThatImports|ImportsNothing|RandomHistories|TheRules|Example"

func main() {
	skip := flag.String("skip", others, "the tests that judge nothing, as a regular expression")
	workers := flag.Int("workers", 2, "how many mutants are tried at once")
	patience := flag.Duration("patience", 20*time.Second, "how much longer than without it a mutant's tests may take: one that hangs is killed")
	flag.Parse()
	if err := run(flag.Args(), *skip, *workers, *patience); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(packages []string, skip string, workers int, patience time.Duration) error {
	if len(packages) == 0 {
		return errors.New("name the packages to change, as go list does: . ./internal/core")
	}
	skipped, err := regexp.Compile(skip)
	if err != nil {
		return err
	}
	place, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(place)
	if err := copied("..", place); err != nil {
		return err
	}
	mutants, err := plant(place, packages)
	if err != nil {
		return err
	}
	t := trial{place: place, skip: skipped, patience: patience, workers: workers}
	if err := t.prepare(packages); err != nil {
		return err
	}
	lived, hung := t.all(mutants)
	fmt.Printf("%d mutants: %d killed, %d of them because they hung, %d lived\n", len(mutants), len(mutants)-len(lived), hung, len(lived))
	return nil
}

// copied copies what git knows of, as it stands.
func copied(root, place string) error {
	list := exec.Command("git", "ls-files", "-z")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // it is about to be deleted
		}
		to := filepath.Join(place, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = os.WriteFile(to, content, 0o700)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
