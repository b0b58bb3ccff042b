package protocols

import "github.com/jwtsession/jwtsession"

// Portainer is a [Portainer] server. Email is the user's name. The base URL is the
// server's, without /api.
//
// From the documentation and the [source]. There is no refresh: a token lives for
// eight hours, unless the server says something else. There is no log-out: the one
// that the API has ends the session of the browser's cookie, and that needs a CSRF
// token; of a Bearer token it knows nothing, and some versions (2.21.5 by
// [issue 12457], 2.27.6 by issue 12689) drop the connection. Trap: wrong credentials are a 422. An access
// token, sent as X-API-Key, needs no session at all.
//
// [Portainer]: https://docs.portainer.io/api/access
// [source]: https://github.com/portainer/portainer/tree/develop/api/http/handler/auth
// [issue 12457]: https://github.com/portainer/portainer/issues/12457
var Portainer = jwtsession.Protocol{
	SignIn: "POST /api/auth\n\n" + `{"Username": "{email}", "Password": "{password}"}`,
	Token:  "jwt",
}

// NginxProxyManager is an [Nginx Proxy Manager]. The base URL is the server's,
// without /api.
//
// From the API's schema and the server's source (backend/internal/token.js and
// backend/lib/error.js). There is no log-out; a token lives for a day. Traps: a wrong
// password is a 401 on old servers and a 400 on new ones, by [issue 5454], and so is
// an expired token; users with a second factor get no token. [NPMplus], a fork, has
// the token in a cookie since 2026: this is not for it.
//
// [Nginx Proxy Manager]: https://github.com/NginxProxyManager/nginx-proxy-manager/tree/develop/backend/schema
// [issue 5454]: https://github.com/NginxProxyManager/nginx-proxy-manager/issues/5454
// [NPMplus]: https://github.com/ZoeyVid/NPMplus/issues/2567
var NginxProxyManager = jwtsession.Protocol{
	SignIn:    "POST /api/tokens\n\n" + `{"identity": "{email}", "secret": "{password}"}`,
	Refresh:   "GET /api/tokens",
	Token:     "token",
	ExpiresAt: "expires",
}

// Jellyfin is a [Jellyfin] server. Email is the user's name; Extra has device_id,
// which names the program: any text without quotes.
//
// From the documentation and the source (AuthorizationContext, SessionManager). Tokens
// do not expire, and there is no refresh. Trap: a sign-in ends the session of the same
// user with the same device_id, so that two programs need two of them, or one cache.
// The header is the one of the [authorization] notes, which Jellyfin 12 demands and
// 10 takes, too.
//
// [Jellyfin]: https://api.jellyfin.org/
// [authorization]: https://gist.github.com/nielsvanvelzen/ea047d9028f676185832e51ffaf12a6f
var Jellyfin = jwtsession.Protocol{
	SignIn: "POST /Users/AuthenticateByName\n" +
		`Authorization: MediaBrowser Client="jwtsession", Device="jwtsession", DeviceId="{device_id}", Version="` + jwtsession.Version + `"` + "\n\n" +
		`{"Username": "{email}", "Pw": "{password}"}`,
	LogOut: "POST /Sessions/Logout",
	Token:  "AccessToken",
	Send:   []string{`Authorization: MediaBrowser Token="{token}"`},
}

// HomeAssistant is a [Home Assistant]. It signs in with a refresh token, since the
// way to one leads through a page and several steps: Extra has refresh_token, and
// the client_id that it was issued to.
//
// From the documentation. Access tokens live for half an hour; the refresh token stays
// the same. There is no log-out (the API has one, action=revoke at the same path): it
// would end the refresh token, which nobody could replace. Where a long-lived
// access token will do, no sign-in is needed at all.
//
// [Home Assistant]: https://developers.home-assistant.io/docs/auth_api/
var HomeAssistant = jwtsession.Protocol{
	SignIn:    "POST /auth/token\n\ngrant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}",
	Token:     "access_token",
	ExpiresIn: "expires_in",
}

// PiHole is a [Pi-hole] of version 6 or later. There are no users: the password is
// all, an application's if the web interface has a second factor. The base URL is
// the server's, without /api.
//
// From the documentation and FTL's source (src/api/auth.c). Every request prolongs a
// session. Traps: there are few seats (16 by default), and who signs in without logging
// out takes one for half an hour; without a free one a sign-in is a 429: let programs
// share a cache. The documentation says that a session is bound to the client's
// address, which the source does not check: where it is so, share it on one machine
// only. One without a password has no sessions at all.
//
// [Pi-hole]: https://docs.pi-hole.net/api/auth/
var PiHole = jwtsession.Protocol{
	SignIn:    "POST /api/auth\n\n" + `{"password": "{password}"}`,
	Refresh:   "GET /api/auth",
	LogOut:    "DELETE /api/auth",
	Token:     "session.sid",
	ExpiresIn: "session.validity",
	Send:      []string{"X-FTL-SID: {token}"},
}
