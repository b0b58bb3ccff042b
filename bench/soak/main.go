//go:build linux

// Command soak has real workers keep their sessions through faults, over real
// sockets, files and Redis, and judges what can be seen of them by the rules of
// docs/rules.md.
//
//	cd bench && go run ./soak -for 10m
//
// It prints a seed, which draws the same faults again, and exits with 1 if a rule
// was broken, with the seed and the shortest history that breaks it again.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/internal/demo"
)

// options are the flags.
type options struct {
	length  time.Duration
	seed    uint64
	workers int
	faults  string
	only    string
	shrink  time.Duration
}

func main() {
	switch os.Getenv(roleVariable) {
	case workerRole:
		var j job
		if err := json.Unmarshal([]byte(os.Args[1]), &j); err != nil {
			fail(err)
		}
		if err := work(j, os.Stdin, os.Stdout); err != nil {
			fail(err)
		}
		return
	case redisRole:
		_ = demo.KeepRedis(os.Args[1], os.Args[2], os.Stdin) // it is killed
		return
	}
	var o options
	flag.DurationVar(&o.length, "for", 2*time.Minute, "how long faults are drawn")
	flag.Uint64Var(&o.seed, "seed", 0, "what the faults are drawn from; 0: a new one")
	flag.IntVar(&o.workers, "workers", 12, "how many workers there are, three in a fleet")
	flag.StringVar(&o.faults, "faults", "", "the kinds of faults to draw, as a list with commas; empty: all; help: shows them")
	flag.StringVar(&o.only, "only", "", "the numbers of the faults that are to happen, as a list with commas; empty: all")
	flag.DurationVar(&o.shrink, "shrink", 4*time.Minute, "how long to look for a shorter history when a rule was broken")
	flag.Parse()
	if err := run(o); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// run runs a soak. An error says what broke.
func run(o options) error {
	if o.faults == "help" {
		for _, k := range kinds {
			fmt.Printf("%-16s %s\n", k.name, k.tells)
		}
		return nil
	}
	if o.workers < 1 || o.workers > 100 || flag.NArg() > 0 {
		return fmt.Errorf("soak: give 1 to 100 workers, and nothing but flags")
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	s := size{o.workers}
	p := plan{seed: o.seed, stores: s.stores(), workers: s.each(), allowed: kinds}
	if o.faults != "" {
		p.allowed = nil
		for _, name := range strings.Split(o.faults, ",") {
			k, known := kindNamed(strings.TrimSpace(name))
			if !known {
				return fmt.Errorf("soak: no fault is called %q: -faults help shows those there are", name)
			}
			p.allowed = append(p.allowed, k)
		}
	}
	fmt.Printf("seed %d: %v, %d workers in %d fleets\n", o.seed, o.length, s.each()*len(s.stores()), len(s.stores()))
	if o.only != "" {
		chosen, err := p.numbered(o.only)
		if err != nil {
			return err
		}
		for _, f := range chosen {
			fmt.Println(f)
		}
		broke, err := again(s, chosen)
		if broke != "" {
			err = fmt.Errorf("BROKEN: %s", broke)
		}
		return err
	}
	return soak(o, s, p)
}

// soak draws faults for as long as it is to, and looks for the shortest history
// of what breaks.
func soak(o options, s size, p plan) error {
	var h history
	var happened []fault
	begin, told := time.Now(), time.Now()
	broke, err := h.play(s.stores(), s.each(), func(step int) ([]fault, bool) {
		if time.Since(begin) > o.length {
			return nil, false
		}
		if time.Since(told) > 30*time.Second {
			told = time.Now()
			count, failed := h.requests()
			fmt.Printf("%4.0f s: step %d, %d faults, %d requests, of which faults explain %d failures\n", time.Since(begin).Seconds(), step, h.faults, count, failed)
		}
		faults := p.step(step, len(happened)+1)
		happened = append(happened, faults...)
		return faults, true
	})
	if err != nil {
		return err
	}
	count, failed := h.requests()
	if broke == "" {
		fmt.Printf("clean: seed %d, %d steps, %d faults, %d requests, of which faults explain %d failures\nevents: %s\n",
			o.seed, h.steps, h.faults, count, failed, h.events())
		return nil
	}
	fmt.Printf("BROKEN after %.0f s, in step %d, with seed %d: %s\n", time.Since(begin).Seconds(), h.steps, o.seed, broke)
	return fmt.Errorf("%s", shortest(o, s, happened, h.whose))
}

// shortest looks for a shorter history that breaks, and tells of it. Fleets have
// nothing in common but the machine: those that nothing broke in are left out.
func shortest(o options, s size, happened []fault, whose int) string {
	if whose >= 0 {
		happened = slices.DeleteFunc(happened, func(f fault) bool { return f.fleet != whose })
	}
	if len(happened) == 0 {
		return fmt.Sprintf("it broke without a fault\nAgain: go run ./soak -workers %d", o.workers)
	}
	until := time.Now().Add(o.shrink)
	last := ""
	found := shrink(happened, func(faults []fault) bool {
		if time.Now().After(until) {
			return false
		}
		fmt.Printf("again, with %d of the fleet's %d faults: ", len(faults), len(happened))
		broke, err := again(s, faults)
		if err != nil || broke == "" {
			fmt.Println("nothing broke", err)
			return false
		}
		last, _, _ = strings.Cut(broke, "\n")
		fmt.Println(last)
		return true
	})
	text := "the shortest history that broke:\n"
	if found == nil {
		found = happened
		text = fmt.Sprintf("in %v no shorter history broke. The whole of it:\n", o.shrink)
	}
	var numbers []string
	for _, f := range found {
		text += f.String() + "\n"
		numbers = append(numbers, strconv.Itoa(f.number))
	}
	kindsFlag := ""
	if o.faults != "" {
		kindsFlag = fmt.Sprintf(" -faults %q", o.faults)
	}
	return text + last + fmt.Sprintf("\nAgain: go run ./soak -seed %d -workers %d%s -only %s", o.seed, o.workers, kindsFlag, strings.Join(numbers, ","))
}

// again plays some of the faults again. Those of one fleet befall several that are
// like it: what breaks is often a matter of chance.
func again(s size, faults []fault) (string, error) {
	stores := s.stores()
	first := faults[0].fleet
	alone := !slices.ContainsFunc(faults, func(f fault) bool { return f.fleet != first })
	if alone {
		for i := range stores {
			stores[i] = s.stores()[first]
		}
	}
	steps := closer(faults)
	var h history
	return h.play(stores, s.each(), func(step int) ([]fault, bool) {
		const rest = 2 // so that what comes late is seen
		if step > len(steps) {
			return nil, step <= len(steps)+rest
		}
		if !alone {
			return steps[step-1], true
		}
		var all []fault
		for i := range stores {
			for _, f := range steps[step-1] {
				f.fleet = i
				all = append(all, f)
			}
		}
		return all, true
	})
}

// closer returns the faults by their steps, without the longer part of a long time
// in which there is none. What remains is a token's life: some faults concern who
// refreshes.
func closer(faults []fault) (steps [][]fault) {
	const longest = int(life/stepTime) + 1
	last := 0
	for _, f := range faults {
		if gap := f.step - last; gap > 0 {
			steps = append(steps, make([][]fault, min(gap, longest))...)
		}
		last = f.step
		steps[len(steps)-1] = append(steps[len(steps)-1], f)
	}
	return steps
}

// numbered returns the faults with those numbers.
func (p plan) numbered(list string) ([]fault, error) {
	var wanted []int
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > 1_000_000 {
			return nil, fmt.Errorf("soak: -only: %q is no number of a fault", text)
		}
		wanted = append(wanted, n)
	}
	var found []fault
	for step, drawn := 1, 0; drawn < slices.Max(wanted); step++ {
		for _, f := range p.step(step, drawn+1) {
			drawn = f.number
			if slices.Contains(wanted, drawn) {
				found = append(found, f)
			}
		}
		if step > 1_000_000 {
			return nil, fmt.Errorf("soak: -only: there are %d faults", drawn)
		}
	}
	return found, nil
}
