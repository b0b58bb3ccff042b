package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/sealing"
)

const (
	// A cache is there to save a call: one that takes longer than this to answer
	// is done without. What is stored may take longer, since a disk may.
	longestLoad  = 250 * time.Millisecond
	longestStore = time.Second

	// A session of which less than this share is left is not worth adopting, if it
	// can be refreshed at once.
	leastShare = 0.05
)

// sharing is a source's use of its Config.Cache. Its fields are used by the
// flight in the air, of which there is one at a time, and need no lock.
type sharing struct {
	store       cache.Cache
	key         []byte // Config.CacheKey
	baseURL     string
	sealer      *sealing.Sealer // of the account's entry; nil before the credentials are known
	fingerprint [32]byte        // of the credentials that the sealer belongs to
}

// newSharing returns nil without a cache.
func newSharing(config Config, issuer Issuer) *sharing {
	if config.Cache == nil {
		return nil
	}
	sh := &sharing{store: config.Cache, key: bytes.Clone(config.CacheKey)}
	if client, ok := issuer.(*Client); ok {
		sh.baseURL = client.baseURL
	} else {
		sh.sealer = sealing.FromKey(config.CacheKey, "account", config.Account)
	}
	return sh
}

// know derives the account's sealer, unless it is known already.
func (sh *sharing) know(c Credentials, fingerprint [32]byte) {
	if sh == nil || sh.sealer != nil && sh.fingerprint == fingerprint {
		return
	}
	if sh.key != nil {
		sh.sealer = sealing.FromKey(sh.key, "credentials", sh.baseURL, c.Email, c.Password)
	} else {
		sh.sealer = sealing.FromPassword(sh.baseURL, c.Email, c.Password)
	}
	sh.fingerprint = fingerprint
}

// leased is the lease that a flight holds, and the entry that it is for.
type leased struct {
	cache.Lease
	name string
}

// seek looks whether another source has left a session to go on with, and
// returns it. If there is none, the flight has the lease when seek returns, and
// is the one to bring a session; or it has none, since the cache failed or its
// holder took too long, and works on its own. (C1, C4)
//
// What else it finds is left in the flight: a refusal of the credentials, and a
// session that is to be refreshed before anybody uses it.
func (ts *TokenSource) seek(ctx context.Context, f *flight) *snapshot {
	sh := ts.sharing
	if sh == nil || sh.sealer == nil || f.lease != nil && f.lease.name == sh.sealer.Name() {
		return nil
	}
	f.letGo()
	s, worked := ts.look(ctx, f)
	if s == nil && worked {
		s = ts.take(ctx, f)
	}
	if s != nil {
		f.letGo()
	}
	return s
}

// look loads the entry, and returns the session in it if that is one to go on
// with, and whether the store worked.
func (ts *TokenSource) look(ctx context.Context, f *flight) (s *snapshot, worked bool) {
	sh := ts.sharing
	if sh == nil {
		return nil, false
	}
	// A call that is left behind must not read what the next flight may change.
	asked, store, name := ts.clock(), sh.store, sh.sealer.Name()
	entry, err := within(ctx, longestLoad, nil, func(ctx context.Context) (cache.Entry, error) {
		return store.Load(ctx, name)
	})
	return ts.examine(ctx, f, asked, entry, err)
}

// take waits for the lease, and then looks again.
func (ts *TokenSource) take(ctx context.Context, f *flight) *snapshot {
	store, name := ts.sharing.store, ts.sharing.sealer.Name()
	deadline, _ := ctx.Deadline()
	lease, err := within(ctx, time.Until(deadline)/2, unlock, func(ctx context.Context) (cache.Lease, error) {
		return store.Lock(ctx, name)
	})
	if err != nil {
		ts.cacheFailed(ctx, f, fmt.Errorf("take the lease: %w", err))
		return nil
	}
	f.lease = &leased{lease, name}
	loaded, ok := lease.(cache.LoadedLease)
	if !ok {
		s, _ := ts.look(ctx, f)
		return s
	}
	entry, err := loaded.Loaded()
	s, _ := ts.examine(ctx, f, ts.clock(), entry, err)
	return s
}

