package cachetest

import (
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// wantTTL fails the test unless every handle reports the life that is left to
// the entry under key, which was written with the life given.
func (s *subject) wantTTL(t testing.TB, key string, life time.Duration, w span, when string) {
	t.Helper()
	for _, h := range s.handles() {
		from := s.now()
		e, err := h.load(key)
		if err != nil {
			t.Errorf("%s: Load(%q) through %s: got error %q, want the entry, which was stored with a TTL of %v", when, key, h.name, err, life)
			continue
		}
		s.judgeTTL(t, e.TTL, life, w, span{from, s.now()}, when+": Load through "+h.name)
	}
}

// judgeTTL judges a TTL that was read within the moments of read.
func (s *subject) judgeTTL(t testing.TB, got, life time.Duration, w, read span, what string) {
	t.Helper()
	if life == 0 {
		if got != 0 {
			t.Errorf("%s: got TTL %v, want 0: the entry was stored without a TTL, its life is unknown", what, got)
		}
		return
	}
	age, _ := s.aged(w.after, read.before)
	_, mostAge := s.aged(w.before, read.after)
	least, most := life-mostAge-s.precision, life-age+s.precision
	if got < least || got > most {
		t.Errorf("%s: got TTL %v, want between %v and %v: TTL is the life that is left at the moment of the call, of %v that it was stored with, "+
			"neither a constant nor a wall time: a reader whose clock is wrong would use a dead session, or never refresh it", what, got, least, most, life)
	}
}

func checkTTL(t testing.TB, s *subject) {
	limited := s.first.mustStore(t, "limited", cache.Entry{Data: []byte("limited"), TTL: time.Hour})
	unlimited := s.second.mustStore(t, "unlimited", cache.Entry{Data: []byte("unlimited")})
	s.wantTTL(t, "limited", time.Hour, limited, "after a Store")
	s.wantTTL(t, "unlimited", 0, unlimited, "after a Store without TTL")
	s.sleep(4 * s.precision)
	s.wantTTL(t, "limited", time.Hour, limited, "some time after a Store")
	s.wantTTL(t, "unlimited", 0, unlimited, "some time after a Store without TTL")
}

func checkExpiry(t testing.TB, s *subject) {
	for _, test := range []struct {
		key  string
		life time.Duration
	}{
		{"short", max(300*time.Millisecond, 4*s.precision)},
		{"instant", time.Microsecond}, // less than most stores can count, and yet not unknown
		{"over", -time.Second},
	} {
		s.second.mustStore(t, test.key, cache.Entry{Data: []byte("long"), TTL: time.Hour})
		w := s.first.mustStore(t, test.key, cache.Entry{Data: []byte("short"), TTL: test.life})
		s.awaitEnd(t, test.key, test.life, w)
	}
}

// awaitEnd fails the test unless every handle misses as soon as life is over, and
// no sooner.
func (s *subject) awaitEnd(t testing.TB, key string, life time.Duration, w span) {
	t.Helper()
	for _, h := range s.handles() {
		for {
			from := s.now()
			e, err := h.load(key)
			age, _ := s.aged(w.after, from)
			_, mostAge := s.aged(w.before, s.now())
			if isMiss(err) {
				if mostAge < life-s.precision {
					t.Errorf("Load through %s of an entry stored with a TTL of %v, after %v: got a miss, want the entry: it was lost before its time", h.name, life, mostAge)
				}
				break
			}
			if err != nil {
				t.Errorf("Load through %s of an entry stored with a TTL of %v, after %v: got error %q, want the entry or an error that Is cache.ErrMiss", h.name, life, age, err)
				break
			}
			if age > max(0, life)+s.precision {
				t.Errorf("Load through %s of an entry stored with a TTL of %v, after %v: got %s with TTL %v, want a miss: a program would use a session that is dead",
					h.name, life, age, describe(e.Data), e.TTL)
				break
			}
			s.sleep(s.precision / 2)
		}
	}
}
