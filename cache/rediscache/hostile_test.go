package rediscache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// All of this file is C10: what somebody can do who can write to Redis.

// absurd is a life in milliseconds that no time.Duration can be.
const absurd = "9200000000000000000"

// plant runs a command as somebody does who is no store.
func plant(t testing.TB, client redis.UniversalClient, command string, arguments ...any) {
	t.Helper()
	if err := client.Do(t.Context(), append([]any{command}, arguments...)...).Err(); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

func TestWhateverStandsInAnEntrysPlaceIsAMissThatSaysSoAndIsReplaced(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server redis.Options) {
		client := redis.NewClient(&server)
		t.Cleanup(func() { _ = client.Close() })
		c := New(client, patient)
		for name, put := range map[string]func(t *testing.T, entry string){
			"a list":                   func(t *testing.T, entry string) { plant(t, client, "RPUSH", entry, "a", "b") },
			"a hash":                   func(t *testing.T, entry string) { plant(t, client, "HSET", entry, "a", "b") },
			"a text of a few bytes":    func(t *testing.T, entry string) { plant(t, client, "SET", entry, "few") },
			"a text of many megabytes": func(t *testing.T, entry string) { plant(t, client, "SET", entry, strings.Repeat("x", 20<<20)) },
		} {
			t.Run(name, func(t *testing.T) {
				key := strings.ReplaceAll(name, " ", "-")
				put(t, c.names(key).entry)
				_, err := c.Load(t.Context(), key)
				held := mustLock(t, c, key)
				_, loadedErr := held.(cache.LoadedLease).Loaded()
				for call, err := range map[string]error{"Load": err, "Loaded": loadedErr} {
					if !errors.Is(err, cache.ErrMiss) || err == cache.ErrMiss {
						t.Errorf("%s: got error %v, want one that Is ErrMiss and says why", call, err)
					}
				}
				mustStore(t, held, "data", time.Hour)
				wantLoad(t, c, key, "data")
			})
		}
	})
}

func TestAnEntryMayHaveOneMebibyteAndNoMore(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server redis.Options) {
		client := redis.NewClient(&server)
		t.Cleanup(func() { _ = client.Close() })
		c := New(client, patient)
		large := strings.Repeat("x", maxData)
		held := mustLock(t, c, "k")
		if err := held.Store(t.Context(), cache.Entry{Data: []byte(large + "x")}); err == nil || errors.Is(err, cache.ErrLeaseLost) {
			t.Errorf("Store of %d bytes: got error %v, want one that says that it is too much", maxData+1, err)
		}
		mustStore(t, held, large, time.Hour)
		if e, err := c.Load(t.Context(), "k"); err != nil || string(e.Data) != large {
			t.Errorf("Load: got %d bytes and error %v, want the %d that were stored", len(e.Data), err, maxData)
		}
	})
}

func TestAnEntryWhoseLifeWasChangedHasALifeThatIsNotOver(t *testing.T) {
	client := redistest.Start(t).Client(t)
	c := New(client, patient)
	for command, arguments := range map[string][]any{"PERSIST": nil, "PEXPIRE": {absurd}} {
		mustStore(t, mustLock(t, c, "k"), "data", time.Hour)
		plant(t, client, command, append([]any{c.names("k").entry}, arguments...)...)
		e := wantLoad(t, c, "k", "data")
		if isUnknown := command == "PERSIST"; e.TTL < 0 || isUnknown != (e.TTL == 0) {
			t.Errorf("TTL after %s %v: got %v, want one that is not over, or 0 where the life is unknown", command, arguments, e.TTL)
		}
	}
}

// locks are what somebody may put in the place of a lock, to live for ever or for
// an absurd time.
var locks = map[string]func(t testing.TB, client redis.UniversalClient, lock string){
	"a text without a life": func(t testing.TB, client redis.UniversalClient, lock string) {
		plant(t, client, "SET", lock, "somebody")
	},
	"a list without a life": func(t testing.TB, client redis.UniversalClient, lock string) {
		plant(t, client, "RPUSH", lock, "somebody")
	},
	"a text with a year to live": func(t testing.TB, client redis.UniversalClient, lock string) {
		plant(t, client, "SET", lock, "somebody", "PX", (365 * 24 * time.Hour).Milliseconds())
	},
}

