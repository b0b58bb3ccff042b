// Package cache is the seam through which programs share one session.
//
// A token source that is given a [Cache] looks there before it signs in, and
// leaves there what it got, so that a command that runs for a second and a
// fleet of fifty processes use one session. The package holds the interfaces
// and a store in memory; the stores that outlive a process are in its
// subdirectories: filecache, rediscache and keyringcache. To write another
// one, implement [Cache] and [Lease] and let cachetest.Run judge it.
//
// A store moves bytes and never sees a token: the token source seals every
// entry before it stores it.
//
// # Who can list a store can test passwords
//
// An entry's name shows neither account nor password, but both are in it: it is
// derived, like the key that seals the entry, from the base URL, the e-mail
// address and the password. Whoever knows the first two and can list what the
// store holds, or has a copy of it, can derive the name for a password and look
// whether it is there. No server notices, and no lock-out stops it. What slows it
// down is Argon2id (2 passes over 19 MiB, 1 lane): one core of an AMD EPYC server
// did 45 guesses a second, which is a list of a million passwords in six hours,
// and many cores or a graphics processor do many times that. On another machine,
//
//	go test -run '^$' -bench FromPassword ./internal/sealing
//
// tells, in a copy of the module. A long random password is safe from that; one
// that a person made up is not. So where others can list the store, give the token
// source a CacheKey: 32 random bytes from where the program's secrets come from.
// Without them no guess can be tested.
package cache

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrMiss means that the store has no live entry under the key. It is the
	// ordinary answer of an empty store, not a failure. A store that has something
	// there which cannot be used, a damaged file for instance, returns an error
	// that Is ErrMiss and says what is wrong; the next Store replaces it.
	ErrMiss = errors.New("cache: no entry")

	// ErrLeaseLost means that the caller no longer holds the lease with which it
	// tried to write: it held it for too long and somebody else may hold it now,
	// or it was unlocked. Nothing was written.
	ErrLeaseLost = errors.New("cache: lease lost")

	// ErrInsecure means that others may read or replace what the store holds: a
	// directory with the wrong owner, say, or a file that others may read. The
	// store does not use it.
	ErrInsecure = errors.New("cache: others can reach the stored entry")
)

// Entry is what a store holds under one key.
type Entry struct {
	// Data is opaque to the store. A store keeps up to 64 KiB as they are, none at
	// all included, never changes them, and shares no memory with its callers.
	Data []byte

	// TTL is the life that is left to the entry at the moment of the call, never a
	// wall time, so that machines whose clocks disagree agree on it. Zero means
	// unknown: the store keeps the entry until it is deleted. An entry whose TTL
	// has run out is a miss, at once if it was negative. A store that counts in
	// coarser units never rounds a life to zero.
	TTL time.Duration
}

// Cache is a store of entries, shared by all who can reach it. It is safe for
// concurrent use, within a process and, if the store can be shared, across
// processes and machines.
//
// A key consists of 1 to 64 ASCII letters, digits, hyphens and underscores; upper
// and lower case differ. Keys have nothing to do with each other: neither their
// entries nor their leases.
//
// The only way to change an entry is to hold its lease. Reading needs none, so
// readers go on while somebody holds it.
type Cache interface {
	// Load returns the entry under key, or an error that Is [ErrMiss] if there is
	// none or its life is over. It takes no lock and never waits for a holder of
	// the lease. A reader sees an entry as some Store wrote it, whole, or misses;
	// a torn entry is never returned, not even when the writer was killed.
	Load(ctx context.Context, key string) (Entry, error)

	// Lock waits until the caller holds the only lease on key, or until ctx ends,
	// and then returns ctx's error, wrapped; also if the lease is free and ctx had
	// ended before. A Lock that gave up never gets the lease later. The lease of a
	// holder that died is free within the time that the store documents, without
	// anybody's help.
	Lock(ctx context.Context, key string) (Lease, error)
}

// Lease is the right to write one key. Its methods are safe for concurrent use.
type Lease interface {
	// Store replaces the entry. It returns an error that Is [ErrLeaseLost], and
	// writes nothing, if the caller is no longer the holder: that is decided in
	// the same step as the write wherever the store can do so. A store may end
	// the lease with a Store that succeeded; Unlock is to be called all the same.
	Store(ctx context.Context, e Entry) error

	// Delete removes the entry; that there is none is no error. As Store, it
	// returns [ErrLeaseLost] if the caller is no longer the holder.
	Delete(ctx context.Context) error

	// Unlock gives the lease back. Only the first call does anything; further
	// calls return nil. A lease that was lost unlocks without an error and
	// without touching the present holder's.
	Unlock() error
}

// LoadedLease is a [Lease] of a store that reads the entry in the step that takes
// the lease. It spares its holder a Load, which would be a round trip.
type LoadedLease interface {
	Lease

	// Loaded returns what a Load at the moment of the Lock would have: the entry
	// with the life that it had left then, or an error that Is [ErrMiss]. It makes
	// no call.
	Loaded() (Entry, error)
}
