package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// rotation is a session with a refresh token, and how long a process uses it.
type rotation struct {
	Token oauth2.Token
	For   time.Duration
}

const clientID = "compare"

// rotating is how the libraries that renew with a refresh token themselves are set
// up: for two processes that begin with the same session, each of which renews it.
var rotating = map[string]func(r role) (*http.Client, func(), error){
	"jwtsession": func(r role) (*http.Client, func(), error) {
		store, err := filecache.New(r.Directory)
		if err != nil {
			return nil, nil, err
		}
		ts, err := jwtsession.New(jwtsession.Config{
			BaseURL:  r.URL,
			Protocol: &publicClient,
			Credentials: jwtsession.Credentials{
				Email: sessiontest.Email, Password: sessiontest.Password, Extra: oauth2Extra,
			},
			Cache: store,
		})
		if err != nil {
			return nil, nil, err
		}
		return ts.Client(), func() { ts.Close() }, nil
	},
	"oauth2": func(r role) (*http.Client, func(), error) {
		return oauth2Config(r.URL).Client(context.Background(), &r.Rotate.Token), func() {}, nil
	},
}

// publicClient is OAuth2's grant with a password, for a client that has no secret.
var publicClient = func() jwtsession.Protocol {
	p := protocols.OAuth2Password
	p.SignIn = "POST /token\n\ngrant_type=password&username={email}&password={password}&client_id={client_id}"
	p.Refresh = "POST /token\n\ngrant_type=refresh_token&refresh_token={refresh}&client_id={client_id}"
	p.LogOut = ""
	return p
}()

var oauth2Extra = map[string]string{"client_id": clientID}

func oauth2Config(url string) *oauth2.Config {
	return &oauth2.Config{ClientID: clientID, Endpoint: oauth2.Endpoint{TokenURL: url + "/token", AuthStyle: oauth2.AuthStyleInParams}}
}

// rotate makes ten requests a second for a while, and answers how many failed.
func rotate(lib library, r role) (string, error) {
	client, end, err := rotating[lib.name](r)
	if err != nil {
		return "", err
	}
	defer end()
	failed := 0
	for start := time.Now(); time.Since(start) < r.Rotate.For; time.Sleep(100 * time.Millisecond) {
		res, err := client.Get(r.URL + "/me")
		if err != nil {
			failed++
			continue
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			failed++
		}
	}
	return strconv.Itoa(failed), nil
}

// endedSessions has two processes share a session whose refresh token is used once,
// across refreshes about an interval apart.
func endedSessions(interval time.Duration) func(library) (cell, error) {
	return func(lib library) (cell, error) {
		if rotating[lib.name] == nil {
			return none, nil
		}
		box := sessiontest.NewServer(sessiontest.WithProtocol(publicClient), sessiontest.WithExtra(oauth2Extra),
			sessiontest.WithReuseDetection(), sessiontest.WithTokenLife(lib.life(interval)))
		defer box.Close()
		directory, err := os.MkdirTemp("", "compare")
		if err != nil {
			return cell{}, err
		}
		defer os.RemoveAll(directory)
		r := role{Library: lib.name, URL: box.URL, Directory: directory + "/cache", Rotate: &rotation{For: interval * 5 / 2}}
		if lib.name == "oauth2" { // the others sign in by themselves
			token, err := oauth2Config(box.URL).PasswordCredentialsToken(context.Background(), sessiontest.Email, sessiontest.Password)
			if err != nil {
				return cell{}, err
			}
			r.Rotate.Token = *token
		}
		answers, err := start(r, 2)
		if err != nil {
			return cell{}, err
		}
		counts := box.Counts()
		if counts.Refreshed == 0 {
			return cell{}, fmt.Errorf("there was no refresh: %+v, failed requests %v", counts, answers)
		}
		return measured(float64(min(counts.Reused, 1) + counts.Creates - 1)), nil
	}
}
