package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
	"github.com/jwtsession/jwtsession/internal/sealing"
)

// sharing is a source's use of its Config.Cache. It is used by the operation
// under way, of which there is one at a time, and needs no lock.
type sharing struct {
	store       cache.Cache
	key         []byte // Config.CacheKey
	baseURL     string
	identity    func(Credentials) (name, secret string) // whose entry it is, at the base URL
	sealer      *sealing.Sealer                         // of the account's entry; nil before the credentials are known
	fingerprint [32]byte                                // of the credentials that the sealer belongs to
	ahead       time.Duration                           // of the local clock, as the last answer told
}

// newSharing returns nil without a cache.
func newSharing(config Config, issuer Issuer) *sharing {
	if config.Cache == nil {
		return nil
	}
	sh := &sharing{store: config.Cache, key: bytes.Clone(config.CacheKey)}
	switch client, ok := issuer.(*Client); {
	case ok:
		sh.baseURL, sh.identity = client.baseURL, client.identity
	case config.Credentials == nil:
		sh.sealer = sealing.FromKey(config.CacheKey, "account", config.Account)
	default:
		sh.baseURL, sh.identity = config.BaseURL+" "+config.Account, (&Client{}).identity
	}
	return sh
}

// know derives the account's sealer, unless it is known already.
func (sh *sharing) know(c Credentials, fingerprint [32]byte) {
	if sh == nil || sh.sealer != nil && sh.fingerprint == fingerprint {
		return
	}
	name, secret := sh.identity(c)
	if sh.key != nil {
		sh.sealer = sealing.FromKey(sh.key, "credentials", sh.baseURL, name, secret)
	} else {
		sh.sealer = sealing.FromPassword(sh.baseURL, name, secret)
	}
	sh.fingerprint = fingerprint
}

// learn notes by how much the local clock is ahead of the server's.
func (sh *sharing) learn(s Session) {
	if exp := lifetime.OfToken(s.Token).Expiry; sh != nil && !exp.IsZero() && !s.ExpiresAt.IsZero() {
		sh.ahead = max(0, s.ExpiresAt.Sub(exp))
	}
}

// load reads the account's entry.
func (sh *sharing) load(ctx context.Context, clock func() time.Time) core.Input {
	asked, store, name := clock(), sh.store, sh.sealer.Name()
	entry, err := within(ctx, nil, func(ctx context.Context) (cache.Entry, error) {
		return store.Load(ctx, name)
	})
	return sh.examine(asked, entry, err)
}

// lock waits for the entry's lease, and reads the entry again.
func (sh *sharing) lock(ctx context.Context, clock func() time.Time) (cache.Lease, core.Input) {
	store, name := sh.store, sh.sealer.Name()
	lease, err := within(ctx, unlock, func(ctx context.Context) (cache.Lease, error) {
		return store.Lock(ctx, name)
	})
	if err != nil {
		return nil, core.Input{Outcome: core.Away, Err: withoutCache("take the lease", err)}
	}
	if loaded, ok := lease.(cache.LoadedLease); ok {
		entry, err := loaded.Loaded()
		return lease, sh.examine(clock(), entry, err)
	}
	read, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLoad)
	defer cancel()
	in := sh.load(read, clock)
	if in.Outcome != core.OK { // the lease is held all the same
		in.Outcome = core.OK
	}
	return lease, in
}

// longestLoad bounds the look that follows a lease.
const longestLoad = 250 * time.Millisecond

// examine tells what a Load returned that began at now, so that a slow one makes
// a session's life too short and never too long.
func (sh *sharing) examine(now time.Time, entry cache.Entry, err error) core.Input {
	switch {
	case err == cache.ErrMiss:
		return core.Input{}
	case errors.Is(err, cache.ErrMiss):
		return core.Input{Err: withoutCache("", err)}
	case err != nil:
		return core.Input{Outcome: core.Away, Err: withoutCache("load the entry", err)}
	}
	f, err := openEntry(entry, now, sh.ahead, sh.sealer)
	if err != nil {
		return core.Input{Err: withoutCache("the entry cannot be used, and will be replaced", err)}
	}
	return core.Input{Session: f.session, Doubtful: f.doubtful, Notice: f.notice}
}

// put stores a session, a notice, or both.
func (sh *sharing) put(ctx context.Context, lease cache.Lease, op core.Op, now time.Time) core.Input {
	entry, ok := sealEntry(op.Session, op.Notice, momentOf(now), sh.sealer)
	if !ok {
		return core.Input{}
	}
	return stored("store the session", ctx, func(ctx context.Context) error { return lease.Store(ctx, entry) })
}

// remove deletes the entry of a session that was revoked.
func (sh *sharing) remove(ctx context.Context, lease cache.Lease) core.Input {
	return stored("delete the entry", ctx, lease.Delete)
}

func stored(what string, ctx context.Context, call func(context.Context) error) core.Input {
	_, err := within(ctx, nil, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	if err != nil {
		return core.Input{Outcome: core.Away, Err: withoutCache(what, err)}
	}
	return core.Input{}
}

// unlock gives a lease back. An error has no consequence: the lease ends with its
// life.
func unlock(lease cache.Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	within(ctx, nil, func(context.Context) (struct{}, error) { return struct{}{}, lease.Unlock() })
}

func withoutCache(what string, err error) error {
	if what != "" {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("jwtsession: the cache is done without: %w", err)
}

// within makes a call to a store, which may be anybody's: it may hang, and it
// may panic. A call that does not end in time is left behind, and what it brings
// after all is dropped.
func within[T any](ctx context.Context, drop func(T), call func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	returned := make(chan outcome) // not buffered: either the caller has it, or it has left
	left := make(chan struct{})
	start := time.Now()
	go func() {
		o := outcome{err: errors.New("the store ended its goroutine")}
		defer func() {
			if cause := recover(); cause != nil {
				o = outcome{err: fmt.Errorf("the store panicked: %T", cause)}
			}
			select {
			case returned <- o:
			case <-left:
				if o.err == nil && drop != nil {
					drop(o.value)
				}
			}
		}()
		o.value, o.err = call(ctx)
	}()
	select {
	case o := <-returned:
		return o.value, o.err
	case <-ctx.Done():
	}
	close(left)
	var none T
	return none, fmt.Errorf("no answer within %v: %w", time.Since(start).Round(time.Millisecond), ctx.Err())
}
