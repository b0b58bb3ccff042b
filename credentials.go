package jwtsession

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/redaction"
)

// Credentials are what a person signs in with. They are their own
// [CredentialsProvider], for a password that never changes while the program
// runs.
//
// However they are printed, encoded as JSON or logged, all but the e-mail address is
// left out. But fmt does not ask an unexported field how it wants to be shown: in a
// struct that may be printed keep them in an exported field, or keep their
// Retrieve method in place of them, a function that prints as an address.
type Credentials struct {
	// Email is the e-mail address, or whatever else names the account. In logs it
	// is its domain. What has none is left out: somebody may have put a password
	// there.
	Email string

	Password string

	// Extra is what else a [Protocol] names: a tenant, a client id, a client secret.
	// It is part of who signs in: another Extra is another account.
	Extra map[string]string

	// OneTimeCode is good for one sign-in, and no part of who signs in. A provider
	// that gives one is asked anew for each. Without one a sign-in that needs it is
	// an error that Is [ErrOneTimeCode].
	OneTimeCode string
}

// CredentialsProvider is asked for the credentials whenever there is no session
// to go on with, and only then, so that a rotated password is picked up without a
// restart: before each sign-in, before a look into the cache, which the
// credentials open, and while refused ones have to wait. It may be asked from
// several goroutines, should respect ctx, and must not use the token source that
// asks.
type CredentialsProvider interface {
	Retrieve(ctx context.Context) (Credentials, error)
}

// CredentialsProviderFunc is a function as a [CredentialsProvider].
type CredentialsProviderFunc func(context.Context) (Credentials, error)

// Retrieve calls f.
func (f CredentialsProviderFunc) Retrieve(ctx context.Context) (Credentials, error) { return f(ctx) }

// Retrieve returns c itself.
func (c Credentials) Retrieve(context.Context) (Credentials, error) { return c, nil }

// String names the account and leaves out the password.
func (c Credentials) String() string {
	return fmt.Sprintf("{Email:%s Password:%s}", c.Email, redacted)
}

// Format prints what String returns, whatever the verb: %#v, too, leaves out the
// password.
func (c Credentials) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue is what slog prints: the domain of the e-mail address.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("account", emailDomain(c.Email)))
}

// MarshalJSON leaves out the password. Reading credentials from JSON works as
// for any struct.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct{ Email, Password string }{c.Email, redacted})
}

// redactor returns that of a call with these credentials, for a session, and of what
// else is known to be secret.
func (c Credentials) redactor(s Session, more ...string) redactor {
	return redactor{redaction.OfAccount(c.Email, slices.Concat(s.secrets(), c.secrets(), more)...)}
}

// secrets are what no text from outside may have a part of during a sign-in.
func (c Credentials) secrets() []string {
	return slices.AppendSeq([]string{c.Password, c.OneTimeCode}, maps.Values(c.Extra))
}

func (c Credentials) checkEncoding() error {
	if !utf8.ValidString(c.Email) || !utf8.ValidString(c.Password) {
		return errors.New("jwtsession: the credentials are not UTF-8, and JSON could not carry them unchanged: check how they are read")
	}
	return nil
}

// fingerprint tells two credentials apart without keeping them. A one-time code is
// another one each time, and does not count.
func (c Credentials) fingerprint() core.Fingerprint {
	sum := sha256.Sum256([]byte(joined(append([]string{c.Email, c.Password}, c.extra()...)...)))
	return core.Fingerprint(sum[:])
}

// accountDomain is how a log names an account: by the domain of its e-mail
// address. An account that is no e-mail address is named in full.
func accountDomain(account string) string {
	if !strings.Contains(account, "@") {
		return account
	}
	return emailDomain(account)
}

// emailDomain is the domain of an e-mail address. It is empty where a password may
// have been put in the place of one: without a domain that a host might have.
func emailDomain(email string) string {
	domain := email[strings.LastIndexByte(email, '@')+1:]
	if domain == email || domain != "localhost" && !domainShape.MatchString(domain) {
		return ""
	}
	return domain
}

// domainShape is a name of several labels, of which the last is no number (RFC
// 1123, section 2.1).
var domainShape = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+([A-Za-z]{2,}|[Xx][Nn]--[A-Za-z0-9-]+)\.?$`)
