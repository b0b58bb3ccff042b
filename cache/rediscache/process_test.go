//go:build unix

package rediscache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

const (
	holderRole     = "holder"
	socketVariable = "REDISCACHE_TEST_SOCKET"
	processLease   = time.Second
)

func init() { roles[holderRole] = playHolder }

// playHolder takes the lease on "k", says so, and at a line of input writes with
// it and says what came of that.
func playHolder() {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: os.Getenv(socketVariable)})
	l, err := New(client, WithLease(processLease)).Lock(ctx, "k")
	fmt.Println("lock:", err)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return
	}
	err = l.Store(ctx, cache.Entry{Data: []byte("of the former holder"), TTL: time.Hour})
	fmt.Println("store lost:", errors.Is(err, cache.ErrLeaseLost))
	err = l.Delete(ctx)
	fmt.Println("delete lost:", errors.Is(err, cache.ErrLeaseLost))
	fmt.Println("unlock:", l.Unlock())
}

// holder is another process that holds the lease on "k".
type holder struct {
	t       testing.TB
	process *exec.Cmd
	input   io.Writer
	output  *bufio.Reader
}

func startHolder(t testing.TB, s *redistest.Server) *holder {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), roleVariable+"="+holderRole, socketVariable+"="+s.Options.Addr)
	process.Stderr = os.Stderr
	input, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	h := &holder{t: t, process: process, input: input, output: bufio.NewReader(output)}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	h.wantSaid("lock: <nil>")
	return h
}

func (h *holder) wantSaid(want string) {
	h.t.Helper()
	got, err := h.output.ReadString('\n')
	if strings.TrimSpace(got) != want {
		h.t.Fatalf("the holder's process: got %q, %v, want %q", got, err, want)
	}
}

func (h *holder) signal(signal syscall.Signal) {
	h.t.Helper()
	if err := h.process.Process.Signal(signal); err != nil {
		h.t.Fatal(err)
	}
}

// takeOver waits for the lease of a process that was killed or stopped.
func takeOver(t *testing.T, c *Cache) cache.Lease {
	t.Helper()
	// Other processes of this machine may delay this one, but not by much more
	// than a lease's life.
	const most = 5 * processLease
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	start := time.Now()
	l, err := c.Lock(ctx, "k")
	if err != nil {
		t.Fatalf("Lock, when the holder is gone: got %v, want the lease within its life, %v", err, processLease)
	}
	t.Cleanup(func() { _ = l.Unlock() })
	t.Logf("got the lease %v after the holder was gone", time.Since(start))
	return l
}

func TestAnotherGoesOnWhenTheHolderIsKilled(t *testing.T) {
	s := redistest.Start(t)
	c := New(s.Client(t))
	mustStore(t, mustLock(t, c, "k"), "before", time.Hour)
	for range 3 {
		h := startHolder(t, s)
		h.signal(syscall.SIGKILL)
		left := s.Client(t).PTTL(t.Context(), c.names("k").lock).Val()
		if left > processLease {
			t.Errorf("life of a killed holder's lease: got %v, want %v at most", left, processLease)
		}
		l := takeOver(t, c)
		wantLoad(t, c, "k", "before")
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAHolderThatWasStoppedBeyondItsLeaseWritesNothing(t *testing.T) {
	for name, meanwhile := range map[string]func(*testing.T, cache.Lease){
		"another holds the lease": func(*testing.T, cache.Lease) {},
		"another has stored":      func(t *testing.T, l cache.Lease) { mustStore(t, l, "newer", time.Hour) },
		"nobody holds the lease": func(t *testing.T, l cache.Lease) {
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			c := New(s.Client(t))
			mustStore(t, mustLock(t, c, "k"), "before", time.Hour)
			h := startHolder(t, s)
			h.signal(syscall.SIGSTOP)
			l := takeOver(t, c)
			meanwhile(t, l)
			want, err := c.Load(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			h.signal(syscall.SIGCONT)
			_, _ = fmt.Fprintln(h.input)
			h.wantSaid("store lost: true")
			h.wantSaid("delete lost: true")
			h.wantSaid("unlock: <nil>")
			wantLoad(t, c, "k", string(want.Data))
			if name == "another holds the lease" {
				mustStore(t, l, "of the present holder", time.Hour)
			}
		})
	}
}

// A holder that works for longer than its lease lives keeps it.
func TestAHolderThatIsAliveKeepsTheLease(t *testing.T) {
	s := redistest.Start(t)
	c := New(s.Client(t))
	h := startHolder(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*processLease)
	defer cancel()
	if l, err := c.Lock(ctx, "k"); err == nil {
		_ = l.Unlock()
		t.Errorf("Lock, while a process holds the lease for twice its life: got the lease, want none")
	}
	_, _ = fmt.Fprintln(h.input)
	h.wantSaid("store lost: false")
	wantLoad(t, c, "k", "of the former holder")
}
