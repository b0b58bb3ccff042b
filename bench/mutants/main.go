// Command mutants tries what tests see: it changes one operator of the code after
// the other, and runs the tests with each.
//
//	cd bench && go run ./mutants . ./internal/sharing ./internal/origin
//
// All mutants of the packages are compiled into one binary for each package's
// tests, where a variable of the environment chooses one of them: so a mutant
// costs no build. It is judged by the tests of its own package, and then by those
// of the root package, but those of -skip. It prints who lived, and counts.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// others are tests that start processes or go on for long, and those that are about
// documents, or about what the code imports: a mutant imports more.
const others = "Processes|ALogOutInOneProcess|README|AProgramThatImports|ImportsNothing|RandomHistories|TheRules|Example"

func main() {
	skip := flag.String("skip", others, "the tests that judge nothing, as a regular expression")
	workers := flag.Int("workers", 2, "how many mutants are tried at once")
	patience := flag.Duration("patience", time.Minute, "how long a mutant's tests may take: one that hangs is killed")
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
	t := trial{place: place, skip: skip, patience: patience}
	if err := t.prepare(packages); err != nil {
		return err
	}
	lived, hung := t.all(mutants, workers)
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

// trial runs tests.
type trial struct {
	place, skip string
	patience    time.Duration
}

// prepare builds the tests, and runs them with no mutant: they have to pass.
func (t *trial) prepare(packages []string) error {
	for _, p := range slices.Compact(slices.Sorted(slices.Values(append([]string{"."}, packages...)))) {
		build := exec.Command("go", "test", "-c", "-o", t.binary(p), p)
		build.Dir = t.place
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go test -c %s: %w\n%s", p, err, output)
		}
		if killed, _, output := t.kills(p, 0); killed {
			return fmt.Errorf("the tests of %s fail without a mutant:\n%s", p, output)
		}
	}
	return nil
}

func (t *trial) binary(p string) string {
	return filepath.Join(t.place, strings.ReplaceAll(filepath.Clean(p), "/", "_")+".mutants.test")
}

// all tries all mutants, and returns those that lived, each of which it names at once.
func (t *trial) all(mutants []mutant, workers int) (lived []mutant, hung int) {
	var mu sync.Mutex
	var group sync.WaitGroup
	queue := make(chan mutant)
	for range workers {
		group.Go(func() {
			for m := range queue {
				killed, late, _ := t.kills(m.in, m.number)
				if !killed && filepath.Clean(m.in) != "." {
					killed, late, _ = t.kills(".", m.number)
				}
				mu.Lock()
				if !killed {
					lived = append(lived, m)
					fmt.Println("LIVED", m.at, m.change)
				}
				if late {
					hung++
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range mutants {
		queue <- m
	}
	close(queue)
	group.Wait()
	return lived, hung
}

// kills reports whether a package's tests notice a mutant.
func (t *trial) kills(p string, mutant int) (killed, hung bool, output []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), t.patience)
	defer cancel()
	tests := exec.CommandContext(ctx, t.binary(p), "-test.failfast", "-test.skip", t.skip)
	tests.Dir = filepath.Join(t.place, p)
	tests.Env = append(os.Environ(), chosen+"="+strconv.Itoa(mutant))
	tests.WaitDelay = time.Second
	output, err := tests.CombinedOutput()
	return err != nil, ctx.Err() != nil, bytes.TrimSpace(output)
}
