package filecache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

const defaultLease = time.Minute

// Cache is a [cache.Cache] in a directory of files. Make one with [New]. It is
// safe for concurrent use, holds no file open between calls, and need not be
// closed.
type Cache struct {
	path  string
	lease time.Duration

	mu     sync.Mutex // never held across a wait or a system call
	queues map[string]*queue
	swept  time.Time
}

// An Option changes a setting of a [Cache].
type Option func(*Cache)

// WithLease sets how long a lease lives; the default is one minute, and so is
// what a value that is not positive stands for. More than an hour counts as an
// hour: a lease that claims to live for longer is none. It is counted from Lock and is
// not renewed, so it should be longer than what is done under a lease can take.
// It bounds how long the others wait for a holder that was stopped or hangs; one
// that died frees its lease at once. Each lease lives as long as its holder's
// process says, so processes with different settings share a store.
func WithLease(life time.Duration) Option {
	return func(c *Cache) {
		if life > 0 {
			c.lease = min(life, longestLease)
		}
	}
}

// New returns the store in directory, or, if that is "", in the directory
// jwtsession of [os.UserCacheDir]. It touches no file: the directory is made by
// the first Lock, and each call checks who can reach it. New fails only if the
// directory's name cannot be found out, for want of $HOME for example.
func New(directory string, options ...Option) (*Cache, error) {
	if directory == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("filecache: no directory for the cache of this user: %w; "+
				"set the variable or give New a directory", err)
		}
		directory = filepath.Join(base, "jwtsession")
	}
	path, err := filepath.Abs(directory)
	if err != nil {
		return nil, fmt.Errorf("filecache: find out the full path of %s: %w; give New an absolute path", directory, err)
	}
	c := &Cache{path: path, lease: defaultLease, queues: make(map[string]*queue)}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

// Directory returns the absolute path of the directory that holds the entries.
func (c *Cache) Directory() string { return c.path }

// Load implements [cache.Cache]. An entry that cannot be used because it is
// damaged, no regular file, or within others' reach is a miss, and the error
// says what is wrong with it: it Is [cache.ErrMiss], and [cache.ErrInsecure] in
// the last case, but is not equal to ErrMiss. The next Store replaces the entry.
//
// A directory that others can reach is an error that Is [cache.ErrInsecure] and
// is no miss.
func (c *Cache) Load(ctx context.Context, key string) (cache.Entry, error) {
	if ctx.Err() != nil {
		return cache.Entry{}, c.failure("load an entry from", ctx.Err())
	}
	entry, err := c.load(ctx, nameOf(key).entry())
	var unusable *unusableError
	switch {
	case err == nil:
		return entry, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, cache.ErrMiss):
		return cache.Entry{}, cache.ErrMiss
	case errors.As(err, &unusable):
		return cache.Entry{}, fmt.Errorf("filecache: %w that can be used: %s: %w; it will be replaced by the next one",
			cache.ErrMiss, filepath.Join(c.path, nameOf(key).entry()), unusable)
	default:
		return cache.Entry{}, c.failure("load an entry from", err)
	}
}

func (c *Cache) load(ctx context.Context, file string) (cache.Entry, error) {
	root, err := c.openDirectory()
	if err != nil {
		return cache.Entry{}, err
	}
	defer root.Close()
	var content []byte
	var written time.Time
	err = persist(ctx, func() error {
		content, written, err = readFile(root, file)
		return err
	})
	if err != nil {
		return cache.Entry{}, err
	}
	entry, err := decodeEntry(content)
	if err != nil || entry.TTL == 0 {
		return entry, err
	}
	// A clock that was set back since makes the age negative.
	entry.TTL -= max(0, fileTime(root).Sub(written))
	if entry.TTL <= 0 {
		return cache.Entry{}, cache.ErrMiss
	}
	return entry, nil
}

// failure says what was tried, where, what came back, and what to do about it.
func (c *Cache) failure(what string, err error) error {
	var advice string
	switch {
	case errors.Is(err, cache.ErrInsecure):
		advice = "; make it yours alone (chown, chmod 700) or use another directory"
	case isDiskFull(err):
		advice = "; make room on its disk or use another directory"
	case isReadOnly(err), errors.Is(err, fs.ErrPermission):
		advice = "; make it writable to this user or use another directory"
	}
	return fmt.Errorf("filecache: %s %s: %w%s", what, c.path, err, advice)
}
