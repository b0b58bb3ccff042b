package rediscache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/redistest"
)

// nonsense is answers over which go-redis panics: it makes what they announce.
var nonsense = map[string]string{
	"a text of nine exabytes": "$9223372036854775800\r\n",
	"a list of as many":       "*9223372036854775800\r\n",
}

// C9
func TestNonsenseForAnAnswerIsAnErrorAndTheStoreGoesOn(t *testing.T) {
	for name, answer := range nonsense {
		t.Run(name, func(t *testing.T) { afterNonsense(t, answer) })
	}
}

// afterNonsense gives each call that answer once, and wants the store to go on.
func afterNonsense(t *testing.T, answer string) {
	c, direct, p := behindProxy(t, redis.Options{Addr: miniredis.RunT(t).Addr()})
	held := mustLock(t, c, "held")
	for _, point := range []struct {
		name, request string
		call          func() error
	}{
		{"Load", loadScript.Hash(), func() error { _, err := c.Load(t.Context(), "k"); return err }},
		{"Lock", acquireScript.Hash(), func() error { _, err := c.Lock(t.Context(), "k"); return err }},
		{"Store", storeScript.Hash(), func() error { return held.Store(t.Context(), cache.Entry{Data: []byte("lost")}) }},
		{"Delete", deleteScript.Hash(), func() error { return held.Delete(t.Context()) }},
		{"the first Load of a client", "hello", func() error {
			_, err := New(p.client(t)).Load(t.Context(), "k")
			return err
		}},
	} {
		inPlace := answer
		if point.request == "hello" {
			inPlace = "%1\r\n" + answer // the key of a map
		}
		p.answerItself(point.request, inPlace)
		err := point.call()
		p.answerItself("", "")
		if err == nil || errors.Is(err, cache.ErrMiss) || errors.Is(err, cache.ErrLeaseLost) {
			t.Errorf("%s, when the answer is nonsense: got error %v, want one that is no answer of Redis'", point.name, err)
		}
	}
	if err := held.Store(t.Context(), cache.Entry{Data: []byte("data"), TTL: time.Hour}); err != nil {
		t.Errorf("Store, once the server answers well: got error %v, want none", err)
	}
	wantLoad(t, c, "held", "data")
	wantLoad(t, direct, "held", "data")
}

// C9: the goroutine that gives a lease back has nobody who would see it die.
func TestALeaseIsGivenBackAlthoughTheAnswersWereNonsenseAtFirst(t *testing.T) {
	t.Parallel()
	for name, answer := range nonsense {
		t.Run(name, func(t *testing.T) {
			_, direct, p := behindProxy(t, redis.Options{Addr: miniredis.RunT(t).Addr()})
			held := mustLock(t, New(p.client(t), WithTimeout(500*time.Millisecond)), "k")
			p.answerItself(unlockScript.Hash(), answer)
			if err := held.Unlock(); err == nil {
				t.Error("Unlock, when the answer is nonsense: got no error, want one")
			}
			redistest.WaitFor(t, "another attempt to give the lease back", func() bool { return p.answered.Load() >= 2 })
			p.answerItself("", "")
			mustLock(t, direct, "k")
		})
	}
}

// C9
func TestARenewalIsTriedAgainWhenTheAnswerWasNonsense(t *testing.T) {
	t.Parallel()
	for name, answer := range nonsense {
		t.Run(name, func(t *testing.T) {
			_, _, p := behindProxy(t, redis.Options{Addr: miniredis.RunT(t).Addr()})
			held := mustLock(t, New(p.client(t), WithLease(2*time.Second), patient), "k")
			p.answerItself(renewScript.Hash(), answer)
			redistest.WaitFor(t, "another attempt to renew the lease", func() bool { return p.answered.Load() >= 2 })
			p.answerItself("", "")
			if err := held.Unlock(); err != nil {
				t.Errorf("Unlock: got error %v, want none", err)
			}
		})
	}
}

// C9, C6: pub/sub is only a hint.
func TestWhoWaitsGetsTheLeaseAlthoughTheAnnouncementsAreNonsense(t *testing.T) {
	t.Parallel()
	const subscribed = "*3\r\n$10\r\npsubscribe\r\n$1\r\nx\r\n:1\r\n"
	for name, answer := range map[string]string{
		"in place of a subscription":    "$9223372036854775800\r\n",
		"after a subscription":          subscribed + "*9223372036854775800\r\n",
		"a message that is empty":       subscribed + "*0\r\n",
		"a message that is not of text": subscribed + "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, direct, p := behindProxy(t, redis.Options{Addr: miniredis.RunT(t).Addr()})
			for range 2 { // the second wait is that of a store whose client has panicked
				held := mustLock(t, direct, "k")
				p.answerItself("psubscribe", answer)
				got := make(chan error)
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					l, err := c.Lock(ctx, "k")
					if err == nil {
						err = l.Unlock()
					}
					got <- err
				}()
				redistest.WaitFor(t, "the nonsense", func() bool { return p.answered.Load() >= 1 })
				time.Sleep(10 * time.Millisecond) // it arrives, and the process may die of it; if not, of the next
				if err := held.Unlock(); err != nil {
					t.Fatal(err)
				}
				if err := <-got; err != nil {
					t.Errorf("Lock of one who waited: got error %v, want the lease", err)
				}
			}
		})
	}
}
