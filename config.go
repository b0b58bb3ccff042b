package jwtsession

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/origin"
)

// DefaultTimeout bounds one sign-in or refresh where Config.Timeout is zero.
const DefaultTimeout = 30 * time.Second

// Config says how to sign in, and where. Its zero value but for Credentials is a
// good one.
//
// However it is printed, it shows no secret, but in an unexported field of a
// struct: see [Credentials].
type Config struct {
	// BaseURL is the API's, as in [NewClient]; [DefaultBaseURL] if it is empty.
	// Requests to its origin carry the token.
	BaseURL string

	// Credentials are asked for at every sign-in. [Credentials] themselves are
	// the simplest provider.
	Credentials CredentialsProvider

	// Protocol is how the API at BaseURL hands out sessions; nil stands for
	// PacerPro's. Package protocols has descriptions of real APIs.
	Protocol *Protocol

	// Issuer makes the session calls in the place of a Protocol, where no description
	// tells how; it may be a [Signer] as well. A BaseURL, or Origins, then only say
	// which requests of a [Transport] carry the token.
	//
	// An Issuer has credentials of its own. If Credentials are set all the same, the
	// provider is asked before each Create: a refusal is remembered of what it
	// returned, so that changed credentials are tried at once, and they seal and name
	// the entry in a cache.
	Issuer Issuer

	// Account names the account of an Issuer, in a cache and in logs. Of an e-mail
	// address, logs have the domain only.
	Account string

	// HTTPClient carries the session calls, and its Transport the requests of
	// [TokenSource.Client]; nil stands for http.DefaultTransport. Redirects of a
	// session call are never followed, whatever it says.
	HTTPClient *http.Client

	// Origins are further origins, as "https://files.example.com", whose requests
	// carry the token, besides that of BaseURL.
	Origins []string

	// Cache shares the session with other sources and processes; nil keeps it to
	// this source.
	Cache cache.Cache

	// CacheKey are 32 bytes from a secret store that seal what goes into the cache;
	// nil derives them from the password. With an Issuer and no Credentials it is
	// required.
	CacheKey []byte

	// Timeout bounds one sign-in or refresh, its retries included; zero stands for
	// [DefaultTimeout]. It is not a caller's wait: that ends with the caller's
	// context.
	Timeout time.Duration

	// Logger is told what happens to the session: at level Info what succeeds, at
	// Warn what fails. It never sees a secret, and of the account only the domain
	// of its e-mail address. Nil is silent.
	Logger *slog.Logger

	// OnEvent is told the same. It is called from a goroutine of its own, with one
	// event at a time in their order, and may use the token source.
	OnEvent func(Event)
}

// String names what is set and leaves out what is secret.
func (c Config) String() string {
	return fmt.Sprintf("{BaseURL:%s Account:%s Origins:%v Timeout:%v Credentials:%s CacheKey:%s}",
		printableURL(c.BaseURL), accountDomain(c.Account), len(c.Origins), c.Timeout, redacted, redacted)
}

// Format prints what String returns, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue is what slog prints.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes what String returns: a Config has functions and interfaces
// in it, and could not be read back.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// printableURL is a URL that may be shown: one with a user's password in it is
// a mistake, but still a secret.
func printableURL(s string) string {
	u, err := origin.ParseURL(s)
	if err != nil {
		return ""
	}
	return u.String()
}

// validate finds what contradicts itself before anything is built.
func (c *Config) validate() error {
	for name, value := range map[string]any{"Issuer": c.Issuer, "Credentials": c.Credentials, "Cache": c.Cache} {
		if v := reflect.ValueOf(value); (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil() {
			return fmt.Errorf("jwtsession: Config.%s is a %T that is nil: was an error passed over where it was made?", name, value)
		}
	}
	if client, ok := c.Issuer.(*Client); ok && client.protocol == nil {
		return errors.New("jwtsession: Config.Issuer is a Client that NewClient has not made")
	}
	switch {
	case c.Issuer != nil && c.Protocol != nil:
		return errors.New("jwtsession: Config has both an Issuer and a Protocol: one of them makes the session calls, so leave out the other")
	case c.Issuer == nil && c.Credentials == nil:
		return errors.New("jwtsession: Config has no Credentials: set an e-mail address and a password, or a CredentialsProvider")
	case c.Timeout < 0:
		return fmt.Errorf("jwtsession: Config.Timeout is %v: give a positive duration, or zero for %v", c.Timeout, DefaultTimeout)
	case c.CacheKey != nil && len(c.CacheKey) != cacheKeySize:
		return fmt.Errorf("jwtsession: Config.CacheKey has %d bytes: it must have %d", len(c.CacheKey), cacheKeySize)
	case c.Issuer != nil && c.Credentials == nil && c.Cache != nil && (c.CacheKey == nil || c.Account == ""):
		return errors.New("jwtsession: a Cache with an Issuer needs Config.CacheKey and Config.Account, to seal and to name its entry")
	}
	return nil
}

// client returns what signs in where there is no Issuer.
func (c *Config) client() (*Client, error) {
	var protocol Protocol
	if c.Protocol != nil {
		protocol = *c.Protocol
	}
	client, err := protocol.NewClient(c.BaseURL, c.Credentials, c.HTTPClient)
	if err != nil {
		return nil, err
	}
	if own, ok := c.Credentials.(Credentials); ok {
		if err := check(client.protocol, client.protocol.SignIn, own); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// origins returns the origins whose requests carry the token: BaseURL's first.
func (c *Config) origins() ([]origin.Origin, error) {
	var all []origin.Origin
	if c.BaseURL != "" || c.Issuer == nil {
		base, err := origin.ParseURL(cmp.Or(c.BaseURL, DefaultBaseURL))
		if err != nil {
			return nil, err
		}
		all = append(all, origin.Of(base))
	}
	for _, s := range c.Origins {
		further, err := origin.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("%w (in Config.Origins)", err)
		}
		all = append(all, further)
	}
	return all, nil
}
