package rediscache_test

import (
	"crypto/tls"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache/rediscache"
)

// The processes of a fleet share a session through Redis.
func Example() {
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                 []string{"cache.example.com:6379"},
		TLSConfig:             &tls.Config{MinVersion: tls.VersionTLS12},
		ContextTimeoutEnabled: true,
	})
	defer client.Close()

	ts, err := jwtsession.New(jwtsession.Config{
		Credentials: jwtsession.Credentials{Email: os.Getenv("EMAIL"), Password: os.Getenv("PASSWORD")},
		Cache:       rediscache.New(client),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ts.Close()
}
