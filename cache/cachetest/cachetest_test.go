package cachetest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

func demandNamed(t *testing.T, name string) demand {
	t.Helper()
	i := slices.IndexFunc(demands, func(d demand) bool { return d.name == name })
	if i < 0 {
		t.Fatalf("the table has the demand %q, which the suite does not make", name)
	}
	return demands[i]
}

// C8
func TestAStoreBrokenOnPurposeFails(t *testing.T) {
	for _, b := range broken {
		t.Run(strings.ReplaceAll(string(b.flaw), " ", "-"), func(t *testing.T) {
			const life = time.Second
			for name := range strings.FieldsSeq(b.demands) {
				r := verdict(t, demandNamed(t, name),
					func(t *testing.T) cache.Cache { return newShelf(t, b.flaw, life) },
					WithSecondHandle(anotherHandle), WithLeaseLife(life), WithPrecision(10*time.Millisecond))
				if !r.Failed() {
					t.Errorf("%s of a store with %s: got a pass, want a failure", name, b.flaw)
				}
				for _, failure := range r.failures {
					t.Logf("%s: %s", name, failure)
					if !strings.Contains(failure, "got ") || !strings.Contains(failure, "want ") {
						t.Errorf("%s of a store with %s: got the message %q, want one that says what the store did and what it should", name, b.flaw, failure)
					}
				}
			}
		})
	}
}

func TestEachDemandIsFailedBySomeBrokenStore(t *testing.T) {
	failed := map[string]bool{}
	for _, b := range broken {
		for name := range strings.FieldsSeq(b.demands) {
			failed[name] = true
		}
	}
	for _, d := range demands {
		if !failed[d.name] {
			t.Errorf("%s: got no store that fails it, want one at least: a check that cannot fail is none", d.name)
		}
	}
}

// What the failures of the table are worth: the same store without a flaw.
func TestAStoreThatDoesAsItShouldPasses(t *testing.T) {
	const life = time.Second
	open := func(t *testing.T) cache.Cache { return newShelf(t, noFlaw, life) }
	t.Run("by-itself", func(t *testing.T) {
		RunInBubble(t, open, WithLeaseLife(life))
	})
	t.Run("with-two-handles", func(t *testing.T) {
		RunInBubble(t, open, WithSecondHandle(anotherHandle), WithLeaseLife(life))
	})
	t.Run("whose-leases-end-by-an-accident-only", func(t *testing.T) {
		RunInBubble(t, func(t *testing.T) cache.Cache { return newShelf(t, noFlaw, 0) },
			WithSecondHandle(anotherHandle), WithLeaseLoss(lose))
	})
	t.Run("whose-clock-is-turned-by-hand", func(t *testing.T) {
		var turned atomic.Int64
		RunInBubble(t, func(t *testing.T) cache.Cache {
			h := newShelf(t, noFlaw, life)
			h.now = func() time.Time { return time.Unix(0, turned.Load()) }
			return h
		}, WithLeaseLife(life), WithSleep(func(d time.Duration) { turned.Add(int64(d)) }))
	})
	t.Run("that-counts-in-seconds", func(t *testing.T) {
		RunInBubble(t, func(t *testing.T) cache.Cache {
			h := newShelf(t, noFlaw, 10*time.Second)
			h.now = func() time.Time { return time.Now().Truncate(time.Second) }
			return h
		}, WithLeaseLife(10*time.Second), WithPrecision(time.Second))
	})
	t.Run("whose-Store-ends-the-lease", func(t *testing.T) {
		RunInBubble(t, func(t *testing.T) cache.Cache {
			h := newShelf(t, noFlaw, life)
			h.storeEnds = true
			return h
		}, WithSecondHandle(anotherHandle), WithLeaseLife(life))
	})
	t.Run("in-real-time", func(t *testing.T) {
		Run(t, func(t *testing.T) cache.Cache { return newShelf(t, noFlaw, 700*time.Millisecond) },
			WithSecondHandle(anotherHandle), WithLeaseLife(700*time.Millisecond))
	})
}