func TestALockThatSomebodyPlantedIsWaitedForNoLongerThanALeaseLives(t *testing.T) {
	for name, put := range locks {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
				c, _ := open(t, m)
				put(t, c.client, c.names("k").lock)
				start := time.Now()
				held := mustLock(t, c, "k")
				if got, most := time.Since(start), defaultLease+lastPause; got > most {
					t.Errorf("wait for the lease: got %v, want %v at most", got, most)
				}
				mustStore(t, held, "data", time.Hour)
				wantLoad(t, c, "k", "data")
			})
		})
	}
}

func TestALockThatSomebodyPlantedOnAServerDoesNotStay(t *testing.T) {
	client := redistest.Start(t).Client(t)
	c := New(client, WithLease(100*time.Millisecond), patient)
	locks["a text with an absurd life"] = func(t testing.TB, client redis.UniversalClient, lock string) {
		plant(t, client, "SET", lock, "somebody", "PX", absurd)
	}
	for name, put := range locks {
		t.Run(name, func(t *testing.T) {
			put(t, client, c.names("k").lock)
			if err := mustLock(t, c, "k").Unlock(); err != nil { // within a minute
				t.Errorf("Unlock: got error %v, want none", err)
			}
		})
	}
}

// A lease that lives longer than the waiter's own is another program's setting.
func TestALeaseOfAMinuteIsLeftAlone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *miniredis.Miniredis) {
		holder, way := open(t, m, WithLease(time.Hour))
		waiter, _ := open(t, m)
		mustLock(t, holder, "k")
		way.set(func(l *line) { l.isCut = true })
		start := time.Now()
		held, err := waiter.Lock(t.Context(), "k")
		if err != nil {
			t.Fatalf("Lock: got error %v, want the lease", err)
		}
		defer held.Unlock()
		way.set(func(l *line) { l.isCut = false })
		if got := time.Since(start); got < longestLease || got > longestLease+lastPause {
			t.Errorf("wait for a lease that was to live for an hour: got %v, want %v", got, longestLease)
		}
	})
}

// A server that is none of ours, or one that was taken over.
func TestAnAnswerThatNoScriptGivesIsNeitherALeaseNorAnEntryNorABusyLoop(t *testing.T) {
	c, _, p := behindProxy(t, redis.Options{Addr: miniredis.RunT(t).Addr()})
	for _, answer := range []string{":0\r\n", ":-5\r\n", "+OK\r\n", "*0\r\n", "_\r\n", "#t\r\n", ",1.5\r\n"} {
		p.answerItself(acquireScript.Hash(), answer)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := c.Lock(ctx, "k"); err == nil || errors.Is(err, cache.ErrMiss) || ctx.Err() != nil {
			t.Errorf("Lock, answered %q: got error %v, want one that is about the answer, at once", answer, err)
		}
		cancel()
	}
	for _, answer := range []string{":0\r\n", "+OK\r\n", "*0\r\n", "*1\r\n:1\r\n", "*2\r\n:1\r\n+x\r\n", "_\r\n"} {
		p.answerItself(loadScript.Hash(), answer)
		if e, err := c.Load(t.Context(), "k"); err == nil {
			t.Errorf("Load, answered %q: got an entry of %d bytes, want an error", answer, len(e.Data))
		}
	}
	value := newLeaseValue() + "data"
	p.answerItself(loadScript.Hash(), fmt.Sprintf("*2\r\n$%d\r\n%s\r\n:9223372036854775807\r\n", len(value), value))
	if e := wantLoad(t, c, "k", "data"); e.TTL <= 0 {
		t.Errorf("TTL of an entry with an absurd life: got %v, want a long one", e.TTL)
	}
	p.answerItself(acquireScript.Hash(), ":9223372036854775807\r\n")
	before := p.answered.Load()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Lock(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of a lease with an absurd life: got error %v, want the context's", err)
	}
	if got, most := p.answered.Load()-before, int64(10); got > most {
		t.Errorf("questions in 200 ms: got %d, want %d at most", got, most)
	}
}
