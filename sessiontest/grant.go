package sessiontest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/jwtsession/jwtsession/internal/exchange"
)

// family is a session, with all that came of it by refreshing.
type family struct {
	id    string
	email string
	user  *user
	jti   string // the user's when it began; another one ends it
	ended bool
}

func familyOf(email string, u *user) *family {
	return &family{id: newUUID(), email: email, user: u, jti: u.jti}
}

func (f *family) over() bool { return f.ended || f.jti != f.user.jti }

// grant is what one answer brought.
type grant struct {
	family             *family
	token              string
	kept               map[string]string
	expires, renewable time.Time // zero: never
	used               bool      // up, by a refresh
}

// granted finds what a call is about: what a refresh uses up, or the token. It is
// nil for what nobody has got.
func (sp *speaker) granted(values exchange.Values) *grant {
	if key, complete := sp.key(values); complete {
		return sp.renewals[key]
	}
	return sp.issued[values[exchange.Token]]
}

// key is what a refresh uses up, in one text.
func (sp *speaker) key(values exchange.Values) (key string, complete bool) {
	names := sp.Uses()
	for _, name := range names {
		value, known := values[name]
		if !known {
			return "", false
		}
		key += value + "\n"
	}
	return key, len(names) > 0
}

// before reports whether a moment is still to come. Zero always is.
func (s *Server) before(t time.Time) bool { return t.IsZero() || s.now().Before(t) }

func (s *Server) live(g *grant) bool {
	return g != nil && !g.family.over() && s.before(g.expires)
}

// issueTo brings a session of the family into the world. The old one is what is
// refreshed. mu is held.
func (s *Server) issueTo(f *family, old *grant, expires time.Time) *grant {
	sp := s.speaker
	if s.options.life <= 0 {
		expires = time.Time{}
	}
	g := &grant{family: f, kept: map[string]string{}, expires: expires, renewable: expires}
	if sp.renewableFor > 0 {
		g.renewable = s.now().Add(sp.renewableFor)
	}
	for _, name := range sp.Keeps() {
		stays := s.options.sliding || slices.Contains(sp.Uses(), name) && !s.options.rotation
		if old != nil && stays {
			g.kept[name] = old.kept[name]
		} else {
			g.kept[name] = "k" + rand.Text()
		}
	}
	switch {
	case old != nil && s.options.sliding:
		g.token = old.token
	case sp.TellsExpiry() || expires.IsZero():
		g.token = "t" + rand.Text()
	default:
		g.token = s.signed(f.id, f.user.id, expires)
	}
	sp.issued[g.token] = g
	if key, complete := sp.key(g.kept); complete {
		sp.renewals[key] = g
	}
	return g
}

// brought is the answer with what is new of a session. mu is held.
func (s *Server) brought(g, old *grant) answer {
	a := exchange.Answer{Kept: map[string]string{}}
	for name, value := range g.kept {
		if old == nil || old.kept[name] != value {
			a.Kept[name] = value
		}
	}
	if old == nil || !s.options.sliding || s.speaker.FixedLife() == 0 {
		a.Token = g.token
	}
	if !g.expires.IsZero() {
		a.ExpiresAt, a.Life = s.options.written(g.expires), g.expires.Sub(s.now()).Round(time.Second)
	}
	header, body := s.speaker.Write(a)
	return answer{http.StatusOK, header, body, g.family.email}
}
