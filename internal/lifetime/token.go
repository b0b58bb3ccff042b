package lifetime

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are what the library reads of a token that it cannot verify and does
// not judge: it has no key, and the server is the one to decide.
type Claims struct {
	Expiry   time.Time // its exp; zero: none
	IssuedAt time.Time // its iat; zero: none
	ID       string    // its jti
}

// Fingerprint tells apart what is not of one jti; zero: it has none. The jti's
// beginning would not do: UUIDs of version 7 of one minute share it.
func (c Claims) Fingerprint() (f [8]byte) {
	if c.ID != "" {
		sum := sha256.Sum256([]byte(c.ID))
		copy(f[:], sum[:])
	}
	return f
}

// ShortID is how a log names a session: by the first 8 characters of its jti (X3).
func (c Claims) ShortID() string { return strings.Clone(c.ID[:min(len(c.ID), 8)]) }

// parser accepts what a server may issue, known signing method or not: the
// token's content is the server's business. Numbers stay as they were written,
// so that nothing is lost on the way, and sub and all else may be of any type.
var parser = jwt.NewParser(jwt.WithJSONNumber(), jwt.WithPaddingAllowed())

// OfToken reads a token's claims without verifying it (RFC 7519, section 4.1). A
// token that is no JWT has none.
func OfToken(token string) Claims {
	all := jwt.MapClaims{}
	_, _, err := parser.ParseUnverified(token, all)
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) {
		return Claims{}
	}
	id, _ := all["jti"].(string)
	return Claims{Expiry: numericDate(all["exp"]), IssuedAt: numericDate(all["iat"]), ID: id}
}

// numericDate reads seconds since 1970: a number, as it should be, or one in a
// string.
func numericDate(claim any) time.Time {
	switch claim := claim.(type) {
	case json.Number:
		return unix(claim.String(), 1)
	case string:
		return unix(strings.TrimSpace(claim), 1)
	}
	return time.Time{}
}
