package sharing

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// record is what a cache holds of an account, sealed: a session, a notice, or
// both. What is left of either follows from the entry's TTL, so that machines whose
// clocks disagree can share it: but for the issue of what lives for ever, it has no
// wall time in it.
//
// Token and Life are a session that lives for as long as the entry does, as
// version 0.1 wrote it, and reads it. One that does not, since it can be renewed
// afterwards or a notice lasts longer, is in Session, where that version does not
// look: it would take an expired token for a live one.
type record struct {
	Token   string         `json:"token,omitempty"`
	Life    time.Duration  `json:"life,omitempty"` // from its issue on; zero: unknown
	Session *sessionRecord `json:"session,omitempty"`
	Issued  int64          `json:"issued,omitempty"`  // where the life is unknown: in Unix nanoseconds by the writer's clock
	Refusal *noticeRecord  `json:"refusal,omitempty"` // of the credentials
	Wait    *noticeRecord  `json:"wait,omitempty"`    // the server asked to be left alone
}

type sessionRecord struct {
	Token     string        `json:"token"`
	State     string        `json:"state,omitempty"`
	Life      time.Duration `json:"life,omitempty"`
	Renewable time.Duration `json:"renewable,omitempty"` // from its issue on
	Outlasted time.Duration `json:"outlasted,omitempty"` // how much longer than the token the entry lives
	Ended     bool          `json:"ended,omitempty"`
}

// noticeRecord is an error of the server. A refusal outlasts its wait by
// core.LongestLockout, so that the next refusal counts as one more in a row.
type noticeRecord struct {
	Op         string        `json:"op,omitempty"`
	Host       string        `json:"host"`
	StatusCode int           `json:"status"`
	Type       string        `json:"type,omitempty"`
	Message    string        `json:"message,omitempty"`
	Count      int           `json:"count"`
	Wait       time.Duration `json:"wait"`
	Outlasted  time.Duration `json:"outlasted,omitempty"`
}

// seal returns the entry of a session, a notice, or both. It reports whether
// there is anything to store.
func (sh *Sharing) seal(s core.Session, n *core.Notice, now core.Moment) (cache.Entry, bool) {
	var r record
	var left, ttl time.Duration
	if s.Token != "" && s.Expires != 0 {
		left = s.Expires.Sub(now)
		ttl = max(left, s.Renewable.Sub(now), 1)
	}
	unknown := s.Token != "" && s.Expires == 0 // its entry lives for ever, and nothing can be counted by it
	var said *Refusal
	if n != nil && !unknown {
		said = sh.Refusal(n.Err)
	}
	if said != nil {
		notice := &noticeRecord{Op: said.Op, Host: said.Host, StatusCode: said.StatusCode, Type: said.Type, Message: said.Message, Count: n.Count, Wait: n.Wait}
		if n.Refused {
			r.Refusal = notice
			ttl = max(ttl, n.Wait+core.LongestLockout)
		} else {
			r.Wait = notice
			ttl = max(ttl, n.Wait)
		}
		notice.Outlasted = ttl - n.Wait
	}
	switch {
	case s.Token == "":
	case s.State == "" && !s.Ended && ttl == left:
		r.Token = s.Token
		if !unknown {
			r.Life = s.Expires.Sub(s.Issued)
		}
	default:
		r.Session = &sessionRecord{Token: s.Token, State: s.State, Ended: s.Ended}
		if !unknown {
			r.Session.Life = s.Expires.Sub(s.Issued)
			r.Session.Outlasted = ttl - left
		}
		if s.Renewable != 0 {
			r.Session.Renewable = s.Renewable.Sub(s.Issued)
		}
	}
	if unknown {
		r.Issued = int64(s.Issued)
	}
	if r == (record{}) {
		return cache.Entry{}, false
	}
	content, _ := json.Marshal(r) // strings and numbers only
	return cache.Entry{Data: sh.sealer.Seal(content), TTL: ttl}, true
}

// found is what an entry has.
type found struct {
	session  core.Session
	doubtful bool // by the local clock the token has expired, by the store it has not
	notice   *core.Notice
}

// open reads an entry that was loaded at now. What somebody has put back into the
// store lives no longer than its token (C10).
func (sh *Sharing) open(e cache.Entry, now time.Time) (found, error) {
	content, err := sh.sealer.Open(e.Data)
	if err != nil {
		return found{}, err
	}
	var r record
	if err := json.Unmarshal(content, &r); err != nil {
		return found{}, errors.New("it is of another format")
	}
	if r.Session == nil && r.Token != "" {
		r.Session = &sessionRecord{Token: r.Token, Life: r.Life}
	}
	var f found
	id := idOf(e)
	if n := r.Refusal; n != nil {
		if n.Outlasted == 0 {
			n.Outlasted = core.LongestLockout
		}
		f.notice = sh.notice(n, e.TTL, string(id[:]), true)
	} else if n := r.Wait; n != nil {
		f.notice = sh.notice(n, e.TTL, string(id[:]), false)
	}
	if r.Session == nil && f.notice != nil {
		return f, nil
	}
	if r.Session == nil || r.Session.Token == "" {
		return found{}, errors.New("it is of another format")
	}
	if r.Session.Life > 0 && e.TTL <= 0 {
		return found{}, errors.New("the store has lost how long it lives")
	}
	f.session = r.Session.session(e.TTL, now)
	if f.session.Expires == 0 {
		f.session.Issued = min(f.session.Issued, core.Moment(r.Issued))
	}
	if exp := lifetime.OfToken(r.Session.Token).Expiry; !exp.IsZero() {
		bound := core.At(exp.Add(sh.clockAhead()))
		f.doubtful = bound != 0 && bound <= core.At(now) && f.session.Expires > core.At(now)
		if over := f.session.Expires.Sub(bound); !f.doubtful && bound != 0 && over > 0 {
			f.session.Expires = bound
			f.session.Issued = f.session.Issued.Add(-over) // nor is it newer than what took its place (T6)
		}
	}
	return f, nil
}

func (r *sessionRecord) session(ttl time.Duration, now time.Time) core.Session {
	s := core.Session{Token: r.Token, State: r.State, ID: lifetime.OfToken(r.Token).Fingerprint(), Ended: r.Ended}
	at := core.At(now)
	s.Issued = at
	if r.Life > 0 {
		left := ttl - r.Outlasted
		s.Expires = at.Add(min(left, r.Life))
		s.Issued = at.Add(min(left-r.Life, time.Microsecond)) // of two in one moment the later one is a little later
	}
	if r.Renewable > 0 {
		s.Renewable = s.Issued.Add(r.Renewable)
	}
	return s
}

// longestWait bounds what a server can have asked for.
const longestWait = time.Hour

func (sh *Sharing) notice(r *noticeRecord, ttl time.Duration, id string, refused bool) *core.Notice {
	said := &Refusal{Op: r.Op, Host: r.Host, StatusCode: r.StatusCode, Type: r.Type, Message: r.Message}
	limit := longestWait
	if refused {
		limit = core.LongestLockout // without an API's own limit a store's clock could lock an account out
	} else {
		said.RetryAfter = r.Wait
	}
	return &core.Notice{
		ID: id, Err: sh.Error(said), Refused: refused, Count: r.Count,
		Wait: r.Wait, Left: min(ttl-r.Outlasted, r.Wait, limit),
	}
}
