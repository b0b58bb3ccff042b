package jwtsession

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// rotation is a session server in memory, and the issuer that speaks with it: its
// access tokens are short, and renewed with a refresh token that is good for one
// use. A used one that comes again ends the whole family (RFC 9700, section
// 4.14.2).
type rotation struct {
	life, renewable time.Duration
	latency         time.Duration

	mu       sync.Mutex
	families []*family
	log      []string // the calls, in the order in which they came
	refused  error    // what a sign-in gets; nil: a session
	trouble  func(call string) trouble
}

// family is what has come of one sign-in.
type family struct {
	access  string // the newest
	refresh string
	until   time.Time // for the access token
	renew   time.Time // for the refresh token
	used    map[string]bool
	ended   bool
}

// trouble is what becomes of a call, besides what it asks for.
type trouble struct {
	before error         // it is not done, and answered with that
	after  error         // it is done, and that is all that anybody learns
	hold   chan struct{} // it is done, and answered once that is closed
}

// unsent is a failure before anything was written.
type unsent struct{}

func (unsent) Error() string { return "no connection" }
func (unsent) WasSent() bool { return false }

var errLost = errors.New("the connection was reset while the answer was awaited")

func newRotation() *rotation {
	return &rotation{life: 10 * time.Minute, renewable: 24 * time.Hour}
}

func (r *rotation) Create(ctx context.Context) (Session, error) {
	return r.do(ctx, "create", func() (Session, error) {
		if r.refused != nil {
			return Session{}, r.refused
		}
		f := &family{used: map[string]bool{}}
		r.families = append(r.families, f)
		return r.rotate(f), nil
	})
}

func (r *rotation) Refresh(ctx context.Context, s Session) (Session, error) {
	return r.do(ctx, "refresh", func() (Session, error) {
		for _, f := range r.families {
			switch {
			case f.used[s.State]:
				if !f.ended { // of one that was logged out nobody is harmed
					r.log = append(r.log, "reuse")
				}
				f.ended = true
			case f.refresh == s.State && !f.ended && time.Now().Before(f.renew):
				f.used[s.State] = true
				return r.rotate(f), nil
			}
		}
		return Session{}, ErrUnauthorized
	})
}

func (r *rotation) Revoke(ctx context.Context, s Session) error {
	_, err := r.do(ctx, "revoke", func() (Session, error) {
		for _, f := range r.families {
			if f.refresh == s.State && !f.ended {
				f.ended = true
				return Session{}, nil
			}
		}
		return Session{}, ErrUnauthorized
	})
	return err
}

// do makes a call: what it asks for is done at once, and answered as the trouble
// says.
func (r *rotation) do(ctx context.Context, call string, what func() (Session, error)) (Session, error) {
	r.mu.Lock()
	r.log = append(r.log, call)
	var t trouble
	if r.trouble != nil {
		t = r.trouble(call)
	}
	if t.before != nil {
		r.mu.Unlock()
		return Session{}, t.before
	}
	s, err := what()
	r.mu.Unlock()
	if t.after != nil {
		return Session{}, t.after
	}
	answered := t.hold
	if answered == nil && r.latency > 0 {
		answered = make(chan struct{})
		defer time.AfterFunc(r.latency, func() { close(answered) }).Stop()
	}
	if answered != nil {
		select {
		case <-answered:
		case <-ctx.Done():
			return Session{}, ctx.Err()
		}
	}
	return s, err
}

// rotate issues the next session of a family. mu is held.
func (r *rotation) rotate(f *family) Session {
	for i, own := range r.families {
		if own == f {
			f.access, f.refresh = fmt.Sprintf("access-%d-%d", i, len(f.used)), fmt.Sprintf("refresh-%d-%d", i, len(f.used))
		}
	}
	f.until, f.renew = time.Now().Add(r.life), time.Now().Add(r.renewable)
	return Session{Token: f.access, State: f.refresh, ExpiresAt: f.until, RenewableUntil: f.renew}
}

// living counts the families that somebody could go on with.
func (r *rotation) living() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, f := range r.families {
		if !f.ended && time.Now().Before(f.renew) {
			n++
		}
	}
	return n
}

// opens reports whether an access token is the newest of its family, and good.
func (r *rotation) opens(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.families {
		if f.access == token && !f.ended {
			return time.Now().Before(f.until)
		}
	}
	return false
}

// count tells how often a call was made, or "reuse" found.
func (r *rotation) count(call string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, c := range r.log {
		if c == call {
			n++
		}
	}
	return n
}

// next sets what becomes of the next calls of a kind, one after the other.
func (r *rotation) next(call string, row ...trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = func(c string) trouble {
		if c != call || len(row) == 0 {
			return trouble{}
		}
		t := row[0]
		row = row[1:]
		return t
	}
}

// fails is a row of calls that are not done, and answered with this.
func fails(err error) []trouble {
	row := make([]trouble, 1000)
	for i := range row {
		row[i].before = err
	}
	return row
}
