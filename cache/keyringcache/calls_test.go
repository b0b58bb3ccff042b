package keyringcache

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// All of this file is C7: calls are bounded in time.

const bound = 2 * time.Second

func succeed() (*secret, error) { return &secret{}, nil }

// hanging returns an operation that hangs until release is called.
func hanging() (f func() (*secret, error), release func()) {
	released := make(chan struct{})
	return func() (*secret, error) { <-released; return &secret{}, nil }, func() { close(released) }
}

func (c *calls) mustFail(t *testing.T, f func() (*secret, error), wait time.Duration, what string) {
	t.Helper()
	began := time.Now()
	_, err := c.run(t.Context(), bound, f)
	if _, isNoAnswer := errors.AsType[*noAnswerError](err); !isNoAnswer {
		t.Errorf("%s: got error %v, want that there was no answer", what, err)
	}
	if got := time.Since(began); got != wait {
		t.Errorf("%s: got the error after %v, want it after %v", what, got, wait)
	}
}

func TestACallThatHangsEndsWithItsBoundAndFurtherOnesFailAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		hang, release := hanging()
		c.mustFail(t, hang, bound, "the call that hangs")
		c.mustFail(t, succeed, 0, "the next call")
		time.Sleep(giveUpAfter / 2)
		c.mustFail(t, succeed, 0, "a call half a minute later")
		release()
		synctest.Wait()
		if _, err := c.run(t.Context(), bound, succeed); err != nil {
			t.Errorf("a call after the one that hung returned: got error %v, want none", err)
		}
	})
}

func TestCallsTakeTurnsAndTheWaitCountsForTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		var underWay atomic.Int32
		slow := func() (*secret, error) {
			if got := underWay.Add(1); got > 1 {
				t.Errorf("operations under way: got %d, want 1 at a time", got)
			}
			time.Sleep(bound * 2 / 5)
			underWay.Add(-1)
			return &secret{}, nil
		}
		ended := make(chan error)
		for range 3 {
			go func() { _, err := c.run(t.Context(), bound, slow); ended <- err }()
		}
		var failed int
		began := time.Now()
		for range 3 {
			if err := <-ended; err != nil {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("failures of three calls that take two fifths of the bound each: got %d, want 1, of the last", failed)
		}
		if got := time.Since(began); got != bound {
			t.Errorf("the last of them ended after %v, want %v", got, bound)
		}
		time.Sleep(bound)
	})
}

func TestAHungCallIsGivenUpAfterAMinuteAndOnlyFourAreLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		var begun atomic.Int32
		hang, release := hanging()
		count := func() (*secret, error) { begun.Add(1); return hang() }
		for range 10 {
			_, _ = c.run(t.Context(), bound, count)
			time.Sleep(giveUpAfter)
		}
		if got, want := int(begun.Load()), maxGivenUp+1; got != want {
			t.Errorf("calls begun in ten minutes while all hang: got %d, want %d", got, want)
		}
		release()
		synctest.Wait()
		if c.left() != nil || c.givenUp != 0 {
			t.Errorf("after all returned: got current %v and %d given up, want none", c.left(), c.givenUp)
		}
		if _, err := c.run(t.Context(), bound, succeed); err != nil {
			t.Errorf("a call after all returned: got error %v, want none", err)
		}
	})
}

func TestACallerThatLeavesDoesNotStopTheCallNorDelayOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		hang, release := hanging()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(bound/4, cancel)
		if _, err := c.run(ctx, bound, hang); !errors.Is(err, context.Canceled) {
			t.Errorf("a call whose context ends: got error %v, want one that Is the context's", err)
		}
		time.AfterFunc(bound/4, release)
		began := time.Now()
		if _, err := c.run(t.Context(), bound, succeed); err != nil {
			t.Errorf("the next call: got error %v, want none", err)
		}
		if got := time.Since(began); got != bound/4 {
			t.Errorf("the next call took %v, want %v, what was left of the one before", got, bound/4)
		}
		var begun atomic.Bool
		_, err := c.run(ctx, bound, func() (*secret, error) { begun.Store(true); return &secret{}, nil })
		synctest.Wait()
		if !errors.Is(err, context.Canceled) || begun.Load() {
			t.Errorf("a call with a context that is over: got error %v and begun %v, want the context's and false", err, begun.Load())
		}
	})
}

func TestAPanicInTheKeyringPackageIsAnErrorAndWedgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		c.mustFail(t, func() (*secret, error) { panic("no signal") }, 0, "a call that panics")
		if _, err := c.run(t.Context(), bound, succeed); err != nil {
			t.Errorf("the next call: got error %v, want none", err)
		}
	})
}

func TestAnAnswerThatComesLateCountsForLaterCalls(t *testing.T) {
	directory := t.TempDir() + "/cache"
	writer, _ := newCache(t, directory)
	mustStore(t, writer, "account", "data")

	c, counting := newCache(t, directory, WithTimeout(10*time.Millisecond))
	c.calls = newCalls()
	counting.hang = make(chan struct{})
	for range 2 {
		_, err := c.Load(t.Context(), "account")
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, cache.ErrMiss) {
			t.Errorf("Load while the keyring hangs: got error %v, want one that Is ErrUnavailable and not ErrMiss", err)
		} else if !strings.Contains(err.Error(), "has not answered") {
			t.Errorf("Load while the keyring hangs: got error %q, want %q in it", err, "has not answered")
		}
	}
	left := c.calls.left()
	close(counting.hang)
	<-left.done
	wantLoad(t, c, "account", "data")
	if counting.reads != 1 {
		t.Errorf("calls to the keyring: got %d, want 1, whose answer came late", counting.reads)
	}
}

// newCalls are apart from those to the system's keyring, which a test that leaves
// a call behind would block for the others.
func newCalls() *calls { return &calls{} }

// left is the operation that a caller left behind.
func (c *calls) left() *operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}
