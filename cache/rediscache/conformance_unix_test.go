//go:build unix

package rediscache

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

func TestConformanceOnAServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	judge(t, func(t *testing.T) redis.UniversalClient { return s.Client(t) })
}

// The user has no rights but those that the package's documentation lists.
func TestConformanceOverTLSWithTheDocumentedRights(t *testing.T) {
	longtest.Run(t)
	s := startTLSServer(t, "user fleet on >secret "+documentedRights(t, false))
	connect := connectTo(redis.UniversalOptions{
		Addrs: []string{s.Options.Addr}, TLSConfig: s.Options.TLSConfig, Username: "fleet", Password: "secret",
	})
	judge(t, connect)
	t.Run("Renewal", func(t *testing.T) {
		held := mustLock(t, New(connect(t), WithLease(5*time.Second), patient), "k")
		time.Sleep(8 * time.Second)
		mustStore(t, held, "data", time.Hour)
	})
}

func TestConformanceOnAClusterWithTheDocumentedRights(t *testing.T) {
	longtest.Run(t)
	nodes := startCluster(t, 3, "user fleet on >secret "+documentedRights(t, true))
	judge(t, connectTo(redis.UniversalOptions{
		Addrs: nodes.addresses(), IsClusterMode: true, Username: "fleet", Password: "secret",
	}))
	for _, node := range nodes {
		entries := node.Client(t).DBSize(t.Context()).Val()
		t.Logf("node %s has %d keys", node.Options.Addr, entries)
		if entries == 0 {
			t.Errorf("keys on node %s: got 0, want some: the test was about no more than a part of the Cluster", node.Options.Addr)
		}
	}
}

// What was stored before the failover is there after it: the replica had it.
func TestASentinelsFailoverKeepsTheEntry(t *testing.T) {
	longtest.Run(t)
	port := redistest.FreePort(t)
	master := redistest.StartAt(t, redis.Options{Addr: redistest.Loopback(port)}, fmt.Sprintf("port %d", port))
	sentinel := startSentinel(t, master)
	c := New(connectTo(redis.UniversalOptions{MasterName: "sessions", Addrs: []string{sentinel}})(t), patient)
	mustStore(t, mustLock(t, c, "k"), "before", time.Hour)
	if got := master.Client(t).Wait(t.Context(), 1, 5*time.Second).Val(); got != 1 {
		t.Fatalf("replicas that have the entry: got %d, want 1", got)
	}
	master.Kill()
	redistest.WaitFor(t, "the failover", func() bool { _, err := c.Load(t.Context(), "k"); return err == nil })
	wantLoad(t, c, "k", "before")
	redistest.WaitFor(t, "the new master to take a lease", func() bool {
		l, err := c.Lock(t.Context(), "k")
		return err == nil && l.Store(t.Context(), cache.Entry{Data: []byte("after"), TTL: time.Hour}) == nil
	})
	wantLoad(t, c, "k", "after")
}

// documentedRights returns the ACL rules that doc.go lists, for a single server
// in the first block and what a Cluster adds in the second.
func documentedRights(t *testing.T, isCluster bool) string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "// # Access rights")
	var rules []string
	blocks, wasRule := 0, false
	for line := range strings.Lines(section) {
		rule, isRule := strings.CutPrefix(line, "//\t")
		if isRule && !wasRule {
			blocks++
		}
		if isRule && (blocks == 1 || isCluster) {
			rules = append(rules, strings.TrimSpace(rule))
		}
		wasRule = isRule
	}
	if blocks != 2 {
		t.Fatalf("blocks of ACL rules in doc.go: got %d, want 2", blocks)
	}
	return strings.Join(rules, " ")
}
