package demo

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// earlyExpiry is when the plain client signs in again: this long before its
// token expires. oauth2's default is 10 s; with tokens of 8 s it would sign in
// for each request.
const earlyExpiry = time.Second

// session is one that a client got.
type session struct {
	due    time.Time // when it is to be renewed
	expiry time.Time
}

// contender is a client, and the API that it alone calls.
type contender struct {
	load
	box      *sessiontest.Server
	release  func()       // what Close of the client is
	sessions chan session // each one as it comes, for the script
}

func newContender(d *Demo, name string) (*contender, error) {
	c := &contender{load: load{chronicle: d.chronicle, name: name}, sessions: make(chan session, 100), release: func() {}}
	box, err := sessiontest.Start(sessiontest.WithTokenLife(tokenLife), sessiontest.WithObserver(c.observe))
	if err != nil {
		return nil, err
	}
	c.box, c.url = box, box.URL
	inOrder(box)
	return c, nil
}

// newLibraryClient returns the client that is signed in by this library.
func newLibraryClient(d *Demo) (*contender, error) {
	c, err := newContender(d, "jwtsession")
	if err != nil {
		return nil, err
	}
	var ts *jwtsession.TokenSource
	ts, err = jwtsession.New(jwtsession.Config{
		BaseURL:     c.box.URL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
		HTTPClient:  timedClient(c.box.Client().Transport),
		OnEvent: func(e jwtsession.Event) {
			if e.Kind == jwtsession.EventSignedIn || e.Kind == jwtsession.EventRefreshed {
				c.renewed(e.Time, session{due: ts.Status().RefreshAt, expiry: e.ExpiresAt})
			}
			tone, text := describe(e)
			c.tell(tone, text)
		},
	})
	if err != nil {
		c.close()
		return nil, err
	}
	c.client = ts.Client()
	c.release = func() { ts.Close() }
	return c, nil
}

// newPlainClient returns the client that people write without this library: it
// has oauth2 keep the token that a sign-in brings.
func newPlainClient(d *Demo) (*contender, error) {
	c, err := newContender(d, "oauth2 alone")
	if err != nil {
		return nil, err
	}
	api, err := jwtsession.NewClient(c.box.URL, jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, c.box.Client())
	if err != nil {
		c.close()
		return nil, err
	}
	c.client = &http.Client{Transport: &oauth2.Transport{
		Source: oauth2.ReuseTokenSourceWithExpiry(nil, signIn{api, c}, earlyExpiry),
		Base:   timed{c.box.Client().Transport},
	}}
	return c, nil
}

// signIn is an oauth2.TokenSource that signs in each time that it is asked.
type signIn struct {
	api *jwtsession.Client
	c   *contender
}

func (s signIn) Token() (*oauth2.Token, error) {
	created, err := s.api.Create(context.Background())
	if err != nil {
		s.c.tell(Bad, "sign-in failed: "+reason(err))
		return nil, err
	}
	s.c.renewed(time.Now(), session{due: created.ExpiresAt.Add(-earlyExpiry), expiry: created.ExpiresAt})
	s.c.tell(Good, "signed in: the token lives "+seconds(time.Until(created.ExpiresAt)))
	return &oauth2.Token{AccessToken: created.Token, TokenType: "Bearer", Expiry: created.ExpiresAt}, nil
}

// renewed notes that the client got a session.
func (c *contender) renewed(now time.Time, s session) {
	c.tally.renewed(c.at(now), c.at(s.expiry))
	select {
	case c.sessions <- s:
	default:
	}
}

// next waits for the next session that the client gets.
func (c *contender) next(ctx context.Context) (session, bool) {
	select {
	case s := <-c.sessions:
		return s, true
	case <-ctx.Done():
		return session{}, false
	}
}

// observe sees each call that the client's API has answered.
func (c *contender) observe(call sessiontest.Call) {
	if call.Status == http.StatusTooManyRequests {
		c.tally.mark(c.at(call.Start), markThrottled)
		c.tell(Trouble, "its API answers one call with 429, Retry-After: 1")
	}
}

func (c *contender) close() {
	c.release()
	c.box.Close()
}
