//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// quick is what a test takes at most that a mutant is judged by first.
const quick = 500 * time.Millisecond

// trial runs tests.
type trial struct {
	place    string
	skip     *regexp.Regexp
	patience time.Duration
	workers  int
	judges   map[string][]judge // of the packages
}

// judge is a test, with what is known of it from a run without a mutant.
type judge struct {
	name  string
	took  time.Duration
	meets map[int]bool // the mutants that it comes by
}

// prepare builds the tests, and runs each with no mutant: it has to pass.
func (t *trial) prepare(packages []string) error {
	t.judges = map[string][]judge{}
	for _, p := range append([]string{"."}, packages...) {
		p = filepath.Clean(p)
		if t.judges[p] != nil {
			continue
		}
		build := exec.Command("go", "test", "-c", "-o", t.binary(p), "./"+p)
		build.Dir = t.place
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go test -c %s: %w\n%s", p, err, output)
		}
		judges, err := t.judgesOf(p)
		if err != nil {
			return err
		}
		t.judges[p] = judges
	}
	return nil
}

func (t *trial) binary(p string) string {
	return filepath.Join(t.place, strings.ReplaceAll(p, "/", "_")+".mutants.test")
}

// judgesOf has each of a package's tests tell which mutants it comes by.
func (t *trial) judgesOf(p string) ([]judge, error) {
	list := exec.Command(t.binary(p), "-test.list", "^(Test|Fuzz|Example)")
	list.Dir = filepath.Join(t.place, p)
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("the tests of %s: %w", p, err)
	}
	names := slices.DeleteFunc(strings.Fields(string(output)), t.skip.MatchString)
	judges, failures := make([]judge, len(names)), make([]error, len(names))
	t.each(len(names), func(i int) { judges[i], failures[i] = t.asked(p, names[i]) })
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return judges, nil
}

func (t *trial) asked(p, name string) (judge, error) {
	file, err := os.CreateTemp(t.place, "reached-")
	if err != nil {
		return judge{}, err
	}
	defer file.Close()
	j := judge{name: name, meets: map[int]bool{}, took: time.Minute} // at most
	begin := time.Now()
	if passed, _, output := t.pass(p, []judge{j}, reached+"="+file.Name()); !passed {
		return j, fmt.Errorf("%s of %s fails without a mutant:\n%s", name, p, output)
	}
	j.took = time.Since(begin)
	lines, err := os.ReadFile(file.Name())
	for _, line := range strings.Fields(string(lines)) {
		n, _ := strconv.Atoi(line)
		j.meets[n] = true
	}
	return j, err
}

// each calls f with each number below n, as many times at once as there are workers.
func (t *trial) each(n int, f func(int)) {
	var group sync.WaitGroup
	queue := make(chan int)
	for range t.workers {
		group.Go(func() {
			for i := range queue {
				f(i)
			}
		})
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	group.Wait()
}

// all tries all mutants, and returns those that lived, each of which it names at once.
func (t *trial) all(mutants []mutant) (lived []mutant, hung int) {
	var mu sync.Mutex
	t.each(len(mutants), func(i int) {
		m := mutants[i]
		verdict := t.tried(m)
		mu.Lock()
		defer mu.Unlock()
		switch verdict {
		case killed:
			return
		case killedForHanging:
			hung++
			return
		}
		lived = append(lived, m)
		fmt.Println(verdict, m.at, m.change)
	})
	return lived, hung
}

// What became of a mutant.
const (
	killed           = "killed"
	killedForHanging = "killed, it hung"
	livedOn          = "LIVED"
	neverMet         = "LIVED, for no test comes by:"
)

// tried has the tests judge a mutant that come by it, the quick ones first.
func (t *trial) tried(m mutant) (verdict string) {
	verdict = neverMet
	for _, p := range slices.Compact([]string{m.in, "."}) {
		var first, then []judge
		for _, j := range t.judges[p] {
			switch {
			case !j.meets[m.number]:
			case j.took < quick:
				first = append(first, j)
			default:
				then = append(then, j)
			}
		}
		for _, judges := range [][]judge{first, then} {
			if len(judges) == 0 {
				continue
			}
			passed, late, _ := t.pass(p, judges, chosen+"="+strconv.Itoa(m.number))
			switch {
			case late:
				return killedForHanging
			case !passed:
				return killed
			}
			verdict = livedOn
		}
	}
	return verdict
}

// pass reports whether tests of a package pass, with a variable in their environment.
func (t *trial) pass(p string, tests []judge, variable string) (passed, late bool, output []byte) {
	patience := t.patience
	var names []string
	for _, test := range tests {
		names = append(names, test.name)
		patience += 2 * test.took
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	run := exec.CommandContext(ctx, t.binary(p), "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
	run.Dir = filepath.Join(t.place, p)
	run.Env = append(os.Environ(), variable)
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) } // and what it has started
	run.WaitDelay = time.Second
	output, err := run.CombinedOutput()
	return err == nil, ctx.Err() != nil, bytes.TrimSpace(output)
}
