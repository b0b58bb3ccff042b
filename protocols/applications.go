package protocols

import (
	"time"

	"github.com/jwtsession/jwtsession"
)

// PacerPro is PacerPro's API, at https://api.pacerpro.com/v1: the zero value.
var PacerPro jwtsession.Protocol

// PocketBase is a [PocketBase] server, for a record of its collection users. The
// base URL is the server's.
//
// Tried against PocketBase 0.36.8 (sign-in, refresh, revocation by a new token
// key). There is no log-out: a token lives until its exp.
//
// Trap: who is not signed in, or is no longer, is a guest. A list has 200 and
// nothing in it then, so that the end of a session need not show as an error. A
// rule that guests do not pass is 403 or 404 to them.
//
// [PocketBase]: https://pocketbase.io/docs/api-records/#auth-record-actions
var PocketBase = jwtsession.Protocol{
	SignIn:  "POST /api/collections/users/auth-with-password\n\n" + `{"identity": "{email}", "password": "{password}"}`,
	Refresh: "POST /api/collections/users/auth-refresh",
	Token:   "token",
	Rejects: []int{401, 403},
}

// PocketBaseSuperusers is the same server, for one of its superusers.
//
// Tried against PocketBase 0.36.8, as PocketBase.
var PocketBaseSuperusers = jwtsession.Protocol{
	SignIn:  "POST /api/collections/_superusers/auth-with-password\n\n" + `{"identity": "{email}", "password": "{password}"}`,
	Refresh: "POST /api/collections/_superusers/auth-refresh",
	Token:   "token",
	Rejects: []int{401, 403},
}

// GinJWT is a server made with [gin-jwt] 3, with the routes of its README: /login,
// /refresh and /auth/logout. Email is the user's name. The base URL is that of the
// routes.
//
// Tried against gin-jwt 3.4.1 (sign-in, rotating refresh tokens, a new key, log-out).
//
// Traps: a log-out ends the refresh token; the access token is good until its exp.
// Refresh tokens are in the server's memory unless it is given a store: after its
// restart all have to sign in.
//
// [gin-jwt]: https://github.com/appleboy/gin-jwt
var GinJWT = jwtsession.Protocol{
	SignIn:       "POST /login\n\n" + `{"username": "{email}", "password": "{password}"}`,
	Refresh:      "POST /refresh\n\n" + `{"refresh_token": "{refresh}"}`,
	LogOut:       "POST /auth/logout\nAuthorization: Bearer {token}\n\n" + `{"refresh_token": "{refresh}"}`,
	Token:        "access_token",
	ExpiresIn:    "expires_in",
	Keep:         map[string]string{"refresh": "refresh_token"},
	RenewableFor: 30 * 24 * time.Hour,
}

// GinJWTv2 is a server made with gin-jwt 2, whose tokens renew themselves, with
// the routes of its README: /login and /auth/refresh_token.
//
// From the [documentation] of version 2, and the source of 2.10.3. There is no log-out:
// its LogoutHandler clears a cookie. Traps: the server must have set MaxRefresh, or no
// token is renewed; and two tokens of the same second are equal.
//
// [documentation]: https://pkg.go.dev/github.com/appleboy/gin-jwt/v2
var GinJWTv2 = jwtsession.Protocol{
	SignIn:    "POST /login\n\n" + `{"username": "{email}", "password": "{password}"}`,
	Refresh:   "GET /auth/refresh_token",
	Token:     "token",
	ExpiresAt: "expire",
}

// Supabase is a [Supabase] project, or another one with GoTrue behind /auth/v1.
// The base URL is the project's, so that its REST API gets the session, too. Extra
// has apikey, the project's publishable (anon) key, which every request carries.
//
// From the documentation and [openapi.yaml] of supabase/auth. The log-out is of this
// session only. Traps: refresh tokens are used once; the use of an older one ends the
// session. They [never expire] by themselves, but a project may end sessions by their
// age or after a time without use: a week is what is counted on here. After the
// [log-out] the access token is good until its exp where nobody asks Supabase's Auth.
//
// [Supabase]: https://supabase.com/docs/reference/self-hosting-auth/introduction
// [openapi.yaml]: https://github.com/supabase/auth/blob/master/openapi.yaml
// [never expire]: https://supabase.com/docs/guides/auth/sessions
// [log-out]: https://supabase.com/docs/guides/auth/signout
var Supabase = jwtsession.Protocol{
	SignIn:       "POST /auth/v1/token?grant_type=password\napikey: {apikey}\n\n" + `{"email": "{email}", "password": "{password}"}`,
	Refresh:      "POST /auth/v1/token?grant_type=refresh_token\napikey: {apikey}\n\n" + `{"refresh_token": "{refresh}"}`,
	LogOut:       "POST /auth/v1/logout?scope=local",
	Token:        "access_token",
	ExpiresAt:    "expires_at",
	ExpiresIn:    "expires_in",
	Keep:         map[string]string{"refresh": "refresh_token"},
	RenewableFor: 7 * 24 * time.Hour,
	Send:         []string{"Authorization: Bearer {token}", "apikey: {apikey}"},
}