func TestTheLossOfALeaseIsSkippedWhereItIsNotKnownHow(t *testing.T) {
	for _, name := range []string{"ALostLeaseWritesNothing", "UnlockOfALostLeaseLeavesTheNextHolderAlone"} {
		r := verdict(t, demandNamed(t, name), func(t *testing.T) cache.Cache { return newShelf(t, noFlaw, 0) })
		if !r.isSkipped || r.Failed() {
			t.Errorf("%s without options: got skipped=%v and failures %q, want it skipped", name, r.isSkipped, r.failures)
		}
	}
}

func TestTheLossOfALeaseIsTriedAsTheOptionSays(t *testing.T) {
	for f, name := range map[flaw]string{
		storesAfterLoss: "ALostLeaseWritesNothing",
		lostUnlockFrees: "UnlockOfALostLeaseLeavesTheNextHolderAlone",
	} {
		r := verdict(t, demandNamed(t, name), func(t *testing.T) cache.Cache { return newShelf(t, f, 0) }, WithLeaseLoss(lose))
		if r.isSkipped || !r.Failed() {
			t.Errorf("%s of a store with %s, with WithLeaseLoss: got skipped=%v and failures %q, want a failure", name, f, r.isSkipped, r.failures)
		}
	}
}

// Lives are tried that are long enough to be told from none.
func TestAStoreThatCountsInSecondsIsNotExcused(t *testing.T) {
	for f, name := range map[flaw]string{
		endsBeforeTTL: "AnEntryWhoseLifeIsOverIsAMiss",
		ttlIsRounded:  "AnEntryWhoseLifeIsOverIsAMiss",
		ttlIsConstant: "TheTTLIsTheLifeThatIsLeft",
	} {
		r := verdict(t, demandNamed(t, name), func(t *testing.T) cache.Cache { return newShelf(t, f, 0) }, WithPrecision(time.Second))
		if !r.Failed() {
			t.Errorf("%s of a store with %s, with a precision of a second: got a pass, want a failure", name, f)
		}
	}
}

// A busy machine: every call takes longer than a lease lives.
func TestAMachineThatIsTooSlowIsNotTakenForABrokenStore(t *testing.T) {
	const life = 100 * time.Millisecond
	for _, d := range demands {
		t.Run(d.name, func(t *testing.T) {
			r := verdict(t, d, func(t *testing.T) cache.Cache {
				return slowStore{newShelf(t, noFlaw, life), life}
			}, WithLeaseLife(life), WithPrecision(time.Millisecond))
			for _, failure := range r.failures {
				if !strings.Contains(failure, "slow") {
					t.Errorf("%s: got the failure %q, want none, or one that tells of a slow machine", d.name, failure)
				}
			}
		})
	}
}

func TestALeaseThatComesTooLateIsGivenBack(t *testing.T) {
	for name, hasLease := range map[string]bool{"a-lease": true, "neither-a-lease-nor-an-error": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late := lateStore{Cache: newShelf(t, noFlaw, 0), until: make(chan struct{}), hasLease: hasLease}
				h := newSubject(t, func(*testing.T) cache.Cache { return late }, nil).first
				if _, err := h.lockWithin(brief, "late"); !errors.Is(err, errStuck) {
					t.Errorf("Lock of a store that does not return: got error %v, want %q", err, errStuck)
				}
				close(late.until)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), brief)
				defer cancel()
				next, err := late.Cache.Lock(ctx, "late")
				if err != nil {
					t.Fatalf("Lock after one that was given up has returned: got error %q, want the lease", err)
				}
				_ = next.Unlock()
			})
		})
	}
}

const brokenRunVariable = "CACHETEST_RUN_A_BROKEN_STORE"

// Run itself, in a process whose tests fail.
func TestRunFailsTheTestOfABrokenStore(t *testing.T) {
	open := func(t *testing.T) cache.Cache { return newShelf(t, lockDoesNotExclude, 0) }
	if os.Getenv(brokenRunVariable) != "" {
		Run(t, open)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), brokenRunVariable+"=1")
	output, err := child.CombinedOutput()
	if err == nil {
		t.Errorf("the test of a store whose lock does not exclude: got a pass, want a failure. Its output:\n%s", output)
	}
	for _, want := range []string{"--- FAIL: " + t.Name() + "/OneHolderAtATime", "--- PASS: " + t.Name() + "/AnUnknownKeyIsAMiss", "got a second lease, want"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("the output of the test of a store whose lock does not exclude: got none of %q, want it in:\n%s", want, output)
		}
	}
}
