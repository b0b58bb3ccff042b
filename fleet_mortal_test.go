package jwtsession

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jwtsession/jwtsession/cache"
)

// The moments of a refresh at which a process may be killed.
const (
	beforeRequest = "before the request"
	beforeStore   = "after the answer and before the store"
	afterStore    = "after the store"
)

// mortal has a process die at one of these moments, without a chance to do
// anything more, if no other process has died in this way before.
type mortal struct {
	directory  string
	next       atomic.Value // the moment, a string
	refreshing atomic.Bool
}

// dies ends the process if this is the moment.
func (m *mortal) dies(moment string) {
	if m.next.Load() != any(moment) {
		return
	}
	if os.Mkdir(filepath.Join(m.directory, moment), 0o700) != nil {
		return // another one has been quicker
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		panic(err)
	}
	self.Kill()
	select {}
}

// client returns nil for a process that does not die.
func (m *mortal) client(p *Protocol) *http.Client {
	if m.directory == "" {
		return nil
	}
	line, _, _ := strings.Cut(p.Refresh, "\n")
	_, path, _ := strings.Cut(line, " ")
	base := http.DefaultTransport
	return &http.Client{Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(req.URL.Path, path) {
			return base.RoundTrip(req)
		}
		m.dies(beforeRequest)
		res, err := base.RoundTrip(req)
		m.refreshing.Store(err == nil && res.StatusCode == http.StatusOK)
		return res, err
	})}
}

func (m *mortal) cache(c cache.Cache) cache.Cache {
	if m.directory == "" {
		return c
	}
	return mortalCache{c, m}
}

type mortalCache struct {
	cache.Cache
	*mortal
}

func (c mortalCache) Lock(ctx context.Context, key string) (cache.Lease, error) {
	lease, err := c.Cache.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	return mortalLease{lease, c.mortal}, nil
}

type mortalLease struct {
	cache.Lease
	*mortal
}

// Store stores what a refresh has brought, and anything else as it is.
func (l mortalLease) Store(ctx context.Context, e cache.Entry) error {
	refreshed := l.refreshing.Swap(false)
	if refreshed {
		l.dies(beforeStore)
	}
	err := l.Lease.Store(ctx, e)
	if refreshed && err == nil {
		l.dies(afterStore)
	}
	return err
}
