// Package jwtsession keeps a program signed in to an API that is not OAuth2: one
// that trades an e-mail address and a password for a JWT, and renews the JWT with
// the JWT itself. PacerPro's court-data API is the one that it serves out of the
// box.
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
// the server has ended it. Callers get the live token meanwhile, and wait for
// nothing. It is an [golang.org/x/oauth2.TokenSource], for code that takes one.
//
// A [Transport], which is what [TokenSource.Client] has, puts the token on every
// request to the API, and on no other. A request that the server answers with a
// 401, because somebody has logged out elsewhere, is sent once more with a new
// token.
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
// # Other protocols
//
// An [Issuer] speaks the server's protocol. [Client] speaks PacerPro's; another
// one takes its place with Config.Issuer.
//
// # Tests
//
// Package [github.com/jwtsession/jwtsession/sessiontest] has the API in a box, over
// TCP or in memory, with faults on demand.
package jwtsession
