package jwtsession

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Session is what a server issues: a token, and until when it is good.
//
// However it is printed, encoded as JSON or logged, the token and the state are
// left out; in an unexported field of a struct fmt shows them all the same, see
// [Credentials]. Read the fields themselves to use them.
type Session struct {
	// Token is the JWT, or whatever else the server wants to see as a bearer
	// token: visible ASCII characters, at most 16 KiB of them.
	Token string

	// ExpiresAt is when the token expires, by the local clock. Zero means that
	// nobody knows: the session then lasts until the server rejects it.
	ExpiresAt time.Time

	// State is what the issuer wants back at Refresh and Revoke: a refresh token,
	// for instance. It is opaque to the token source, which seals it in caches,
	// never prints it, and never sends it with a request.
	State string

	// RenewableUntil is how long Refresh may work although the token has expired.
	// Zero stands for ExpiresAt: a session that has expired is signed in anew.
	RenewableUntil time.Time
}

// String gives the expiry and leaves out the token and the state.
func (s Session) String() string {
	return fmt.Sprintf("{Token:%s ExpiresAt:%s}", redacted, s.ExpiresAt.Format(time.RFC3339))
}

// Format prints what String returns, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what slog prints: the expiry.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.Time("expiresAt", s.ExpiresAt))
}

// MarshalJSON leaves out the token and the state.
func (s Session) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Token     string
		ExpiresAt time.Time
	}{redacted, s.ExpiresAt})
}

// secrets are what no text from outside may have a part of while a call is made
// with this session: the token, and the values in the state.
func (s Session) secrets() []string { return append(stateSecrets(s.State), s.Token) }

// stateSecrets are the values in a state that is JSON, without their names; any
// other state is one itself.
func stateSecrets(state string) []string {
	var all any
	decoder := json.NewDecoder(strings.NewReader(state))
	decoder.UseNumber()
	if decoder.Decode(&all) != nil || decoder.More() {
		return []string{state}
	}
	return valuesIn(all)
}

func valuesIn(v any) (values []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case []any:
		for _, each := range v {
			values = append(values, valuesIn(each)...)
		}
	case map[string]any:
		for _, each := range v {
			values = append(values, valuesIn(each)...)
		}
	}
	return values
}

// Issuer speaks a server's session protocol: [Client] those that a [Protocol]
// describes, and an implementation of your own what no description tells. A
// [TokenSource] calls one method at a time, and decides when; an issuer neither
// retries nor keeps anything.
//
// The methods should return soon after their context ends. A token source
// abandons a call that does not, and drops what it brings later.
//
// Which errors are worth a retry is told by the errors themselves: one that Is
// [ErrInvalidCredentials] or [ErrUnauthorized], or an [*APIError] with a 4xx
// status other than 408, 425 and 429, is the server's last word. All others,
// those of the network for instance, are retried.
type Issuer interface {
	// Create signs in.
	Create(ctx context.Context) (Session, error)

	// Refresh trades a session for one that expires later. It lives, or can be
	// renewed still by its RenewableUntil. A State that was used up by the call is
	// not sent again if the answer was lost: an error may tell by a method
	// WasSent() bool that the request never left, and without one it is taken for
	// sent unless no connection came about.
	Refresh(ctx context.Context, s Session) (Session, error)

	// Revoke ends the session at the server. That it has ended already is an
	// error that Is ErrUnauthorized, and as good.
	Revoke(ctx context.Context, s Session) error
}

// Signer is what an [Issuer] may implement as well, where requests carry the
// session in another way than as "Authorization: Bearer", or where another
// status than 401 means that the server does not know the session any more.
// Its methods are called concurrently, once for each request, and must not block.
type Signer interface {
	// Sign puts the session into req, which is the transport's own copy of the
	// request.
	Sign(req *http.Request, s Session)

	// Rejects reports whether the answer says that the session has ended. It must
	// not read the body.
	Rejects(res *http.Response) bool
}
