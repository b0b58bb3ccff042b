package jwtsession

import (
	"math"
	"strings"
	"time"
)

// latestNano is the last moment that fits into nanoseconds since 1970.
var latestNano = time.Unix(0, math.MaxInt64)

// snapshot is a session as callers use it.
type snapshot struct {
	token   string
	header  []string // the value of an Authorization header: shared, never changed
	expires int64    // nanoseconds since 1970 by the wall clock, so that the time in a suspend counts
	expiry  time.Time
	issued  time.Time // when its life began for us
	jti     string    // the first 8 characters
}

func newSnapshot(s Session, issued time.Time) *snapshot {
	header := "Bearer " + s.Token
	expires := int64(math.MaxInt64)
	if !s.ExpiresAt.IsZero() && s.ExpiresAt.Before(latestNano) {
		expires = s.ExpiresAt.UnixNano()
	}
	jti := decodeClaims(s.Token).jti
	return &snapshot{
		token:   header[len("Bearer "):],
		header:  []string{header},
		expires: expires,
		expiry:  s.ExpiresAt.Round(0),
		issued:  issued,
		jti:     strings.Clone(jti[:min(len(jti), 8)]),
	}
}

func (s *snapshot) session() Session          { return Session{Token: s.token, ExpiresAt: s.expiry} }
func (s *snapshot) life() time.Duration       { return s.expiry.Sub(s.issued.Round(0)) }
func (s *snapshot) liveAt(now time.Time) bool { return s != nil && now.UnixNano() < s.expires }

// refusal is the server's last word on credentials: they are not sent again
// before until.
type refusal struct {
	err         error
	until       time.Time
	count       int      // in a row
	fingerprint [32]byte // of the credentials; zero with an Issuer
	earlier     *refusal // of other credentials, since the last success
}

// of returns the refusal of these credentials, if there was one.
func (r *refusal) of(fingerprint [32]byte) *refusal {
	for r != nil && r.fingerprint != fingerprint {
		r = r.earlier
	}
	return r
}

// after returns the refusal with the earlier ones behind it, of other
// credentials: a provider that wavers between two has both refused.
func (r *refusal) after(earlier *refusal) *refusal {
	last := r
	for n := 1; earlier != nil && n < mostRefusals; earlier = earlier.earlier {
		if earlier.fingerprint == r.fingerprint {
			continue
		}
		kept := *earlier
		kept.earlier = nil
		last.earlier, last = &kept, &kept
		n++
	}
	return r
}

func (r *refusal) holds(fingerprint [32]byte, now time.Time) bool {
	last := r.of(fingerprint)
	return last != nil && now.Before(last.until)
}

// outage is a failure of anything but the credentials: no attempt is made before
// until.
type outage struct {
	err   error
	until time.Time

	// untold means that no caller has been told yet, since there was a live token
	// when it happened: the first caller waits until then, if it can.
	untold bool
}
