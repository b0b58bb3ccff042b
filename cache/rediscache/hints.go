package rediscache

import (
	"context"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/internal/contained"
)

// hints wakes those who wait for a lease when its end is announced. It listens
// for all of them over one connection, and only while somebody waits. It may
// miss announcements at any time, and then nobody is worse off than without it.
type hints struct {
	client  redis.UniversalClient
	pattern string

	mu          sync.Mutex // never held while talking to Redis
	waiting     map[string]map[chan struct{}]struct{}
	isListening bool // there is a goroutine in listen, or there must be none again
	hangUp      context.CancelFunc
}

func newHints(client redis.UniversalClient, pattern string) *hints {
	return &hints{
		client:  client,
		pattern: pattern,
		waiting: make(map[string]map[chan struct{}]struct{}),
	}
}

// join returns a channel that receives after an announcement on the Redis
// channel. It is to be given back with leave.
func (h *hints) join(channel string) chan struct{} {
	announced := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting[channel] == nil {
		h.waiting[channel] = make(map[chan struct{}]struct{})
	}
	h.waiting[channel][announced] = struct{}{}
	if _, isRing := h.client.(*redis.Ring); !h.isListening && !isRing {
		// A Ring has no one place to listen at.
		h.isListening = true
		var ctx context.Context
		ctx, h.hangUp = context.WithCancel(context.Background())
		go h.listen(ctx)
	}
	return announced
}

func (h *hints) leave(channel string, announced chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting[channel], announced)
	if len(h.waiting[channel]) == 0 {
		delete(h.waiting, channel)
	}
	if len(h.waiting) == 0 && h.isListening {
		h.hangUp()
	}
}

func (h *hints) announce(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for announced := range h.waiting[channel] {
		select {
		case announced <- struct{}{}:
		default:
		}
	}
}

// listen keeps one subscription while somebody waits. A client that takes long
// to connect or to give up thus never has more than one goroutine here.
func (h *hints) listen(ctx context.Context) {
	for {
		_, err := contained.Call(func() (struct{}, error) { h.subscribe(ctx); return struct{}{}, nil })
		h.mu.Lock()
		if err != nil {
			// The client panicked, and may have left a mutex locked. It is not listened
			// with again.
			h.hangUp()
			h.mu.Unlock()
			return
		}
		if len(h.waiting) == 0 {
			h.isListening = false
			h.mu.Unlock()
			return
		}
		// Somebody came when everybody had left.
		ctx, h.hangUp = context.WithCancel(context.Background())
		h.mu.Unlock()
	}
}

// subscribe listens until ctx ends.
func (h *hints) subscribe(ctx context.Context) {
	subscription := h.client.PSubscribe(ctx, h.pattern)
	closed := make(chan struct{})
	// Nothing but Close ends a Receive that waits for a message.
	context.AfterFunc(ctx, func() {
		defer close(closed)
		_, _ = contained.Call(func() (struct{}, error) { return struct{}{}, subscription.Close() })
	})
	for ctx.Err() == nil {
		message, err := subscription.Receive(ctx)
		if message, ok := message.(*redis.Message); ok {
			h.announce(message.Channel)
		}
		if err != nil {
			timer := time.NewTimer(lastPause + mathrand.N(lastPause))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
		}
	}
	<-closed
}
