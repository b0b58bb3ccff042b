package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"cloud.google.com/go/auth"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// signInSource, credential and signInProvider are what a user of oauth2, azcore,
// cloud auth and client-go has to write: the sign-in alone. The cache is the library's.
type (
	signInSource   struct{ api }
	credential     struct{ api }
	signInProvider struct{ api }
)

func (s signInSource) Token() (*oauth2.Token, error) {
	token, expiry, err := s.signIn(context.Background())
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: token, Expiry: expiry}, nil
}

func (c credential) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, expiry, err := c.signIn(ctx)
	return azcore.AccessToken{Token: token, ExpiresOn: expiry}, err
}

func (p signInProvider) Token(ctx context.Context) (*auth.Token, error) {
	token, expiry, err := p.signIn(ctx)
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: token, Expiry: expiry}, nil
}

// signIn makes one call.
func (a api) signIn(ctx context.Context) (token string, expiry time.Time, err error) {
	body, err := json.Marshal(map[string]string{"email": sessiontest.Email, "password": a.password})
	if err != nil {
		return "", time.Time{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/session", bytes.NewReader(body))
	if err != nil {
		return "", time.Time{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	return a.session(req)
}

// session makes a session call.
func (a api) session(req *http.Request) (token string, expiry time.Time, err error) {
	res, err := a.client.Do(req)
	if err != nil {
		return "", time.Time{}, err
	}
	defer res.Body.Close()
	var session struct {
		Token     string    `json:"jwtToken"`
		ExpiresAt time.Time `json:"expiresAt"`
	}
	if res.StatusCode != http.StatusOK {
		return "", time.Time{}, fmt.Errorf("session call: %s", res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(&session); err != nil {
		return "", time.Time{}, fmt.Errorf("session call: %w", err)
	}
	return session.Token, session.ExpiresAt, nil
}

// errStatus is a request that was answered, and not with a success.
var errStatus = errors.New("not a success")

// request asks for a page; anything but success is an error.
func request(ctx context.Context, do func(*http.Request) (*http.Response, error), url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return res, fmt.Errorf("%w: %s", errStatus, res.Status)
	}
	return res, nil
}