// examine judges what a Load returned that began at now, so that a slow one makes
// a session's life too short and never too long. It returns a session to go on
// with, and whether the store worked.
func (ts *TokenSource) examine(ctx context.Context, f *flight, now time.Time, entry cache.Entry, err error) (s *snapshot, worked bool) {
	f.found, f.doubtful, f.shared = nil, false, nil
	switch {
	case err == cache.ErrMiss:
		return nil, true
	case errors.Is(err, cache.ErrMiss):
		ts.cacheFailed(ctx, f, err)
		return nil, true
	case err != nil:
		ts.cacheFailed(ctx, f, fmt.Errorf("load the entry: %w", err))
		return nil, false
	}
	found, refused, err := openEntry(entry, now, ts.sharing.sealer)
	if err != nil {
		ts.cacheFailed(ctx, f, fmt.Errorf("the entry cannot be used, and will be replaced: %w", err))
		return nil, true
	}
	f.found, f.doubtful, f.shared = found, false, refused
	switch current, dead := ts.standing(); {
	case found == nil:
		return nil, true
	case current.liveAt(now):
		if advances(current.expiry, found.expiry, current.life()) {
			return found, true
		}
		return nil, true
	case dead != nil && dead.token == found.token:
		f.found = nil
		return nil, true
	case dead != nil && found.mayHaveEndedWith(dead), found.nearItsEnd(now):
		f.doubtful = true
		return nil, true
	}
	return found, true
}

// standing is the session that callers see, and the one last rejected or
// revoked, if no other has been found since.
func (ts *TokenSource) standing() (current, dead *snapshot) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.current.Load(), ts.dead
}

// mayHaveEndedWith reports whether the end of another session may have been the
// end of this one: a revocation ends all that have their jti in common.
func (s *snapshot) mayHaveEndedWith(other *snapshot) bool {
	return other != nil && (s.token == other.token || s.jti != "" && s.jti == other.jti)
}

func (s *snapshot) nearItsEnd(now time.Time) bool {
	return !s.expiry.IsZero() && s.expiry.Sub(now.Round(0)) < time.Duration(leastShare*float64(s.life()))
}

// leave stores a session that the flight has brought, if it holds the lease.
func (ts *TokenSource) leave(ctx context.Context, f *flight, s *snapshot) {
	if f.lease != nil {
		ts.write(ctx, f, "store the session", sealSession(s, ts.clock(), ts.sharing.sealer))
	}
}

// leaveRefusal stores the server's refusal, so that no other process sends the
// same credentials meanwhile.
func (ts *TokenSource) leaveRefusal(ctx context.Context, f *flight, r *refusal) {
	if f.lease == nil {
		return
	}
	if entry, ok := sealRefusal(r, ts.clock(), ts.sharing.sealer); ok {
		ts.write(ctx, f, "store the refusal", entry)
	}
}

func (ts *TokenSource) write(ctx context.Context, f *flight, what string, entry cache.Entry) {
	if ctx.Err() == context.Canceled {
		return // the source was closed, or its session revoked
	}
	lease := f.lease
	_, err := within(context.WithoutCancel(ctx), longestStore, nil, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, lease.Store(ctx, entry)
	})
	if err != nil {
		ts.cacheFailed(ctx, f, fmt.Errorf("%s: %w", what, err))
	}
	f.letGo()
}

// remove deletes the entry of a session that was revoked.
func (ts *TokenSource) remove(ctx context.Context, f *flight) {
	if f.lease == nil {
		return
	}
	lease := f.lease
	_, err := within(context.WithoutCancel(ctx), longestStore, nil, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, lease.Delete(ctx)
	})
	if err != nil {
		ts.cacheFailed(ctx, f, fmt.Errorf("delete the entry: %w", err))
	}
	f.letGo()
}

// letGo ends the flight's lease, if it holds one. An error has no consequence:
// the lease ends with its life.
func (f *flight) letGo() {
	if f.lease == nil {
		return
	}
	unlock(f.lease.Lease)
	f.lease = nil
}

func unlock(lease cache.Lease) {
	within(context.Background(), longestStore, nil, func(context.Context) (struct{}, error) {
		return struct{}{}, lease.Unlock()
	})
}

// cacheFailed reports what is wrong with the cache, unless the program itself
// ended the flight.
func (ts *TokenSource) cacheFailed(ctx context.Context, f *flight, err error) {
	if ctx.Err() != context.Canceled {
		ts.reporter.report(Event{Kind: EventCacheFailed, Time: ts.clock().Round(0), Account: f.account, Err: fmt.Errorf("jwtsession: the cache is done without: %w", err)})
	}
}

// within makes a call to a store, which may be anybody's: it may hang, and it
// may panic. A call that does not end in time is left behind, and what it brings
// after all is dropped.
func within[T any](ctx context.Context, limit time.Duration, drop func(T), call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	type outcome struct {
		value T
		err   error
	}
	returned := make(chan outcome) // not buffered: either the caller has it, or it has left
	left := make(chan struct{})
	go func() {
		defer cancel()
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
	return none, fmt.Errorf("no answer within %v: %w", limit, ctx.Err())
}