// Directus is a [Directus] server. The base URL is the server's.
//
// From the documentation and the source (api/src/services/authentication.ts). Traps:
// expires is in milliseconds; refresh tokens are used once; a log-out ends the
// [refresh token], and the access token is good until its exp; a token signed with
// another secret is a 403, as what is forbidden is, and only an expired one a 401; who
// sends no token is a guest, with the public role's rights; a one-time code would go
// into a member otp, which users without one must not have.
//
// [Directus]: https://directus.io/docs/api/authentication
// [refresh token]: https://directus.io/docs/guides/auth/tokens-cookies
var Directus = jwtsession.Protocol{
	SignIn:       "POST /auth/login\n\n" + `{"email": "{email}", "password": "{password}", "mode": "json"}`,
	Refresh:      "POST /auth/refresh\n\n" + `{"refresh_token": "{refresh}", "mode": "json"}`,
	LogOut:       "POST /auth/logout\n\n" + `{"refresh_token": "{refresh}", "mode": "json"}`,
	Token:        "data.access_token",
	ExpiresIn:    "data.expires ms",
	Keep:         map[string]string{"refresh": "data.refresh_token"},
	RenewableFor: 7 * 24 * time.Hour,
}

// Strapi is a [Strapi] server, for a user of its plugin Users & Permissions. Email
// is the user's name or e-mail address. The base URL is the server's, without /api.
//
// From the documentation, for a server with jwtManagement: 'legacy-support', which is
// the default. There is no refresh and no log-out then: a token lives for 30 days,
// unless the server says something else. With 'refresh' a token lives for a week, and
// this signs in anew after it; the answer has a refreshToken besides, for POST
// /api/auth/refresh, and POST /api/auth/logout ends all sessions of the user. Traps: a
// wrong password is a 400; more than five sign-ins in five minutes are refused; a
// guest that asks for what is not public gets 403 where others get 401.
//
// [Strapi]: https://docs.strapi.io/cms/features/users-permissions
var Strapi = jwtsession.Protocol{
	SignIn: "POST /api/auth/local\n\n" + `{"identifier": "{email}", "password": "{password}"}`,
	Token:  "jwt",
}

// SimpleJWT is a server made with [Simple JWT] for the Django REST framework, with
// the routes of its documentation, /api/token/ and /api/token/refresh/. Email is
// the user's name.
//
// From the documentation. Access tokens live for five minutes and refresh tokens for
// a day, unless the server says something else. Traps: the paths end in a slash,
// without which Django redirects; with ROTATE_REFRESH_TOKENS each refresh brings a new
// refresh token, with BLACKLIST_AFTER_ROTATION besides the old one is dead then, and
// without them there is that of the sign-in only. There is no log-out, unless the
// server has the [blacklist app] and its route: a LogOut of "POST /api/token/blacklist/"
// with the body of Refresh then ends the refresh token.
//
// [Simple JWT]: https://django-rest-framework-simplejwt.readthedocs.io/
// [blacklist app]: https://django-rest-framework-simplejwt.readthedocs.io/en/latest/blacklist_app.html
var SimpleJWT = jwtsession.Protocol{
	SignIn:       "POST /api/token/\n\n" + `{"username": "{email}", "password": "{password}"}`,
	Refresh:      "POST /api/token/refresh/\n\n" + `{"refresh": "{refresh}"}`,
	Token:        "access",
	Keep:         map[string]string{"refresh": "refresh"},
	RenewableFor: 24 * time.Hour,
}
