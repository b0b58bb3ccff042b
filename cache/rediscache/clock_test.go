package rediscache

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
)

// C6: the clocks of client and server never meet. In a bubble it is the year
// 2000; the server, outside, and the other client have the present time.
func TestAClientWhoseClockIsDecadesOffReadsAndWritesAsTheOthers(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server redis.Options) {
		client := redis.NewClient(&server)
		t.Cleanup(func() { _ = client.Close() })
		right := New(client, patient)
		wantAbout := func(t *testing.T, what string, e cache.Entry, err error, data string) {
			t.Helper()
			if err != nil || string(e.Data) != data || e.TTL > time.Hour || e.TTL < time.Hour-time.Minute {
				t.Errorf("%s: got %q with %v left, %v, want %q with about %v", what, e.Data, e.TTL, err, data, time.Hour)
			}
		}
		held := mustLock(t, right, "lock")
		mustStore(t, mustLock(t, right, "of the right clock"), "right", time.Hour)
		synctest.Test(t, func(t *testing.T) {
			if year := time.Now().Year(); year > 2001 {
				t.Fatalf("the bubble's clock: got the year %d, want one that is decades off", year)
			}
			client := redis.NewClient(&server)
			defer client.Close()
			wrong := New(client)
			e, err := wrong.Load(t.Context(), "of the right clock")
			wantAbout(t, "Load with the wrong clock", e, err, "right")
			l := mustLock(t, wrong, "of the wrong clock")
			mustStore(t, l, "wrong", time.Hour)
			left, err := wrong.newLease("lock").acquire(t.Context())
			if err != nil || left < defaultLease/2 || left > defaultLease {
				t.Errorf("life of the other's lease, seen with the wrong clock: got %v, %v, want about %v", left, err, defaultLease)
			}
		})
		e, err := right.Load(t.Context(), "of the wrong clock")
		wantAbout(t, "Load with the right clock", e, err, "wrong")
		mustStore(t, held, "data", time.Hour)
	})
}
