package sessiontest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/internal/exchange"
)

// WithProtocol has the server speak another protocol than PacerPro's: p is a
// jwtsession.Protocol. It speaks that to the letter: a call of the session that is
// not as it is described is answered with a 400, and fails the test of [Strict]. A
// log-out ends the session that it is made for, and no other one of the user; a
// refusal of the resource has the last status of Rejects.
//
// Where a description has no name for the account, the password alone tells the
// user, and where it has no password either, there is one user. Tokens are opaque
// where the description tells their expiry, and else JWTs; a fixed life is the
// tokens' unless WithTokenLife comes after this option. A life of zero has no end.
func WithProtocol(p exchange.Description) Option {
	return func(o *options) {
		o.protocol = nil
		if reflect.ValueOf(p).IsZero() {
			return
		}
		o.protocol = &p
		if fixed, err := time.ParseDuration(p.ExpiresIn); err == nil {
			o.life = fixed
		}
	}
}

// WithExtra sets what further names of a description stand for, as in
// jwtsession.Credentials.Extra: a call with something else there is refused.
func WithExtra(extra map[string]string) Option { return func(o *options) { o.extra = extra } }

// WithRotation has each refresh use up what it sends of the kept values, a refresh
// token for instance, and bring a new one. One that was used is refused.
func WithRotation() Option { return func(o *options) { o.rotation = true } }

// WithReuseDetection is WithRotation, where the use of one that was used up ends
// the session, with all that came of it (RFC 9700, section 4.14.2).
func WithReuseDetection() Option {
	return func(o *options) { o.rotation, o.reuse = true, true }
}

// WithSlidingSessions has a refresh prolong the token that there is, in place of
// bringing another one. Where the description has a fixed life the answer has no
// token in it then.
func WithSlidingSessions() Option { return func(o *options) { o.sliding = true } }

// WithUnixExpiry has answers tell when a token expires by the number of these
// units since 1970, seconds or milliseconds, in place of RFC 3339.
func WithUnixExpiry(unit time.Duration) Option { return func(o *options) { o.expiryUnit = unit } }

// NewOneTimeCode returns a code that a sign-in of the user may have once, where
// the protocol asks for one. It is empty if there is no such user.
func (s *Server) NewOneTimeCode(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, known := s.users[email]
	if !known {
		return ""
	}
	u.codes = append(u.codes, newUUID())
	return u.codes[len(u.codes)-1]
}

// speaker is what a server needs that speaks a protocol by description. Its
// server's mu guards the maps.
type speaker struct {
	*exchange.Exchange
	renewableFor time.Duration
	issued       map[string]*grant // by the token
	renewals     map[string]*grant // by what a refresh uses up, if it does
}

func newSpeaker(p exchange.Description) (*speaker, error) {
	e, err := exchange.Parse(p)
	if err != nil {
		return nil, fmt.Errorf("sessiontest: %w", err)
	}
	return &speaker{e, p.RenewableFor, map[string]*grant{}, map[string]*grant{}}, nil
}

// reading is what a server makes of a request.
type reading struct {
	op     Op
	values exchange.Values
	wrong  error // why it is not as it is described
}

