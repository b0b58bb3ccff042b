package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/jwtsession/jwtsession"
)

// liveSession is what status shows of a session.
type liveSession struct {
	ExpiresAt   time.Time `json:"expiresAt,omitzero"`
	SecondsLeft int64     `json:"secondsLeft,omitempty"`

	// RefreshAt and RefreshBefore are the first and the last moment at which the
	// refresh may fall due. Who refreshes the token draws one between them (T2).
	// Where nobody knows the last one, the first is one that this run has drawn. Zero:
	// due already, or nobody knows the expiry.
	RefreshAt     time.Time `json:"refreshAt,omitzero"`
	RefreshBefore time.Time `json:"refreshBefore,omitzero"`

	RefreshIsDue bool           `json:"refreshIsDue"`
	Claims       map[string]any `json:"claims,omitempty"` // of a token that is a JWT
	timeLeft     time.Duration
}

// describeSession tells of the session of a source. Sessions of a fixed life have
// that; zero: they have none.
func describeSession(token string, status jwtsession.Status, fixed time.Duration) *liveSession {
	s := &liveSession{ExpiresAt: status.ExpiresAt, Claims: claimsOf(token)}
	if status.ExpiresAt.IsZero() {
		return s
	}
	s.timeLeft = time.Until(status.ExpiresAt)
	s.SecondsLeft = int64(s.timeLeft / time.Second)
	// A refresh that is due has been tried, and could not be.
	s.RefreshIsDue = status.FailedAttempts > 0 || time.Until(status.RefreshAt) <= 0
	if s.RefreshIsDue {
		return s
	}
	s.RefreshAt = status.RefreshAt
	for _, life := range []time.Duration{fixed, lifeIn(s.Claims)} {
		first, last := s.ExpiresAt.Add(-life*3/10), s.ExpiresAt.Add(-life*2/10)
		// What the source has drawn lies between the two, unless the life is another
		// one: that of an expiry which comes after this one, or of an earlier token.
		if life > 0 && first.Before(status.RefreshAt.Add(aSecond)) && last.After(status.RefreshAt.Add(-aSecond)) {
			s.RefreshAt, s.RefreshBefore = first, last
			break
		}
	}
	return s
}

// aSecond is by how much a life that a token tells in whole seconds, or an expiry
// that is counted anew, may be wrong.
const aSecond = time.Second

// lifeIn is how long a token lives by its claims; zero: they do not tell.
func lifeIn(claims map[string]any) time.Duration {
	moment := func(name string) float64 {
		number, _ := claims[name].(json.Number)
		seconds, _ := number.Float64()
		return seconds
	}
	if from, until := moment("iat"), moment("exp"); from > 0 && until > from {
		return time.Duration((until - from) * float64(time.Second))
	}
	return 0
}

// refreshText says when the refresh is due, as far as that can be known.
func (s *liveSession) refreshText() string {
	switch {
	case s.RefreshIsDue:
		return "due: the next use refreshes it"
	case s.RefreshBefore.IsZero():
		return "due at 70 to 80 % of its life"
	}
	return fmt.Sprintf("due between %s and %s", s.RefreshAt.Local().Format(time.DateTime), s.RefreshBefore.Local().Format(time.DateTime))
}

// claimsOf are the claims of a token, which nobody here could verify; nil of one
// that is no JWT.
func claimsOf(token string) map[string]any {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser(jwt.WithJSONNumber()).ParseUnverified(token, claims); err != nil {
		return nil
	}
	if id, isText := claims["jti"].(string); isText && len(id) > 8 {
		claims["jti"] = id[:8] + "…"
	}
	return claims
}

// claimText is a claim in one line; a time is told as one as well.
func claimText(name string, value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "?"
	}
	text := strings.TrimSpace(b.String())
	if number, isNumber := value.(json.Number); isNumber && (name == "exp" || name == "iat" || name == "nbf") {
		if seconds, err := number.Int64(); err == nil {
			text += " (" + time.Unix(seconds, 0).Format(time.DateTime) + ")"
		}
	}
	return text
}
