package filecache_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// roleVariable makes the test binary play one of roles instead of running tests.
const roleVariable = "FILECACHE_TEST_ROLE"

// roles are what a test may start as a process of its own. Each gets its
// arguments, and speaks with the test in lines.
var roles = map[string]func(args []string, in *bufio.Scanner){
	"actor":  act,
	"reader": read,
	"worker": work,
}

func TestMain(m *testing.M) {
	if role, isSet := os.LookupEnv(roleVariable); isSet {
		roles[role](os.Args[1:], bufio.NewScanner(os.Stdin))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// patience bounds whatever ought to take a moment, on a machine that is busy with
// something else.
const patience = 30 * time.Second

// process is a process that plays a role.
type process struct {
	*exec.Cmd
	in    io.WriteCloser
	lines chan string // closed when the process has closed its output
}

func start(t testing.TB, role string, args ...string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(executable, args...), lines: make(chan string)}
	p.Env = append(os.Environ(), roleVariable+"="+role)
	p.Stderr = os.Stderr
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill sends SIGKILL, and returns when the process has ended.
func (p *process) kill() {
	_ = p.Process.Kill()
	for range p.lines {
	}
	_ = p.Wait()
}

func (p *process) tell(t testing.TB, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatalf("tell a process to %s: %v", line, err)
	}
}

func (p *process) answer(t testing.TB) string {
	t.Helper()
	select {
	case line := <-p.lines:
		return line
	case <-time.After(patience):
		t.Fatalf("a process has not answered for %v", patience)
		return ""
	}
}

func (p *process) expect(t testing.TB, want string) {
	t.Helper()
	if got := p.answer(t); got != want {
		t.Fatalf("a process answered %q, want %q", got, want)
	}
}

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
