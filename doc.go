// Package jwtsession keeps a program signed in to any API that hands out sessions:
// one that trades credentials for a token, and renews it with the token itself or
// with a refresh token. It is to them what golang.org/x/oauth2 is to OAuth2.
// PacerPro's court-data API is served out of the box, others by a description.
//
//	ts, err := jwtsession.New(jwtsession.Config{
//		Credentials: jwtsession.Credentials{Email: email, Password: password},
//	})
//	if err != nil {
//		return err
//	}
//	defer ts.Close()
//	client := ts.Client() // an *http.Client that is always signed in
//
// A [TokenSource] signs in when somebody first asks for a token, refreshes the
// session ahead of its expiry, whether it is used or not, and signs in again where
// the server refuses to renew it. Callers get the live token meanwhile, and wait for
// nothing. It is an [golang.org/x/oauth2.TokenSource], for code that takes one.
//
// A [Transport], which is what [TokenSource.Client] has, puts the token on every
// request to the API, and on no other. A 401 makes the session doubted: the server
// is asked to renew it before anybody uses it again, and the request is sent once
// more with what that brings.
//
// # Many processes
//
// Config.Cache shares one session between runs of a command, or between the
// processes of a fleet: see package [github.com/jwtsession/jwtsession/cache] and
// the stores in its subdirectories. What goes into a cache is sealed.
//
// # When things go wrong
//
// Every error says what was tried, on which host, what came back, and what to do,
// and holds no secret. What can be tried again is tried again, at growing
// intervals; a password that the server has refused is not, for a minute and
// more, since accounts are locked that way. [TokenSource.Token] tells the whole
// of it.
//
// # Other APIs
//
// A [Protocol] describes how an API hands out sessions: the three requests as one
// writes them in an .http file, and where the answers have the token. Package
// [github.com/jwtsession/jwtsession/protocols] has descriptions of real APIs:
//
//	ts, err := jwtsession.New(jwtsession.Config{
//		BaseURL:     "https://pocketbase.example.com",
//		Protocol:    &protocols.PocketBase,
//		Credentials: jwtsession.Credentials{Email: email, Password: password},
//	})
//
// A refresh token is kept beside the token, is sealed in a cache, and is used once,
// by one process. What a description cannot say an [Issuer] does in code; if it is
// a [Signer] as well, it also says how requests carry the session.
//
// # Tests
//
// Package [github.com/jwtsession/jwtsession/sessiontest] has the API in a box, over
// TCP or in memory, with faults on demand.
package jwtsession
