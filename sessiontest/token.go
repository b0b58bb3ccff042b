package sessiontest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// expiry is when a session ends that is issued now.
func (s *Server) expiry(f *Fault) time.Time {
	if f.Expired {
		return s.now().Add(-time.Minute)
	}
	return s.now().Add(s.options.life)
}

// issue answers with a session. mu is held.
func (s *Server) issue(email string, u *user, expiry time.Time) answer {
	body, _ := json.Marshal(map[string]string{
		"jwtToken":  s.sign(u, expiry),
		"expiresAt": expiry.UTC().Truncate(time.Second).Format(time.RFC3339),
	})
	return answer{http.StatusOK, jsonHeader(), body, email}
}

// NewToken returns a token of a user's that lives this long; below zero, one that
// has expired. It is empty if there is no such user.
func (s *Server) NewToken(email string, life time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, known := s.users[email]
	if !known {
		return ""
	}
	if s.speaker != nil {
		return s.issueTo(familyOf(email, u), nil, s.now().Add(life)).token
	}
	return s.sign(u, s.now().Add(life))
}

// sign makes a token. Its claims are those of the real service: sub is a number,
// and there is no iat. So all tokens that a user gets within a second are equal.
func (s *Server) sign(u *user, expiry time.Time) string {
	return s.signed(u.jti, u.id, expiry)
}

func (s *Server) signed(jti string, subject int, expiry time.Time) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"jti": jti,
		"sub": subject,
		"exp": expiry.Unix(),
		"scp": "user",
	}).SignedString(s.key)
	if err != nil {
		panic(err) // the key and the claims are ours
	}
	return token
}

// holder returns the user whose live token the request carries, or none. mu is
// held.
func (s *Server) holder(r *http.Request) (email string, u *user, expiry time.Time) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return "", nil, time.Time{}
	}
	var claims struct {
		jwt.RegisteredClaims
		Subject int `json:"sub"`
	}
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return s.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.now))
	if err != nil {
		return "", nil, time.Time{}
	}
	for email, u := range s.users {
		if u.id == claims.Subject && u.jti == claims.ID {
			return email, u, claims.ExpiresAt.Time
		}
	}
	return "", nil, time.Time{}
}
