package jwtsession_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// An http.Client that is always signed in.
func Example() {
	box := sessiontest.NewServer() // in place of the API
	defer box.Close()

	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ts.Close()
	client := ts.Client()

	for range 3 {
		res, err := client.Get(box.URL + "/me")
		if err != nil {
			fmt.Println(err)
			return
		}
		res.Body.Close()
		fmt.Println(res.Status)
	}
	fmt.Println("sign-ins:", box.Counts().Creates)
	// Output:
	// 200 OK
	// 200 OK
	// 200 OK
	// sign-ins: 1
}

// A client that the program has already, with a transport of its own, is signed
// in by wrapping that transport.
func ExampleTransport() {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := open(box)
	defer ts.Close()

	client := &http.Client{
		Transport: &jwtsession.Transport{Source: ts, Base: http.DefaultTransport},
		Timeout:   10 * time.Second,
	}

	res, err := client.Post(box.URL+"/documents", "text/plain", strings.NewReader("a body is sent again, too"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	// Output: 200 OK
}

// Whatever takes an oauth2.TokenSource takes this one: other libraries, gRPC, and
// oauth2's own transport. That sends the token along with a redirect, to whatever
// host, so the client follows none; oauth2.NewClient would keep a token that was
// revoked until it expires, besides.
func ExampleTokenSource_oauth2() {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := open(box)
	defer ts.Close()

	client := &http.Client{
		Transport:     &oauth2.Transport{Source: ts},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	res, err := client.Get(box.URL + "/me")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	// Output: 200 OK
}

// A worker that runs for weeks reads its password anew at each sign-in, logs what
// happens to the session, and tells its health check how the session stands.
func ExampleNew_worker() {
	box := sessiontest.NewServer()
	defer box.Close()
	write := func() { os.WriteFile(passwordFile, []byte(sessiontest.Password+"\n"), 0o600) }
	write()
	defer os.Remove(passwordFile)

	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL: box.URL,
		Credentials: jwtsession.CredentialsProviderFunc(func(context.Context) (jwtsession.Credentials, error) {
			password, err := os.ReadFile(passwordFile)
			return jwtsession.Credentials{Email: sessiontest.Email, Password: strings.TrimSpace(string(password))}, err
		}),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OnEvent: func(e jwtsession.Event) {
			if e.Kind == jwtsession.EventSignInFailed {
				fmt.Println("tell somebody:", e.Err)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ts.Close()

	if _, err := ts.Token(); errors.Is(err, jwtsession.ErrInvalidCredentials) {
		fmt.Println("the password is wrong, and is not sent again for a minute")
	}
	fmt.Println("healthy:", ts.Status().Live)
	// Output: healthy: true
}

const passwordFile = "example-password"

// The runs of a command share a session in a file of the user's: the second run
// makes no call at all.
func ExampleNew_betweenRuns() {
	box := sessiontest.NewServer()
	defer box.Close()
	directory, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(directory)

	for range 2 {
		store, err := filecache.New(directory) // "" is jwtsession in the user's cache directory
		if err != nil {
			fmt.Println(err)
			return
		}
		ts, err := jwtsession.New(jwtsession.Config{
			BaseURL:     box.URL,
			Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
			Cache:       store,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := ts.Token(); err != nil {
			fmt.Println(err)
		}
		ts.Close()
	}
	fmt.Println("sign-ins:", box.Counts().Creates)
	// Output: sign-ins: 1
}

// The API in a box makes a test of a program that signs in, and of what it does
// when the session is revoked.
func ExampleTokenSource_test() {
	box := sessiontest.NewServer(sessiontest.WithTokenLife(time.Minute))
	defer box.Close()
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		HTTPClient:  box.Client(),
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ts.Close()

	if _, err := ts.Client().Get(box.URL + "/me"); err != nil {
		fmt.Println(err)
		return
	}

	box.RevokeAll()
	box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Status: 503})
	res, err := ts.Client().Get(box.URL + "/me")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status, "after", box.Counts().Creates, "attempts to sign in")
	// Output: 200 OK after 3 attempts to sign in
}

// Revoke logs out: in this process, and in every other one of the user's.
func ExampleTokenSource_Revoke() {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := open(box)
	defer ts.Close()
	ts.Token()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := ts.Revoke(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("live:", ts.Status().Live)
	// Output: live: false
}

// An Issuer takes the place of PacerPro's protocol: here, that of an API which
// hands out a token for a key, and has nothing to refresh.
func ExampleIssuer() {
	ts, err := jwtsession.New(jwtsession.Config{
		Issuer:  keyIssuer{key: "from a secret store"},
		Account: "reports",
		BaseURL: "https://reports.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ts.Close()
	token, err := ts.Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Type(), len(token.AccessToken) > 0)
	// Output: Bearer true
}

type keyIssuer struct{ key string }

func (i keyIssuer) Create(context.Context) (jwtsession.Session, error) {
	// A call to the API, with the key, belongs here.
	return jwtsession.Session{Token: "opaque", ExpiresAt: time.Now().Add(time.Hour)}, nil
}

func (i keyIssuer) Refresh(context.Context, jwtsession.Session) (jwtsession.Session, error) {
	return jwtsession.Session{}, fmt.Errorf("this API has no refresh: %w", jwtsession.ErrUnauthorized)
}

func (i keyIssuer) Revoke(context.Context, jwtsession.Session) error { return nil }

// Client makes the three calls, once each, for a program that wants no more.
func ExampleClient() {
	box := sessiontest.NewServer()
	defer box.Close()
	client, err := jwtsession.NewClient(box.URL, jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	session, err := client.Create(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Revoke(ctx, session); err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Refresh(ctx, session)
	fmt.Println(errors.Is(err, jwtsession.ErrUnauthorized))
	// Output: true
}

// open is what the other examples begin with.
func open(box *sessiontest.Server) *jwtsession.TokenSource {
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
	})
	if err != nil {
		panic(err) // the box has a good URL
	}
	return ts
}
