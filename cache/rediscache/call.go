package rediscache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// maxCalls is how many calls of one store may be under way, those included that
// nobody waits for any more.
const maxCalls = 64

// run executes a script: one round trip, two when the server does not know the
// script yet.
func (c *Cache) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	return c.call(ctx, func(ctx context.Context) (any, error) {
		return script.Run(ctx, c.client, keys, args...).Result()
	}, nil)
}

// call runs fn in a goroutine and waits for its result, but no longer than the
// store's timeout and ctx allow. The goroutine is what makes the bound hold: a
// go-redis client heeds no deadline while it reads from a connection, unless it
// was told to, and no cancellation even then.
//
// If undo is not nil, it runs in the same goroutine after fn if nobody may rely
// on fn's effect: the caller has left without the result, or the result is a
// failure on the way to Redis or back.
func (c *Cache) call(ctx context.Context, fn func(context.Context) (any, error), undo func()) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	select {
	case c.slots <- struct{}{}:
	case <-bounded.Done():
		cancel()
		return nil, fmt.Errorf("%d calls wait for an answer already: %w", maxCalls, bounded.Err())
	}
	type result struct {
		reply any
		err   error
	}
	results := make(chan result) // unbuffered: either the caller has it, or it has left
	left := make(chan struct{})
	go func() {
		reply, err := fn(bounded)
		<-c.slots
		delivered := false
		select {
		case results <- result{reply, err}:
			delivered = true
		case <-left:
		}
		cancel()
		if undo != nil && (!delivered || isUncertain(err)) {
			undo()
		}
	}()
	select {
	case r := <-results:
		return r.reply, r.err
	case <-bounded.Done():
		close(left)
		return nil, bounded.Err()
	}
}

// isUncertain reports whether err leaves open what Redis did. An error that is
// Redis' own answer does not.
func isUncertain(err error) bool {
	var answer redis.Error
	return err != nil && !errors.As(err, &answer)
}

// failure says what was tried where, what came back, and what to do. The
// caller's context, once it has ended, is the reason for whatever came back.
func (c *Cache) failure(ctx context.Context, verb string, err error) error {
	isTimeout := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case isTimeout && len(c.slots) == cap(c.slots):
		err = fmt.Errorf("%d earlier calls got no answer yet: %w", maxCalls, os.ErrDeadlineExceeded)
	case isTimeout:
		err = fmt.Errorf("no answer within %v (is it running, and does the network let you through?): %w",
			c.timeout, os.ErrDeadlineExceeded)
	case redis.HasErrorPrefix(err, "NOPERM"), strings.Contains(err.Error(), "can't run this command"):
		err = fmt.Errorf("%w (give the user the ACL rules in rediscache's documentation)", err)
	}
	return fmt.Errorf("rediscache: %s redis at %s: %w", verb, c.address, err)
}

// addressOf names the server for people, without what may stand before an @.
func addressOf(client redis.UniversalClient) string {
	var addresses []string
	switch client := client.(type) {
	case *redis.Client:
		addresses = []string{client.Options().Addr}
	case *redis.ClusterClient:
		addresses = client.Options().Addrs
	case *redis.Ring:
		addresses = slices.Sorted(maps.Values(client.Options().Addrs))
	}
	named := make([]string, 0, len(addresses))
	for _, address := range addresses {
		if address != "" {
			named = append(named, address[strings.LastIndex(address, "@")+1:])
		}
	}
	if len(named) == 0 {
		return "an unknown address"
	}
	return strings.Join(named, ", ")
}
