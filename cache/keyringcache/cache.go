package keyringcache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// ErrUnavailable means that the keyring could not be used: there is none, it is
// locked, it refused, or it did not answer in time. Another store can be used in
// its place, such as the one of package filecache.
var ErrUnavailable = errors.New("keyringcache: the keyring cannot be used")

const (
	defaultService = "jwtsession"
	defaultTimeout = 2 * time.Second

	// Windows limits a target's name, and there is no use for a longer one.
	maxService = 255

	// Both keep what this package has in a directory apart from what else a
	// filecache may have there.
	entryPrefix  = "keyringcache/entry/"
	creationName = "keyringcache/creation" // who has this lease may create the key
)

// Cache is a [cache.Cache] in a directory of files that only a key in the
// operating system's keyring opens. Make one with [New]. It is safe for
// concurrent use, and need not be closed.
type Cache struct {
	files   *filecache.Cache
	service string
	timeout time.Duration
	keyring keyring
	calls   *calls

	secret atomic.Pointer[secret] // nil: not read yet, or forgotten
}

type settings struct {
	service string
	timeout time.Duration
	files   []filecache.Option
}

// An Option changes a setting of a [Cache].
type Option func(*settings)

// WithService sets the name of the service under which the keyring has the key;
// the default is jwtsession, and so is what "" stands for. It is what the keyring
// shows to a person. Stores with the same service share a key.
func WithService(name string) Option {
	return func(s *settings) {
		if name != "" {
			s.service = name
		}
	}
}

// WithTimeout sets how long a call of the store waits for the keyring, besides
// the call's own context. The default is two seconds, and so is what a value that
// is not positive stands for. A keyring that asks a person for a password or for
// a permission may need longer: the answer counts when it comes, and until then
// calls fail.
func WithTimeout(bound time.Duration) Option {
	return func(s *settings) {
		if bound > 0 {
			s.timeout = bound
		}
	}
}

// WithLease sets how long a lease lives, as [filecache.WithLease] does.
func WithLease(life time.Duration) Option {
	return func(s *settings) { s.files = append(s.files, filecache.WithLease(life)) }
}

// New returns the store in directory, or, if that is "", in the directory
// jwtsession of [os.UserCacheDir]. The directory may be that of a filecache as
// well; neither sees the other's entries. New touches no file and makes no call
// to the keyring: see [Cache.Check]. It fails only if the directory's name cannot
// be found out, or the service's cannot be used.
func New(directory string, options ...Option) (*Cache, error) {
	s := settings{service: defaultService, timeout: defaultTimeout}
	for _, option := range options {
		option(&s)
	}
	if err := checkService(s.service); err != nil {
		return nil, err
	}
	files, err := filecache.New(directory, s.files...)
	if err != nil {
		return nil, fmt.Errorf("keyringcache: %w", err)
	}
	return &Cache{
		files: files, service: s.service, timeout: s.timeout,
		keyring: systemKeyring{}, calls: &systemCalls,
	}, nil
}

func checkService(name string) error {
	if len(name) > maxService {
		return fmt.Errorf("keyringcache: the name of the service has %d bytes, and may have %d", len(name), maxService)
	}
	for _, r := range name {
		if r < ' ' || r > '~' {
			return fmt.Errorf("keyringcache: the name of the service is %q, and may have printable ASCII characters only", name)
		}
	}
	return nil
}

// Directory returns the absolute path of the directory that holds the entries.
func (c *Cache) Directory() string { return c.files.Directory() }

// Check reads the key from the keyring, and creates it if there is none, so that
// a program can choose another store before it begins. It returns nil if the
// store can be used, and an error that Is [ErrUnavailable] if that is not so for
// the keyring's sake. It is called by Lock, so that to leave it out is no
// mistake.
func (c *Cache) Check(ctx context.Context) error {
	_, err := c.secretToSeal(ctx)
	return err
}

// Load implements [cache.Cache]. Where there is no entry it does not ask the
// keyring. An entry that cannot be opened, because the key was lost or replaced
// or the entry is damaged, is a miss, and the error says which: it Is
// [cache.ErrMiss], but is not equal to it. The next Store replaces the entry.
//
// A keyring that cannot be used is an error that Is [ErrUnavailable] and is no
// miss.
func (c *Cache) Load(ctx context.Context, key string) (cache.Entry, error) {
	name := entryPrefix + key
	entry, err := c.files.Load(ctx, name)
	if err != nil {
		return cache.Entry{}, err
	}
	read := time.Now()
	data, err := c.open(ctx, name, entry.Data)
	if reason, isUnusable := errors.AsType[*unusableError](err); isUnusable {
		return cache.Entry{}, fmt.Errorf("keyringcache: %w that can be used: the one in %s %w; it will be replaced by the next one",
			cache.ErrMiss, c.Directory(), reason)
	}
	if err != nil {
		return cache.Entry{}, err
	}
	if entry.TTL != 0 {
		entry.TTL -= time.Since(read) // a keyring may take its time
		if entry.TTL <= 0 {
			return cache.Entry{}, cache.ErrMiss
		}
	}
	return cache.Entry{Data: data, TTL: entry.TTL}, nil
}

// open opens an entry with the key that this process has, and if that is not the
// key of the entry, with the one that the keyring has now.
func (c *Cache) open(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	known := c.secret.Load()
	s, err := c.secretToOpen(ctx)
	if err != nil {
		return nil, err
	}
	data, err := s.open(name, sealed)
	if !errors.Is(err, errOtherKey) || s != known {
		return data, err
	}
	c.secret.CompareAndSwap(s, nil)
	if s, err = c.secretToOpen(ctx); err != nil {
		return nil, err
	}
	return s.open(name, sealed)
}

// Lock implements [cache.Cache]. It makes the directory if need be, and creates
// the key if the keyring has none. If the keyring cannot be used it fails at
// once, with an error that Is [ErrUnavailable], rather than let the caller work
// for a session that cannot be stored.
func (c *Cache) Lock(ctx context.Context, key string) (cache.Lease, error) {
	if _, err := c.secretToSeal(ctx); err != nil {
		return nil, err
	}
	name := entryPrefix + key
	held, err := c.files.Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	return &lease{Lease: held, store: c, name: name}, nil
}

// lease is the file's; what it stores is sealed first.
type lease struct {
	cache.Lease
	store *Cache
	name  string
}

// Store implements [cache.Lease]. At most 1 MiB, less some 50 bytes, can be
// stored.
func (l *lease) Store(ctx context.Context, e cache.Entry) error {
	s, err := l.store.secretToSeal(ctx)
	if err != nil {
		return err
	}
	return l.Lease.Store(ctx, cache.Entry{Data: s.seal(l.name, e.Data), TTL: e.TTL})
}
