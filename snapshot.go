package jwtsession

import (
	"math"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// latestNano is the last moment that fits into nanoseconds since 1970.
var latestNano = time.Unix(0, math.MaxInt64)

// snapshot is a session as callers use it. It never changes.
type snapshot struct {
	core.Session
	header  string // the value of an Authorization header
	expires int64  // as in Session, and the end of time where that is unknown
}

func newSnapshot(s core.Session) *snapshot {
	header := "Bearer " + s.Token
	s.Token = header[len("Bearer "):]
	expires := int64(s.Expires)
	if expires == 0 {
		expires = math.MaxInt64
	}
	return &snapshot{Session: s, header: header, expires: expires}
}

// liveAt goes by the wall clock, so that the time in a suspend counts.
func (s *snapshot) liveAt(now time.Time) bool { return s != nil && now.UnixNano() < s.expires }

func (s *snapshot) expiry() time.Time { return timeOf(s.Expires) }

// coreSession is a session as the core has it, issued at a moment that is not
// later than the real one.
func coreSession(s Session, issued time.Time) core.Session {
	return core.Session{
		Token:     s.Token,
		State:     s.State,
		ID:        strings.Clone(lifetime.OfToken(s.Token).ID),
		Issued:    momentOf(issued),
		Expires:   momentOf(s.ExpiresAt),
		Renewable: momentOf(s.RenewableUntil),
	}
}

// issuerSession is a session as an issuer has it.
func issuerSession(s core.Session) Session {
	return Session{Token: s.Token, State: s.State, ExpiresAt: timeOf(s.Expires), RenewableUntil: timeOf(s.Renewable)}
}

// momentOf is a time as the core has it. One that is too far away to be counted
// in nanoseconds is as good as none.
func momentOf(t time.Time) core.Moment {
	if t.IsZero() || !t.Before(latestNano) {
		return 0
	}
	return core.Moment(t.UnixNano())
}

func timeOf(m core.Moment) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m)).UTC()
}

// shortID is how a log names a session: by the first 8 characters of its jti.
func shortID(id string) string { return id[:min(len(id), 8)] }
