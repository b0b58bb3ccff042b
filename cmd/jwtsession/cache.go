package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/cache/keyringcache"
	"github.com/jwtsession/jwtsession/cache/rediscache"
)

// store is a way to keep a session.
type store struct {
	kind      string // file, none, keyring or redis
	name      string // for people: where it is
	directory string // of the files, if there are any
	open      func(context.Context) (c cache.Cache, close func(), err error)
}

// parseStore reads the name of a cache. It opens nothing.
func parseStore(name, directory setting) (store, error) {
	switch name.value {
	case "file":
		return fileStore(name, directory.value)
	case "keyring":
		return keyringStore(directory.value)
	}
	if directory.from == "--cache-dir" {
		return store{}, fmt.Errorf("--cache-dir is for the caches file and keyring, and the cache is %s (%s)", name.value, name.from)
	}
	if name.value == "none" {
		return noStore("none"), nil
	}
	return redisStore(name)
}

const noCacheDirectory = "this user has no cache directory: set HOME, or give --cache-dir"

func noStore(name string) store {
	return store{"none", name, "", func(context.Context) (cache.Cache, func(), error) { return nil, func() {}, nil }}
}

func fileStore(name setting, directory string) (store, error) {
	files, err := filecache.New(directory)
	if err != nil && name.from == "default" {
		return noStore("none, since " + noCacheDirectory), nil
	}
	if err != nil {
		return store{}, err
	}
	return store{"file", files.Directory(), files.Directory(), func(context.Context) (cache.Cache, func(), error) {
		return files, func() {}, nil
	}}, nil
}

func keyringStore(directory string) (store, error) {
	sealed, err := keyringcache.New(directory)
	if err != nil {
		return store{}, err
	}
	return store{"keyring", sealed.Directory() + ", sealed with a key in the keyring", sealed.Directory(), func(ctx context.Context) (cache.Cache, func(), error) {
		if err := sealed.Check(ctx); err != nil { // now, since a person may be asked
			return nil, nil, &localError{fmt.Errorf("%w (--cache file)", err)}
		}
		return sealed, func() {}, nil
	}}, nil
}

func redisStore(name setting) (store, error) {
	address, err := url.Parse(name.value)
	if err != nil || address.Scheme != "redis" && address.Scheme != "rediss" {
		return store{}, fmt.Errorf("there is no such cache (%s): choose file, none, keyring, or redis://HOST:PORT", name.from)
	}
	if _, hasPassword := address.User.Password(); hasPassword {
		return store{}, fmt.Errorf("the cache's URL (%s) has a password in it, which others can read: put it into %s", name.from, redisPasswordVariable)
	}
	options, err := redis.ParseURL(name.value)
	if err != nil {
		return store{}, fmt.Errorf("the cache's URL (%s): %w", name.from, err)
	}
	options.Password = os.Getenv(redisPasswordVariable)
	options.ContextTimeoutEnabled = true
	return store{"redis", address.Redacted(), "", func(context.Context) (cache.Cache, func(), error) {
		redis.SetLogger(silence{}) // what fails is told by an event
		client := redis.NewClient(options)
		return rediscache.New(client), func() { client.Close() }, nil
	}}, nil
}

// silence is a logger for go-redis.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
