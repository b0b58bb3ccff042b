package keyringcache_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/cache/keyringcache"
)

// A program that runs on desktops and on servers takes the keyring where there
// is one, and leaves a person a minute to unlock it.
func ExampleCache_Check() {
	open := func(ctx context.Context) (cache.Cache, error) {
		store, err := keyringcache.New("", keyringcache.WithTimeout(time.Minute))
		if err != nil {
			return nil, err
		}
		if err := store.Check(ctx); err != nil {
			log.Print("The session is kept in files without the keyring: ", err)
			return filecache.New("")
		}
		return store, nil
	}
	store, err := open(context.Background())
	fmt.Println(store, err)
}
