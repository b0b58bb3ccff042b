//go:build unix

package rediscache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// C6, with the documented rights, and on a Cluster whichever nodes the waiter
// listens at and the keys are on.
func TestTheEndOfALeaseIsAnnounced(t *testing.T) {
	announcements := func(t *testing.T, options redis.UniversalOptions, nodes ...*redistest.Server) {
		options.Username, options.Password = "fleet", "secret"
		holder, waiter := New(connectTo(options)(t), patient), New(connectTo(options)(t), patient)
		for i := range 20 {
			key := fmt.Sprintf("k%d", i)
			channel := waiter.names(key).channel
			announced := waiter.hints.join(channel)
			redistest.WaitFor(t, "the waiter to listen", func() bool {
				var listening int64
				for _, node := range nodes {
					listening += node.Client(t).PubSubNumPat(t.Context()).Val()
				}
				return listening == 1
			})
			l := mustLock(t, holder, key)
			if i%2 == 0 {
				mustStore(t, l, "data", time.Hour)
			} else if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-announced:
			case <-time.After(time.Minute):
				t.Fatalf("the end of the lease on %q: got no announcement in a minute, want one", key)
			}
			waiter.hints.leave(channel, announced)
		}
		redistest.WaitFor(t, "the waiter to hang up", func() bool {
			for _, node := range nodes {
				if node.Client(t).PubSubNumPat(t.Context()).Val() > 0 {
					return false
				}
			}
			return true
		})
	}
	t.Run("over TLS", func(t *testing.T) {
		s := startTLSServer(t, "user fleet on >secret "+documentedRights(t, false))
		announcements(t, redis.UniversalOptions{Addrs: []string{s.Options.Addr}, TLSConfig: s.Options.TLSConfig}, s)
	})
	t.Run("in a Cluster", func(t *testing.T) {
		longtest.Run(t)
		nodes := startCluster(t, 3, "user fleet on >secret "+documentedRights(t, true))
		announcements(t, redis.UniversalOptions{Addrs: nodes.addresses(), IsClusterMode: true}, nodes...)
	})
}

// C6: pub/sub is only a hint.
func TestWithoutTheRightToChannelsThoseWhoWaitGetTheLeaseAllTheSame(t *testing.T) {
	rights, _, isCut := strings.Cut(documentedRights(t, false), "&{")
	if !isCut || strings.Contains(rights, "publish") {
		t.Fatalf("rights that are not about channels: got %q, want the first lines of the list", rights)
	}
	s := redistest.Start(t, "user fleet on >secret "+rights)
	options := s.Options
	options.Username, options.Password = "fleet", "secret"
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	c := New(client, patient)
	held := mustLock(t, c, "k")
	got := make(chan error)
	go func() {
		l, err := c.Lock(t.Context(), "k")
		if err == nil {
			err = l.Unlock()
		}
		got <- err
	}()
	denied := func(what string) func() bool {
		return func() bool { return strings.Contains(s.Client(t).Do(t.Context(), "ACL", "LOG").String(), what) }
	}
	redistest.WaitFor(t, "the server to deny that the waiter listens", denied("psubscribe"))
	mustStore(t, held, "data", time.Hour)
	if err := <-got; err != nil {
		t.Errorf("Lock of one who waited: got %v, want the lease", err)
	}
	redistest.WaitFor(t, "the server to deny that the holder announces the end", denied("publish"))
}

func TestARefusalSaysWhichRightsAreNeeded(t *testing.T) {
	for name, rights := range map[string]string{
		"no scripts":             "-@all ~*",
		"no command in a script": "-@all +eval +evalsha ~*",
		"no keys":                "+@all",
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t, "user fleet on >secret "+rights)
			options := s.Options
			options.Username, options.Password = "fleet", "secret"
			client := redis.NewClient(&options)
			t.Cleanup(func() { _ = client.Close() })
			_, err := New(client, patient).Load(t.Context(), "k")
			if err == nil || !strings.Contains(err.Error(), "ACL rules") || !strings.Contains(err.Error(), s.Options.Addr) {
				t.Errorf("Load without the rights: got %v, want an error that names the server and the ACL rules", err)
			}
		})
	}
}

// C6: keys share a hash slot.
func TestTheNamesOfAKeyAreInOneHashSlot(t *testing.T) {
	client := redistest.Start(t).Client(t)
	for _, key := range []string{"k", "", "}", "{}", "a{b}c", "}{", "ä:*"} {
		names := New(client).names(key)
		slots := map[int64]bool{}
		for _, name := range []string{names.entry, names.lock, names.channel} {
			slots[client.ClusterKeySlot(t.Context(), name).Val()] = true
		}
		if len(slots) != 1 {
			t.Errorf("hash slots of %q: got %d, want 1: %+v", key, len(slots), names)
		}
	}
}
