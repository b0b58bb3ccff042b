package sessiontest_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// signIn returns a token source of the box's user.
func signIn(box *sessiontest.Server) *jwtsession.TokenSource {
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		HTTPClient:  box.Client(),
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
	})
	if err != nil {
		log.Fatal(err)
	}
	return ts
}

// A program under test signs in to the box as it would to the API.
func ExampleNewServer() {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := signIn(box)
	defer ts.Close()

	for range 3 {
		res, err := ts.Client().Get(box.URL + "/me")
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		fmt.Println(res.Status)
	}
	fmt.Println("sign-ins:", box.Counts().Created)
	// Output:
	// 200 OK
	// 200 OK
	// 200 OK
	// sign-ins: 1
}

// What does the program do when the API is overloaded?
func ExampleServer_Inject() {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := signIn(box)
	defer ts.Close()

	box.Inject(sessiontest.OpCreate, 1, sessiontest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "120"})
	_, err := ts.Token()
	var api *jwtsession.APIError
	if errors.As(err, &api) {
		fmt.Println(api.StatusCode, api.RetryAfter)
	}
	// Output: 429 2m0s
}

// And when somebody else logs the user out?
func ExampleServer_RevokeAll() {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := signIn(box)
	defer ts.Close()

	for range 2 {
		res, err := ts.Client().Get(box.URL + "/me")
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		fmt.Println(res.Status)
		box.RevokeAll()
	}
	fmt.Println("sign-ins:", box.Counts().Created)
	// Output:
	// 200 OK
	// 200 OK
	// sign-ins: 2
}

// A log takes a testing.T's place here.
type logger struct{}

func (logger) Helper()                           {}
func (logger) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// Strict tells a client's author what the API does not describe.
func ExampleStrict() {
	box := sessiontest.NewServer(sessiontest.Strict(logger{}))
	defer box.Close()

	req, err := http.NewRequest(http.MethodDelete, box.URL+"/session", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+box.NewToken(sessiontest.Email, time.Hour))
	req.Header.Set("Content-Type", "application/json")
	res, err := box.Client().Do(req)
	if err != nil {
		log.Fatal(err)
	}
	res.Body.Close()
	fmt.Println(res.Status)
	// Output:
	// sessiontest: DELETE /session: got a Content-Type header, want none
	// 200 OK
}

// An observer sees what goes over the wire.
func ExampleWithObserver() {
	box := sessiontest.NewServer(sessiontest.WithObserver(func(c sessiontest.Call) {
		fmt.Println(c.Method, c.Path, c.Status)
	}))
	ts := signIn(box)
	if _, err := ts.Token(); err != nil {
		log.Fatal(err)
	}
	ts.Close()
	box.Close() // after which every call has been observed
	// Output: POST /v1/session 200
}
