package sessiontest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// parts are the header and the claims of a token, as they stand in it.
func parts(t *testing.T, token string) (header string, claims map[string]json.RawMessage) {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("got a token of %d segments, want 3", len(segments))
	}
	first, err := base64.RawURLEncoding.DecodeString(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(second, &claims); err != nil {
		t.Fatal(err)
	}
	return string(first), claims
}

// K1
func TestATokenHasTheShapeOfARealOne(t *testing.T) {
	box := NewServer(WithUser("a@example.com", "a"), WithUser("b@example.com", "b"), WithTokenLife(time.Hour))
	defer box.Close()
	uuid := regexp.MustCompile(`^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$`)
	for i, email := range []string{"a@example.com", "b@example.com"} {
		before := time.Now()
		answer := call(t, box, "POST", "/session", credentials(email, email[:1]), nil)
		after := time.Now()
		header, claims := parts(t, answer.Token)
		var fields map[string]any
		if json.Unmarshal([]byte(header), &fields); len(fields) != 2 || fields["typ"] != "JWT" || fields["alg"] != "HS256" {
			t.Errorf(`the header is %s, want {"typ":"JWT","alg":"HS256"}`, header)
		}
		if got := slices.Sorted(maps.Keys(claims)); fmt.Sprint(got) != "[exp jti scp sub]" {
			t.Errorf("the claims are %v, want exp, jti, scp and sub, and no iat", got)
		}
		if !uuid.Match(claims["jti"]) {
			t.Errorf("jti is %s, want a random UUID", claims["jti"])
		}
		if got, want := string(claims["sub"]), fmt.Sprint(i+1); got != want {
			t.Errorf("sub is %s, want the number %s", got, want)
		}
		if got := string(claims["scp"]); got != `"user"` {
			t.Errorf(`scp is %s, want "user"`, got)
		}
		var exp int64
		if err := json.Unmarshal(claims["exp"], &exp); err != nil || exp < before.Add(time.Hour).Unix() || exp > after.Add(time.Hour).Unix() {
			t.Errorf("exp is %s, want an integer, an hour from now", claims["exp"])
		}
		if at, err := time.Parse(time.RFC3339, answer.ExpiresAt); err != nil || at.Unix() != exp {
			t.Errorf("expiresAt is %q, want exp in RFC 3339", answer.ExpiresAt)
		}
		parsed, err := jwt.Parse(answer.Token, func(*jwt.Token) (any, error) { return box.key, nil }, jwt.WithValidMethods([]string{"HS256"}))
		if err != nil || !parsed.Valid {
			t.Errorf("got %v, want a token that its key verifies", err)
		}
		if _, err := jwt.Parse(answer.Token, func(*jwt.Token) (any, error) { return []byte("another key"), nil }); err == nil {
			t.Error("any key verifies the token")
		}
	}
}

// K1: all tokens of a user share a jti, which no other user has, until it spins.
func TestTheTokensOfAUserShareAJTI(t *testing.T) {
	box := NewServer(WithUser("a@example.com", "a"), WithUser("b@example.com", "b"))
	defer box.Close()
	jti := func(token string) string { _, claims := parts(t, token); return string(claims["jti"]) }
	first := call(t, box, "POST", "/session", credentials("a@example.com", "a"), nil).Token
	second := call(t, box, "POST", "/session", credentials("a@example.com", "a"), nil).Token
	third := call(t, box, "GET", "/session", "", bearer(first)).Token
	other := call(t, box, "POST", "/session", credentials("b@example.com", "b"), nil).Token
	if jti(first) != jti(second) || jti(first) != jti(third) || jti(first) == jti(other) {
		t.Errorf("the jtis are %s, %s, %s and another user's %s, want three of a kind", jti(first), jti(second), jti(third), jti(other))
	}
	if got := call(t, box, "DELETE", "/session", "", bearer(second)).status; got != 200 {
		t.Fatalf("DELETE: got %d, want 200", got)
	}
	if again := call(t, box, "POST", "/session", credentials("a@example.com", "a"), nil).Token; jti(again) == jti(first) {
		t.Error("after the revocation the jti is the same")
	}
}

// K1: who carries what nobody issued is nobody.
func TestATokenThatTheBoxDidNotIssueIsA401(t *testing.T) {
	box, other := NewServer(), NewServer()
	defer box.Close()
	defer other.Close()
	good := box.NewToken(Email, time.Hour)
	header, _ := parts(t, good)
	segments := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(header, "HS256", "none", 1)))
	for name, headers := range map[string]map[string]string{
		"none": nil, "an empty one": bearer(""), "no JWT": bearer("opaque"), "another box's": bearer(other.NewToken(Email, time.Hour)),
		"an expired one": bearer(box.NewToken(Email, -time.Second)), "one that is not signed": bearer(none + "." + segments[1] + "."),
		"one with other claims": bearer(segments[0] + "." + strings.Split(box.NewToken(Email, 2*time.Hour), ".")[1] + "." + segments[2]),
		"Basic":                 {"Authorization": "Basic " + good}, "no scheme": {"Authorization": good},
	} {
		for _, path := range []string{"/me", "/session"} {
			if got := call(t, box, "GET", path, "", headers); got.status != 401 || got.Error == "" {
				t.Errorf("GET %s with %s: got %d, want 401 and an error", path, name, got.status)
			}
		}
		if got := call(t, box, "DELETE", "/session", "", headers); got.status != 401 {
			t.Errorf("DELETE /session with %s: got %d, want 401", name, got.status)
		}
	}
	if got := call(t, box, "GET", "/me", "", bearer(good)); got.status != 200 {
		t.Errorf("the good one: got %d, want 200: the revocations above have ended it", got.status)
	}
	if got := box.NewToken("nobody@example.com", time.Hour); got != "" {
		t.Errorf("a token of nobody's: got %q, want none", got)
	}
}
