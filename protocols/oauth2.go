package protocols

import (
	"time"

	"github.com/jwtsession/jwtsession"
)

// The grants of OAuth 2.0 ([RFC 6749]). The base URL is that of the token endpoint,
// which is /token below it, without that; the API itself is one of Origins, where
// it is elsewhere. The log-out is [RFC 7009]'s, at /revoke: where the server has
// none, or has it at another path, copy the description and change it.
//
// Extra has scope, which may be empty: a parameter without a value is as good as
// none. Where the client is told by its id and its secret in the form they are
// client_id and client_secret, of which the latter is empty for a public client.
//
// Tried against the certified provider oidc-provider 9.13.3, with rotation and reuse
// detection (sign-in, refresh, revocation, log-out). It has no grant with a password
// by itself, but lets one be added.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
var (
	// OAuth2ClientCredentials is a program that acts for itself (section 4.4). Email
	// is the client's id, and Password its secret. Trap: the RFC wants both
	// form-encoded inside the Basic header, which few servers do, and which matters
	// only where they have other characters than letters, digits, - and _.
	OAuth2ClientCredentials = jwtsession.Protocol{
		SignIn:    "POST /token\nAuthorization: Basic {basic}\n\ngrant_type=client_credentials&scope={scope}",
		LogOut:    "POST /revoke\nAuthorization: Basic {basic}\n\ntoken={token}",
		Token:     "access_token",
		ExpiresIn: "expires_in",
	}

	// OAuth2Password is the grant with a user's password (section 4.3), which many
	// servers still have. With a scope of offline_access, or whatever the server
	// wants for it, there is a refresh token; each is used once if the server says
	// so by sending a new one.
	OAuth2Password = jwtsession.Protocol{
		SignIn:       "POST /token\n\ngrant_type=password&username={email}&password={password}&client_id={client_id}&client_secret={client_secret}&scope={scope}",
		Refresh:      "POST /token\n\ngrant_type=refresh_token&refresh_token={refresh}&client_id={client_id}&client_secret={client_secret}",
		LogOut:       "POST /revoke\n\ntoken={refresh}&client_id={client_id}&client_secret={client_secret}",
		Token:        "access_token",
		ExpiresIn:    "expires_in",
		Keep:         map[string]string{"refresh": "refresh_token"},
		RenewableFor: 24 * time.Hour,
	}

	// OAuth2RefreshToken begins with a refresh token that was issued elsewhere: Extra
	// has it as refresh_token. Trap: where refresh tokens are used once, that one is
	// good for the first sign-in only, and the session goes on in the cache: without
	// a cache that lasts, a restart needs a new one.
	OAuth2RefreshToken = jwtsession.Protocol{
		SignIn:       "POST /token\n\ngrant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}&client_secret={client_secret}",
		Refresh:      "POST /token\n\ngrant_type=refresh_token&refresh_token={refresh}&client_id={client_id}&client_secret={client_secret}",
		LogOut:       "POST /revoke\n\ntoken={refresh}&client_id={client_id}&client_secret={client_secret}",
		Token:        "access_token",
		ExpiresIn:    "expires_in",
		Keep:         map[string]string{"refresh": "refresh_token"},
		RenewableFor: 24 * time.Hour,
	}
)
