// Package sharing is a token source's use of a cache: it seals what goes in, judges
// what comes out, and bounds every call. What follows from it is decided in package
// core.
package sharing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/contained"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/internal/sealing"
)

// Sharing is a source's use of its cache. It is used by the operation under way,
// of which there is one at a time, and needs no lock.
type Sharing struct {
	Store   cache.Cache
	Host    string               // the server's
	Refusal func(error) *Refusal // what can be told to others of a server's error; nil: nothing
	Error   func(*Refusal) error // the error that this was

	sealer *sealing.Sealer // of the account's entry; nil before the credentials are known
	of     core.Fingerprint
	seen   entryID        // what the entry was when it was last read
	ahead  *time.Duration // of the local clock, as the last answer told; nil: none has
}

// aheadOf is what the sources of the process have learned of a host's clock, for
// one that has not asked it yet.
var aheadOf sync.Map // of time.Duration

// Refusal is what a server said, as others are told it.
type Refusal struct {
	Op, Host   string
	StatusCode int
	Type       string
	Message    string
	RetryAfter time.Duration
}

// Know has the account's entry sealed for these credentials, unless it is
// already: to derive a key takes its time.
func (sh *Sharing) Know(of core.Fingerprint, derive func() *sealing.Sealer) {
	if sh.sealer == nil || sh.of != of {
		sh.sealer, sh.of = derive(), of
	}
}

// Named reports whether it is known which entry is the account's.
func (sh *Sharing) Named() bool { return sh.sealer != nil }

// Name is what the account's entry is called.
func (sh *Sharing) Name() string { return sh.sealer.Name() }

// Learn notes by how much the local clock is ahead of the server's, from a
// session that has just been issued.
func (sh *Sharing) Learn(token string, expiresAt time.Time) {
	if exp := lifetime.OfToken(token).Expiry; !exp.IsZero() && !expiresAt.IsZero() {
		by := max(0, expiresAt.Sub(exp))
		sh.ahead = &by
		aheadOf.Store(sh.Host, by)
	}
}

// clockAhead is by how much the local clock is ahead of the server's, as far as is
// known.
func (sh *Sharing) clockAhead() time.Duration {
	if sh.ahead != nil {
		return *sh.ahead
	}
	by, _ := aheadOf.Load(sh.Host)
	known, _ := by.(time.Duration)
	return known
}

// Load reads the account's entry.
func (sh *Sharing) Load(ctx context.Context, clock func() time.Time) core.Input {
	asked, store, name := clock(), sh.Store, sh.sealer.Name()
	entry, err := contained.Within(ctx, 0, nil, func(ctx context.Context) (cache.Entry, error) {
		return store.Load(ctx, name)
	})
	return sh.examine(asked, entry, err)
}

// Lock waits for the entry's lease, and reads the entry again. If somebody stores
// another entry meanwhile, the wait is over without the lease: in a crowd each
// would else have to hold it, one after the other (T18).
func (sh *Sharing) Lock(ctx context.Context, clock func() time.Time) (cache.Lease, core.Input) {
	store, name, seen := sh.Store, sh.sealer.Name(), sh.seen
	waiting, leave := context.WithCancel(ctx)
	defer leave()
	changed := make(chan loaded, 1)
	first := time.AfterFunc(untilLook()/2, func() { // a sign-in takes less than half a second, mostly
		if l, ok := awaitChange(waiting, store, name, seen, clock); ok {
			changed <- l
			leave()
		}
	})
	defer first.Stop()
	lease, err := contained.Within(waiting, 0, Unlock, func(ctx context.Context) (cache.Lease, error) {
		lease, err := store.Lock(ctx, name)
		if lease == nil && err == nil {
			err = errors.New("the store returned none")
		}
		return lease, err
	})
	if err != nil {
		select {
		case l := <-changed:
			in := sh.examine(l.asked, l.entry, nil)
			in.Outcome = core.Changed
			return nil, in
		default:
		}
		return nil, core.Input{Outcome: core.Away, Err: sh.withoutCache("take the lease", err)}
	}
	if loaded, ok := lease.(cache.LoadedLease); ok {
		entry, err := contained.Call(loaded.Loaded)
		return lease, sh.examine(clock(), entry, err)
	}
	read, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLoad)
	defer cancel()
	in := sh.Load(read, clock)
	if in.Outcome != core.OK { // the lease is held all the same
		in.Outcome = core.OK
	}
	return lease, in
}

