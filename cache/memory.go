package cache

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// Memory is a [Cache] within one process: token sources that are given the same
// Memory share one session per account. What it holds ends with the process.
//
// A lease lasts until it is unlocked, however long that takes: in one process,
// nobody else can find out that its holder has gone. An entry's life is counted
// by the wall clock, so that it runs out while a laptop sleeps.
//
// The zero value is an empty store. It must not be copied after its first use.
type Memory struct {
	mu      sync.Mutex // never held across a wait
	entries map[string]memoryEntry
	turns   map[string]*turn
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{} }

type memoryEntry struct {
	data []byte
	end  time.Time // zero: unknown
}

// turn is the lease of one key. It is in the map while somebody holds or awaits
// it.
type turn struct {
	taken chan struct{} // has room for the one holder
	users int           // guarded by Memory.mu
}

// Load implements [Cache]. It returns no error but [ErrMiss].
func (m *Memory) Load(_ context.Context, key string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, found := m.entries[key]
	if !found {
		return Entry{}, ErrMiss
	}
	entry := Entry{Data: bytes.Clone(stored.data)}
	if !stored.end.IsZero() {
		entry.TTL = stored.end.Sub(wallClock())
		if entry.TTL <= 0 {
			delete(m.entries, key)
			return Entry{}, ErrMiss
		}
	}
	return entry, nil
}

// Lock implements [Cache]. It returns no error but ctx's.
func (m *Memory) Lock(ctx context.Context, key string) (Lease, error) {
	waiting := m.enter(key)
	if ctx.Err() == nil {
		select {
		case waiting.taken <- struct{}{}:
			return &memoryLease{store: m, key: key, turn: waiting}, nil
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leave(key, waiting)
	return nil, fmt.Errorf("cache: wait for the lease: %w", ctx.Err())
}

func (m *Memory) enter(key string) *turn {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.turns[key]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		if m.turns == nil {
			m.turns = make(map[string]*turn)
		}
		m.turns[key] = t
	}
	t.users++
	return t
}

// leave is called with m.mu held.
func (m *Memory) leave(key string, t *turn) {
	t.users--
	if t.users == 0 {
		delete(m.turns, key)
	}
}

func wallClock() time.Time { return time.Now().Round(0) }

type memoryLease struct {
	store  *Memory
	key    string
	turn   *turn
	isOver bool // guarded by store.mu
}

// Store implements [Lease].
func (l *memoryLease) Store(_ context.Context, e Entry) error {
	stored := memoryEntry{data: bytes.Clone(e.Data)}
	if e.TTL != 0 {
		stored.end = wallClock().Add(e.TTL)
	}
	return l.write(func(entries map[string]memoryEntry) { entries[l.key] = stored })
}

// Delete implements [Lease].
func (l *memoryLease) Delete(context.Context) error {
	return l.write(func(entries map[string]memoryEntry) { delete(entries, l.key) })
}

func (l *memoryLease) write(change func(map[string]memoryEntry)) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.isOver {
		return ErrLeaseLost
	}
	if l.store.entries == nil {
		l.store.entries = make(map[string]memoryEntry)
	}
	change(l.store.entries)
	return nil
}

// Unlock implements [Lease]. It never fails.
func (l *memoryLease) Unlock() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.isOver {
		return nil
	}
	l.isOver = true
	<-l.turn.taken
	l.store.leave(l.key, l.turn)
	return nil
}
