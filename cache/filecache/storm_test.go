package filecache_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/proctest"
)

// C5: the storm that shows what is wrong with lock files that are deleted. Each
// of 16 processes takes the lease 300 times, from 4 goroutines. Where long tests are
// not to run, it is a breeze.
func TestNoTwoProcessesHoldTheLeaseInAStorm(t *testing.T) {
	processes, goroutines, rounds := 4, 4, 25
	if longtest.IsOn(t) {
		processes, rounds = 16, 75
	}
	directory, room := filepath.Join(t.TempDir(), "cache"), t.TempDir()
	counter := filepath.Join(room, "counter")
	if err := os.WriteFile(counter, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var workers []*proctest.Process
	for range processes {
		workers = append(workers, proctest.Start(t, "worker", directory, room, strconv.Itoa(goroutines), strconv.Itoa(rounds)))
	}
	for _, w := range workers {
		w.Tell(t, "go")
	}
	violations := 0
	for _, w := range workers {
		line := w.Answer(t)
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatalf("a worker answered %q, want a number of violations", line)
		}
		violations += n
	}
	turns := processes * goroutines * rounds
	if violations != 0 {
		t.Errorf("got %d violations of mutual exclusion in %d turns, want 0", violations, turns)
	}
	if got, err := os.ReadFile(counter); err != nil || string(got) != strconv.Itoa(turns) {
		t.Errorf("the counter that holders raise is %q (error %v), want %d", got, err, turns)
	}
	t.Logf("%d violations in %d turns of %d processes with %d goroutines each, %v",
		violations, turns, processes, goroutines, time.Since(began).Round(time.Millisecond))
}

// work takes the lease again and again, and prints how often somebody else held
// it as well.
func work(args []string, in *bufio.Scanner) {
	store, err := filecache.New(args[0])
	if err != nil {
		panic(err)
	}
	goroutines, err := strconv.Atoi(args[2])
	if err != nil {
		panic(err)
	}
	rounds, err := strconv.Atoi(args[3])
	if err != nil {
		panic(err)
	}
	in.Scan()
	var violations atomic.Int64
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for round := range rounds {
				if err := takeTurn(store, args[1], round); err != nil {
					fmt.Fprintln(os.Stderr, err)
					violations.Add(1)
				}
			}
		})
	}
	group.Wait()
	fmt.Println(violations.Load())
}

// takeTurn does under the lease what goes wrong if two do it at once.
func takeTurn(store cache.Cache, room string, round int) error {
	lease, err := store.Lock(background, key)
	if err != nil {
		return err
	}
	defer lease.Unlock()
	inside, counter := filepath.Join(room, "inside"), filepath.Join(room, "counter")
	alone, err := os.OpenFile(inside, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(inside)
	defer alone.Close()
	content, err := os.ReadFile(counter)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(string(content))
	if err != nil {
		return err
	}
	if err := os.WriteFile(counter, []byte(strconv.Itoa(count+1)), 0o600); err != nil {
		return err
	}
	if round%25 == 0 {
		return lease.Store(background, cache.Entry{Data: content})
	}
	return nil
}
