package jwtsession

import (
	"net/http"
	"time"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// snapshot is a session as callers use it. It never changes.
type snapshot struct {
	header          string // the value of an Authorization header
	issued, expires core.Moment
	id              core.Fingerprint
	carrier         *exchange.Carrier // what carries it, and
	signed          *Session          // what a Signer of the program's own is given; nil, both: the header above
}

func newSnapshot(s core.Session) *snapshot {
	return &snapshot{header: bearer + s.Token, issued: s.Issued, expires: s.Expires, id: s.ID}
}

const bearer = "Bearer "

func (s *snapshot) token() string     { return s.header[len(bearer):] }
func (s *snapshot) expiry() time.Time { return s.expires.Time() }

// liveAt goes by the wall clock, so that the time in a suspend counts.
func (s *snapshot) liveAt(now time.Time) bool {
	return s != nil && (s.expires == 0 || now.UnixNano() < int64(s.expires))
}

// hide leaves out of a base's error what it shows of the session: a base may quote
// the request that it was given (X1, X4).
func (s *snapshot) hide(err error) error {
	if err == nil {
		return nil
	}
	secrets := []string{s.token()}
	if s.carrier != nil {
		for _, fields := range [][]exchange.Field{s.carrier.Header, s.carrier.Cookies, s.carrier.Query} {
			for _, field := range fields {
				secrets = append(secrets, field.Value)
			}
		}
	}
	return redact(secrets...).error(err)
}

// unsigned is an answer to a request that carried the session. In its links there is
// nothing of what carried it in the query: a client that follows one to another
// origin would take it along (H1).
func (s *snapshot) unsigned(res *http.Response) *http.Response {
	if res == nil || s.carrier == nil || len(s.carrier.Query) == 0 {
		return res
	}
	clean := *res
	clean.Header = res.Header.Clone()
	for _, name := range [...]string{"Location", "Content-Location", "Link"} {
		for i, links := range clean.Header[name] {
			clean.Header[name][i] = s.carrier.Unsigned(links)
		}
	}
	return &clean
}

// session is what the core is told of it.
func (s *snapshot) session() core.Session {
	return core.Session{Token: s.token(), ID: s.id, Issued: s.issued, Expires: s.expires}
}

// coreSession is a session as the core has it, issued at a moment that is not
// later than the real one.
func coreSession(s Session, issued time.Time) core.Session {
	return core.Session{
		Token:     s.Token,
		State:     s.State,
		ID:        lifetime.OfToken(s.Token).Fingerprint(),
		Issued:    core.At(issued),
		Expires:   core.At(s.ExpiresAt),
		Renewable: core.At(s.RenewableUntil),
	}
}

// issuerSession is a session as an issuer has it.
func issuerSession(s core.Session) Session {
	return Session{Token: s.Token, State: s.State, ExpiresAt: s.Expires.Time(), RenewableUntil: s.Renewable.Time()}
}
