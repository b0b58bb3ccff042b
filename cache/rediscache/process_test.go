//go:build unix

package rediscache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/proctest"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// goneLease is the life of the lease of a process that is going to be killed or
// stopped. Others wait for that long.
const goneLease = 300 * time.Millisecond

func init() { roles["holder"] = playHolder }

// playHolder takes the lease on "k", says so, and at a line of input writes with
// it and says what came of that. Its arguments are the server's socket and the
// lease's life.
func playHolder(args []string, in *bufio.Scanner) {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: args[0]})
	life, err := time.ParseDuration(args[1])
	if err != nil {
		panic(err)
	}
	l, err := New(client, WithLease(life), patient).Lock(ctx, "k")
	fmt.Println("lock:", err)
	if !in.Scan() {
		return
	}
	err = l.Store(ctx, cache.Entry{Data: []byte("of the former holder"), TTL: time.Hour})
	fmt.Println("store lost:", errors.Is(err, cache.ErrLeaseLost))
	err = l.Delete(ctx)
	fmt.Println("delete lost:", errors.Is(err, cache.ErrLeaseLost))
	fmt.Println("unlock:", l.Unlock())
}

// startHolder starts a process that holds the lease on "k".
func startHolder(t testing.TB, s *redistest.Server, life time.Duration) *proctest.Process {
	t.Helper()
	h := proctest.Start(t, "holder", s.Options.Addr, life.String())
	h.Expect(t, "lock: <nil>")
	return h
}

func TestAnotherGoesOnWhenTheHolderIsKilled(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := New(s.Client(t), patient)
	mustStore(t, mustLock(t, c, "k"), "before", time.Hour)
	for range 3 {
		h := startHolder(t, s, goneLease)
		h.Signal(t, syscall.SIGKILL)
		left := s.Client(t).PTTL(t.Context(), c.names("k").lock).Val()
		if left > goneLease {
			t.Errorf("life of a killed holder's lease: got %v, want %v at most", left, goneLease)
		}
		l := mustLock(t, c, "k")
		wantLoad(t, c, "k", "before")
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAHolderThatWasStoppedBeyondItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
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
			c := New(s.Client(t), patient)
			mustStore(t, mustLock(t, c, "k"), "before", time.Hour)
			h := startHolder(t, s, goneLease)
			h.Stop(t)
			l := mustLock(t, c, "k")
			meanwhile(t, l)
			want, err := c.Load(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			h.Signal(t, syscall.SIGCONT)
			h.Tell(t, "write")
			h.Expect(t, "store lost: true")
			h.Expect(t, "delete lost: true")
			h.Expect(t, "unlock: <nil>")
			wantLoad(t, c, "k", string(want.Data))
			if name == "another holds the lease" {
				mustStore(t, l, "of the present holder", time.Hour)
			}
		})
	}
}

// A holder that works for longer than its lease lives keeps it, unless its machine
// lets it do nothing for most of that.
func TestAHolderThatIsAliveKeepsTheLease(t *testing.T) {
	longtest.Run(t)
	const life = 5 * time.Second
	s := redistest.Start(t)
	c := New(s.Client(t), patient)
	h := startHolder(t, s, life)
	ctx, cancel := context.WithTimeout(t.Context(), 2*life)
	defer cancel()
	if l, err := c.Lock(ctx, "k"); err == nil {
		_ = l.Unlock()
		t.Errorf("Lock, while a process holds the lease for twice its life: got the lease, want none")
	}
	h.Tell(t, "write")
	h.Expect(t, "store lost: false")
	wantLoad(t, c, "k", "of the former holder")
}