// read tells what a request is for. Where it may be several things, it is what
// names a session that there is.
func (s *Server) read(r *http.Request, body []byte) reading {
	if s.speaker == nil {
		return reading{op: opOf(r)}
	}
	path, below := strings.CutPrefix(r.URL.EscapedPath(), basePath)
	var meant []reading
	for _, described := range []struct {
		op      Op
		request *exchange.Request
	}{{OpRefresh, s.speaker.Refresh}, {OpRevoke, s.speaker.LogOut}, {OpCreate, s.speaker.SignIn}} {
		if below && described.request.IsFor(r.Method, path) {
			values, err := s.speaker.Match(described.request, r, path, body)
			meant = append(meant, reading{described.op, values, err})
		}
	}
	if len(meant) == 0 {
		return reading{op: OpResource}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := slices.DeleteFunc(slices.Clone(meant), func(m reading) bool { return m.wrong != nil })
	for _, m := range fits {
		if m.op != OpCreate && s.speaker.granted(m.values) != nil {
			return m
		}
	}
	if len(fits) > 0 {
		return fits[len(fits)-1] // a sign-in, if it may be one
	}
	return meant[0]
}

// speak does what a request asks for in the described protocol. mu is not held.
func (s *Server) speak(read reading, r *http.Request, f *Fault) answer {
	if read.wrong != nil {
		return failure(http.StatusBadRequest, "This is not as the protocol has it: "+read.wrong.Error()+".", "bad_request")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch read.op {
	case OpCreate:
		return s.signIn(read.values, f)
	case OpRefresh:
		return s.renew(read.values, f)
	case OpRevoke:
		return s.logOut(read.values)
	}
	return s.serve(r)
}

// signIn begins a session. mu is held.
func (s *Server) signIn(values exchange.Values, f *Fault) answer {
	email, u := s.userOf(values)
	code, coded := values[exchange.Code]
	if u == nil || coded && !slices.Contains(u.codes, code) {
		a := failure(http.StatusUnauthorized, "Invalid credentials.", "unauthorized")
		a.email = cmp.Or(email, values[exchange.Email])
		return a
	}
	u.codes = slices.DeleteFunc(u.codes, func(c string) bool { return c == code })
	return s.brought(s.issueTo(familyOf(email, u), nil, s.expiry(f)), nil)
}

// userOf returns whose credentials these are, as far as there are any. mu is held.
func (s *Server) userOf(values exchange.Values) (string, *user) {
	for name, want := range s.options.extra {
		if got, named := values[name]; named && got != want {
			return "", nil
		}
	}
	email, byEmail := values[exchange.Email]
	password, byPassword := values[exchange.Password]
	for e, u := range s.users {
		if (!byEmail || e == email) && (!byPassword || u.password == password && password != "") {
			return e, u
		}
	}
	return "", nil
}

// renew continues a session. mu is held.
func (s *Server) renew(values exchange.Values, f *Fault) answer {
	old := s.speaker.granted(values)
	uses := s.speaker.Rotates()
	switch {
	case old == nil || !s.allows(old, values):
		return refusal()
	case old.used:
		s.counts.Reused++
		old.family.ended = old.family.ended || s.options.reuse
		return refusal()
	case old.family.over() || !s.before(old.renewable):
		return refusal()
	}
	if token, named := values[exchange.Token]; named && !s.live(s.speaker.issued[token]) && s.speaker.renewableFor == 0 {
		return refusal()
	}
	old.used = uses && s.options.rotation
	expires := s.expiry(f)
	if f.SameExpiry {
		expires = old.expires
	}
	return s.brought(s.issueTo(old.family, old, expires), old)
}

// logOut ends a session. mu is held.
func (s *Server) logOut(values exchange.Values) answer {
	g := s.speaker.granted(values)
	if token, named := values[exchange.Token]; g == nil || named && !s.live(s.speaker.issued[token]) || !s.allows(g, values) || g.family.over() {
		return refusal()
	}
	g.family.ended = true
	return answer{status: http.StatusNoContent, header: http.Header{}, email: g.family.email}
}

// serve is the protected resource. mu is held.
func (s *Server) serve(r *http.Request) answer {
	values, err := s.speaker.Carried(r)
	g := s.speaker.issued[values[exchange.Token]]
	if err == nil && g == nil {
		err = errors.New("there is no such session")
	}
	if err == nil {
		for _, name := range s.speaker.Keeps() {
			if got, named := values[name]; named && got != g.kept[name] {
				err = errors.New("what was kept is another session's")
			}
		}
	}
	if err != nil || !s.live(g) || !s.allows(g, values) {
		return s.rejected()
	}
	return served(r, g.family.email)
}

// allows reports whether the credentials in a call, if there are any, are those of
// the session. mu is held.
func (s *Server) allows(g *grant, values exchange.Values) bool {
	email, u := s.userOf(values)
	_, byEmail := values[exchange.Email]
	_, byPassword := values[exchange.Password]
	return u != nil && (!byEmail && !byPassword || email == g.family.email)
}

// rejected is the answer to a request whose session is none.
func (s *Server) rejected() answer {
	if statuses := s.options.protocol.Rejects; len(statuses) > 0 {
		return refusalWith(statuses[len(statuses)-1])
	}
	return refusal()
}

// refusal is the answer to a session call with what is none.
func refusal() answer { return refusalWith(http.StatusUnauthorized) }

func refusalWith(status int) answer {
	return failure(status, "The session is unknown, expired or ended.", "unauthorized")
}

// written is a moment as answers have it.
func (o options) written(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case o.expiryUnit > 0:
		return strconv.FormatInt(t.UnixNano()/int64(o.expiryUnit), 10)
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}
