package jwtsession

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/lifetime"
)

// Status is what can be said of a source at one moment, for health checks and
// for people. It holds no secret.
//
// A source that has lost its session, because the password was refused or an
// outage outlived the token, signs in when the next caller asks, and not by
// itself. A health check that reads the Status alone would never see that it is
// over: it calls TokenContext, which is answered at once until the next attempt
// may be made.
type Status struct {
	// Account is the domain of the e-mail address, or Config.Account; empty before
	// the credentials are known.
	Account string `json:"account,omitempty"`

	// Origin is the API's, whose requests carry the token; empty with an Issuer
	// and neither a BaseURL nor Origins.
	Origin string `json:"origin,omitempty"`

	// Live tells whether there is a session that has not expired.
	Live bool `json:"live"`

	// Closed tells whether the source was closed.
	Closed bool `json:"closed,omitempty"`

	// SessionID is the first 8 characters of the token's jti, where it has one.
	SessionID string `json:"session,omitempty"`

	// ExpiresAt is when the session expires; zero if nobody knows.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`

	// RefreshAt is when the next attempt at a refresh is due; zero if none is
	// planned, as without a session: the next sign-in may be made when a caller asks.
	RefreshAt time.Time `json:"refreshAt,omitzero"`

	// FailedAttempts counts the attempts that failed since the last success.
	FailedAttempts int `json:"failedAttempts,omitempty"`

	// LastError is why the last attempt failed; nil after a success.
	LastError error `json:"-"`
}

// MarshalJSON writes the error as its text.
func (s Status) MarshalJSON() ([]byte, error) {
	type fields Status
	return json.Marshal(struct {
		fields
		LastError string `json:"lastError,omitempty"`
	}{fields(s), errorText(s.LastError)})
}

// String is the status as JSON.
func (s Status) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Format prints what String returns, whatever the verb: an issuer's error may
// have a token in one of its fields.
func (s Status) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what slog prints.
func (s Status) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Status tells how the session stands. It makes no call and waits for nothing.
func (ts *TokenSource) Status() Status {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	now := ts.clock()
	status := Status{
		Account:        ts.account,
		Closed:         ts.state.Closed,
		RefreshAt:      ts.state.Plan(core.At(now)).Time(),
		FailedAttempts: int(ts.state.Failures),
		LastError:      ts.explain(ts.state.Problem, nil, now),
	}
	if len(ts.origins) > 0 {
		status.Origin = ts.origins[0].String()
	}
	if s := ts.current.Load(); s != nil {
		status.Live = s.liveAt(now)
		status.SessionID = lifetime.OfToken(s.token()).ShortID()
		status.ExpiresAt = s.expiry()
	}
	return status
}
