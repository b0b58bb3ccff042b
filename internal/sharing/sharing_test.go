package sharing

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
)

// broken is a store whose calls, and whose leases' calls, all do the same.
type broken struct{ do func(context.Context) error }

func (b broken) Load(ctx context.Context, _ string) (cache.Entry, error) {
	return cache.Entry{}, b.do(ctx)
}
func (b broken) Lock(ctx context.Context, _ string) (cache.Lease, error) { return b, b.do(ctx) }
func (b broken) Store(ctx context.Context, _ cache.Entry) error          { return b.do(ctx) }
func (b broken) Delete(ctx context.Context) error                        { return b.do(ctx) }
func (b broken) Unlock() error                                           { return b.do(context.Background()) }

// C10: a log is read by more people than a store is.
func TestNoErrorOfAStoreNamesTheEntry(t *testing.T) {
	var sh *Sharing
	sh = account(broken{func(context.Context) error {
		return &fs.PathError{Op: "open", Path: "/cache/" + sh.Name() + ".entry", Err: fs.ErrPermission}
	}})
	_, locked := sh.Lock(t.Context(), time.Now)
	for _, err := range []error{sh.Load(t.Context(), time.Now).Err, locked.Err, sh.Remove(t.Context(), sh.Store.(broken)).Err} {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "open /cache/[the entry's name].entry: permission denied") {
			t.Errorf("got error %v, want it without the entry's name", err)
		}
	}
}

// C4, C9: whatever a store does instead of answering, each call ends in time, and
// its error says what was tried.
func TestAStoreThatDoesNotAnswerIsDoneWithout(t *testing.T) {
	session := core.Op{Session: core.Session{Token: "opaque", Issued: at(0), Expires: at(time.Hour)}}
	for name, c := range map[string]struct {
		do   func(context.Context) error
		says string
	}{
		"fails":          {func(context.Context) error { return errors.New("the disk is full") }, "the disk is full"},
		"panics":         {func(context.Context) error { panic("a secret") }, "it panicked in "},
		"hangs":          {func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Hour); return ctx.Err() }, "no answer within 250ms"},
		"hangs and ends": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			for tried, call := range map[string]func(context.Context, *Sharing) core.Input{
				"load the entry": func(ctx context.Context, sh *Sharing) core.Input { return sh.Load(ctx, time.Now) },
				"take the lease": func(ctx context.Context, sh *Sharing) core.Input {
					_, in := sh.Lock(ctx, time.Now)
					return in
				},
				"store the session": func(ctx context.Context, sh *Sharing) core.Input {
					return sh.Write(ctx, broken{c.do}, session, midnight)
				},
				"delete the entry": func(ctx context.Context, sh *Sharing) core.Input { return sh.Remove(ctx, broken{c.do}) },
			} {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
					defer cancel()
					start := time.Now()
					in := call(ctx, account(broken{c.do}))
					waited := time.Since(start)
					time.Sleep(2 * time.Hour) // a store that hangs ends before the bubble does
					if waited > 250*time.Millisecond {
						t.Errorf("%s: it took %v, want 250 ms at most", tried, waited)
					}
					if in.Outcome != core.Away || in.Err == nil {
						t.Fatalf("%s: got %+v, want that the cache is away", tried, in)
					}
					if text := in.Err.Error(); !strings.HasPrefix(text, "jwtsession: the cache is done without: "+tried+": ") || !strings.Contains(text, c.says) || strings.Contains(text, "secret") {
						t.Errorf("%s: got error %q, want what was tried and %q", tried, text, c.says)
					}
				})
			}
		})
	}
}

// C4: a lease that comes after its caller has left is given back.
func TestALeaseThatComesTooLateIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := cache.NewMemory()
		sh := account(slow{store})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, in := sh.Lock(ctx, time.Now); in.Outcome != core.Away {
			t.Fatalf("got %+v, want that the lease is not to be had", in)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		again, cancelAgain := context.WithTimeout(t.Context(), time.Second)
		defer cancelAgain()
		if _, err := store.Lock(again, sh.Name()); err != nil {
			t.Errorf("the lease that came too late is still held: %v", err)
		}
	})
}

// slow takes half a minute for a lease, whatever its caller wants.
type slow struct{ cache.Cache }

func (s slow) Lock(ctx context.Context, key string) (cache.Lease, error) {
	time.Sleep(30 * time.Second)
	return s.Cache.Lock(context.WithoutCancel(ctx), key)
}

// C1: the lease comes with what is in the store by then; where that cannot be
// read, it is held all the same.
func TestTheLeaseComesWithWhatOthersHaveStoredMeanwhile(t *testing.T) {
	store := cache.NewMemory()
	clock := func() time.Time { return midnight }
	writer, reader := account(store), account(store)
	lease, in := writer.Lock(t.Context(), clock)
	if in.Outcome != core.OK || in.Session.Token != "" {
		t.Fatalf("the empty store: got %+v, want the lease and no session", in)
	}
	s := core.Session{Token: "opaque", Issued: at(0), Expires: at(time.Hour)}
	if in := writer.Write(t.Context(), lease, core.Op{Session: s}, midnight); in.Err != nil {
		t.Fatal(in.Err)
	}
	Unlock(lease)
	lease, in = reader.Lock(t.Context(), clock)
	if in.Session.Token != s.Token {
		t.Errorf("got %+v, want the session that was stored", in)
	}
	if in := reader.Remove(t.Context(), lease); in.Err != nil {
		t.Fatal(in.Err)
	}
	Unlock(lease)
	lease, in = account(unreadable{store}).Lock(t.Context(), clock)
	if lease == nil || in.Outcome != core.OK || in.Err == nil {
		t.Errorf("what cannot be read: got the lease %v and %+v, want it, and the error told", lease, in)
	}
	Unlock(lease)
}

// unreadable gives leases, and nothing to read.
type unreadable struct{ cache.Cache }

func (unreadable) Load(context.Context, string) (cache.Entry, error) {
	return cache.Entry{}, errors.New("the disk is full")
}

// none is a store that gives no lease, and no reason.
type none struct{ cache.Cache }

func (none) Lock(context.Context, string) (cache.Lease, error) { return nil, nil }

// C9
func TestAStoreThatReturnsNoLeaseIsDoneWithout(t *testing.T) {
	lease, in := account(none{cache.NewMemory()}).Lock(t.Context(), time.Now)
	if lease != nil || in.Outcome != core.Away || in.Err == nil || !strings.Contains(in.Err.Error(), "take the lease: the store returned none") {
		t.Errorf("got %v and %+v, want no lease and what is wrong with the store", lease, in)
	}
}