// longestLoad bounds the look that follows a lease, and those of who awaits one.
const longestLoad = 250 * time.Millisecond

// loaded is what a Load returned that began when it was asked.
type loaded struct {
	entry cache.Entry
	asked time.Time
}

// awaitChange looks at an entry again and again until it is not what it was, or
// ctx ends.
func awaitChange(ctx context.Context, store cache.Cache, name string, was entryID, clock func() time.Time) (loaded, bool) {
	for ctx.Err() == nil {
		asked := clock()
		read, cancel := context.WithTimeout(ctx, longestLoad)
		entry, err := contained.Within(read, 0, nil, func(ctx context.Context) (cache.Entry, error) { return store.Load(ctx, name) })
		cancel()
		if err == nil && idOf(entry) != was {
			return loaded{entry, asked}, true
		}
		select {
		case <-time.After(untilLook()):
		case <-ctx.Done():
		}
	}
	return loaded{}, false
}

// untilLook is how long who awaits a lease waits before each look: about once a
// second, and not in step with others.
func untilLook() time.Duration { return lookEvery/2 + rand.N(lookEvery/2) }

const lookEvery = time.Second

// entryID tells the entries of one name apart. It is of the sealing: no two are
// alike.
type entryID [12]byte

func idOf(e cache.Entry) (id entryID) {
	copy(id[:], e.Data)
	return id
}

// longestUnlock bounds what is waited for a store to take a lease back.
const longestUnlock = time.Second

// examine tells what a Load returned that began at now, so that a slow one makes
// a session's life too short and never too long.
func (sh *Sharing) examine(now time.Time, entry cache.Entry, err error) core.Input {
	sh.seen = idOf(entry)
	switch {
	case err == cache.ErrMiss:
		return core.Input{}
	case errors.Is(err, cache.ErrMiss):
		return core.Input{Err: sh.withoutCache("", err)}
	case err != nil:
		return core.Input{Outcome: core.Away, Err: sh.withoutCache("load the entry", err)}
	}
	f, err := sh.open(entry, now)
	if err != nil {
		return core.Input{Err: sh.withoutCache("the entry cannot be used, and will be replaced", err)}
	}
	return core.Input{Session: f.session, Doubtful: f.doubtful, Notice: f.notice}
}

// Write stores a session, a notice, or both.
func (sh *Sharing) Write(ctx context.Context, lease cache.Lease, op core.Op, now time.Time) core.Input {
	entry, ok := sh.seal(op.Session, op.Notice, core.At(now))
	if !ok {
		return core.Input{}
	}
	return sh.stored("store the session", ctx, func(ctx context.Context) error { return lease.Store(ctx, entry) })
}

// Remove deletes the entry of a session that was revoked.
func (sh *Sharing) Remove(ctx context.Context, lease cache.Lease) core.Input {
	return sh.stored("delete the entry", ctx, func(ctx context.Context) error { return lease.Delete(ctx) })
}

func (sh *Sharing) stored(what string, ctx context.Context, call func(context.Context) error) core.Input {
	_, err := contained.Within(ctx, 0, nil, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	if err != nil {
		return core.Input{Outcome: core.Away, Err: sh.withoutCache(what, err)}
	}
	return core.Input{}
}

// Unlock gives a lease back. An error has no consequence: the lease ends with its
// life.
func Unlock(lease cache.Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), longestUnlock)
	defer cancel()
	contained.Within(ctx, 0, nil, func(context.Context) (struct{}, error) { return struct{}{}, lease.Unlock() })
}

// withoutCache is the error of a cache that is done without.
func (sh *Sharing) withoutCache(what string, err error) error {
	if text := err.Error(); strings.Contains(text, sh.Name()) {
		err = &nameless{strings.ReplaceAll(text, sh.Name(), "[the entry's name]"), err}
	}
	if what != "" {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("jwtsession: the cache is done without: %w", err)
}

// nameless is an error without the name of an entry, which tests guesses at a password:
// who reads a log need not be who can list the store (C10).
type nameless struct {
	text string
	err  error
}

func (e *nameless) Error() string { return e.text }
func (e *nameless) Unwrap() error { return e.err }
