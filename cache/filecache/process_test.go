package filecache_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Play(map[string]proctest.Role{"actor": act, "reader": read, "worker": work})
	os.Exit(m.Run())
}

// patience bounds whatever ought to take a moment, on a machine that is busy with
// something else.
const patience = proctest.Patience

// act does with one lease what it is told: lock, store VERSION, store-on-from
// VERSION until it is killed, unlock. Its arguments are the directory and the lease's life.
func act(args []string, in *bufio.Scanner) {
	life, err := time.ParseDuration(args[1])
	if err != nil {
		panic(err)
	}
	store, err := filecache.New(args[0], filecache.WithLease(life))
	if err != nil {
		panic(err)
	}
	var lease cache.Lease
	for in.Scan() {
		command, argument, _ := strings.Cut(in.Text(), " ")
		switch command {
		case "lock":
			lease, err = store.Lock(background, key)
		case "store":
			var n int
			if n, err = strconv.Atoi(argument); err == nil {
				err = lease.Store(background, cache.Entry{Data: version(n)})
			}
		case "store-on-from":
			var n int
			for n, err = strconv.Atoi(argument); err == nil; n++ {
				err = lease.Store(background, cache.Entry{Data: version(n)})
			}
		case "unlock":
			err = lease.Unlock()
		}
		if err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("done")
		}
	}
}

// files are the names in directory that end in suffix.
func files(t testing.TB, directory, suffix string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(directory, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// onlyFile is the one file in directory whose name ends in suffix.
func onlyFile(t testing.TB, directory, suffix string) string {
	t.Helper()
	names := files(t, directory, suffix)
	if len(names) != 1 {
		t.Fatalf("the files *%s are %q, want one", suffix, names)
	}
	return names[0]
}
