package jwtsession

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/sealing"
)

// record is what a cache holds of an account, sealed: a session, or the server's
// refusal of the credentials. It has no wall time in it: what is left of either
// is the entry's TTL, so that machines whose clocks disagree can share it.
type record struct {
	Token   string         `json:"token,omitempty"`
	Life    time.Duration  `json:"life,omitempty"` // of the session, from its issue on; zero: unknown
	Refusal *refusalRecord `json:"refusal,omitempty"`
}

// refusalRecord outlasts the wait by longestLockout, so that the next refusal
// counts as one more in a row.
type refusalRecord struct {
	Host       string        `json:"host"`
	StatusCode int           `json:"status"`
	Type       string        `json:"type,omitempty"`
	Message    string        `json:"message,omitempty"`
	Count      int           `json:"count"`
	Wait       time.Duration `json:"wait"`
}

// sealSession returns the entry of a session.
func sealSession(s *snapshot, now time.Time, sealer *sealing.Sealer) cache.Entry {
	r, left := record{Token: s.token}, time.Duration(0)
	if !s.expiry.IsZero() {
		r.Life = s.life()
		left = s.expiry.Sub(now.Round(0))
	}
	return r.seal(left, sealer)
}

// sealRefusal returns the entry of a refusal, if its error can be told to
// others.
func sealRefusal(r *refusal, now time.Time, sealer *sealing.Sealer) (cache.Entry, bool) {
	var api *APIError
	if !errors.As(r.err, &api) {
		return cache.Entry{}, false
	}
	wait := r.until.Sub(now)
	content := record{Refusal: &refusalRecord{api.Host, api.StatusCode, api.Type, api.Message, r.count, wait}}
	return content.seal(wait+longestLockout, sealer), true
}

func (r record) seal(left time.Duration, sealer *sealing.Sealer) cache.Entry {
	content, _ := json.Marshal(r) // strings and numbers only
	return cache.Entry{Data: sealer.Seal(content), TTL: left}
}

// openEntry reads an entry that was loaded at now. It returns a session, or a
// refusal, or why it is neither.
func openEntry(e cache.Entry, now time.Time, sealer *sealing.Sealer) (*snapshot, *refusal, error) {
	content, err := sealer.Open(e.Data)
	if err != nil {
		return nil, nil, err
	}
	var r record
	if err := json.Unmarshal(content, &r); err != nil {
		return nil, nil, errors.New("it is of another format")
	}
	if r.Refusal != nil {
		// Without an API's own limit a store's clock could lock an account out.
		left := min(e.TTL-longestLockout, r.Refusal.Wait, longestLockout)
		return nil, &refusal{
			err: &APIError{
				Op: string(opCreate), Host: r.Refusal.Host, StatusCode: r.Refusal.StatusCode,
				Type: r.Refusal.Type, Message: r.Refusal.Message,
			},
			until: now.Add(left),
			count: r.Refusal.Count,
		}, nil
	}
	if err := checkToken(r.Token); err != nil {
		return nil, nil, err
	}
	s := Session{Token: r.Token}
	issued := now
	if r.Life > 0 {
		if e.TTL <= 0 {
			return nil, nil, errors.New("the store has lost how long it lives")
		}
		left := min(e.TTL, r.Life)
		s.ExpiresAt = now.Round(0).Add(left)
		issued = now.Add(left - r.Life)
	}
	return newSnapshot(s, issued), nil, nil
}
