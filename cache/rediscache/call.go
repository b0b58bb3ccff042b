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

	"github.com/jwtsession/jwtsession/internal/contained"
)

// run executes a script: one round trip, two when the server does not know the
// script yet.
func (c *Cache) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	return c.runOrUndo(ctx, nil, script, keys, args...)
}

// runOrUndo runs a script in a goroutine and waits for its answer, but no longer
// than the store's timeout and ctx allow. The goroutine is what makes the bound
// hold: a go-redis client heeds no deadline while it reads from a connection,
// unless it was told to, and no cancellation even then.
//
// If undo is not nil, it is called in the same goroutine if nobody may rely on
// what the script did: the caller has left without the answer, or it got lost.
func (c *Cache) runOrUndo(ctx context.Context, undo func(), script *redis.Script, keys []string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	type result struct {
		reply any
		err   error
	}
	results := make(chan result) // unbuffered: either the caller has it, or it has left
	left := make(chan struct{})
	go func() {
		// go-redis panics over some answers, that of a text of nine exabytes for one.
		reply, err := contained.Call(func() (any, error) { return script.Run(bounded, c.client, keys, args...).Result() })
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

// unexpected is the error of an answer that no script of ours gives. It does not
// show it, since there is no telling what it is.
func unexpected(reply any) error {
	return fmt.Errorf("unexpected answer of type %T (is it Redis that listens there?)", reply)
}

// failure says what was tried where, what came back, and what to do. The
// caller's context, once it has ended, is the reason for whatever came back.
func (c *Cache) failure(ctx context.Context, verb string, err error) error {
	isTimeout := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case isTimeout:
		err = fmt.Errorf("no answer within %v (is it running, and does the network let you through?): %w",
			c.timeout, os.ErrDeadlineExceeded)
	case redis.HasErrorPrefix(err, "NOPERM"), strings.Contains(err.Error(), "user executing the script can't"):
		err = fmt.Errorf("%w (give the user the ACL rules in rediscache's documentation)", err)
	}
	return fmt.Errorf("rediscache: %s redis at %s: %w", verb, c.address, err)
}

// addressOf names the server for people.
func addressOf(client redis.UniversalClient) string {
	switch client := client.(type) {
	case *redis.Client:
		return client.Options().Addr
	case *redis.ClusterClient:
		return strings.Join(client.Options().Addrs, ", ")
	case *redis.Ring:
		return strings.Join(slices.Sorted(maps.Values(client.Options().Addrs)), ", ")
	}
	return "an unknown address"
}
