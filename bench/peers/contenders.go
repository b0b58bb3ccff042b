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
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/aws/smithy-go/auth/bearer"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// canary is a secret that must not be printed.
const canary = "canary-in-the-log"

// api is the server that a scenario is played against, and how to sign in there.
type api struct {
	url      string
	password string
	client   *http.Client // without a token
}

// contender is a library as a program would set it up for the API.
type contender struct {
	// token gets one, with the caller's context if the library takes one.
	token func(context.Context) (string, error)

	// do carries out a request with a token; nil if the library does not.
	do func(*http.Request) (*http.Response, error)

	// spoil gets a token and changes it, as a caller may do by mistake; nil if
	// callers only ever get values.
	spoil func() error

	// secrets holds [canary], in types of the library that are made for secrets.
	secrets any

	close func()
}

// contenders are the columns of the table; ours is the first.
var contenders = []struct {
	name string
	open func(api) (*contender, error)
}{
	{"jwtsession", openOurs},
	{"oauth2", openOAuth2},
	{"azcore", openAzcore},
	{"smithy", openSmithy},
	{"cloud auth", openCloudAuth},
}

// patience is Config.Timeout here: less than the first wait before a retry, so
// that, as with the others, one attempt is all that a caller waits for.
const patience = 700 * time.Millisecond

func openOurs(a api) (*contender, error) {
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     a.url,
		HTTPClient:  a.client,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: a.password},
		Timeout:     patience,
	})
	if err != nil {
		return nil, err
	}
	return &contender{
		token: func(ctx context.Context) (string, error) {
			token, err := ts.TokenContext(ctx)
			if err != nil {
				return "", err
			}
			return token.AccessToken, nil
		},
		do:      ts.Client().Do,
		spoil:   func() error { return spoilOAuth2(ts) },
		secrets: []any{jwtsession.Credentials{Password: canary}, jwtsession.Session{Token: canary}},
		close:   func() { ts.Close() },
	}, nil
}

func openOAuth2(a api) (*contender, error) {
	ts := oauth2.ReuseTokenSource(nil, signInSource{a})
	client := http.Client{Transport: &oauth2.Transport{Source: ts, Base: a.client.Transport}}
	return &contender{
		token: func(context.Context) (string, error) {
			token, err := ts.Token()
			if err != nil {
				return "", err
			}
			return token.AccessToken, nil
		},
		do:      client.Do,
		spoil:   func() error { return spoilOAuth2(ts) },
		secrets: clientcredentials.Config{ClientSecret: canary},
		close:   func() {},
	}, nil
}

// spoilOAuth2 changes the token that a source gives.
func spoilOAuth2(ts oauth2.TokenSource) error {
	token, err := ts.Token()
	if err != nil {
		return err
	}
	token.AccessToken = "spoilt"
	return nil
}

// openAzcore has no way to a token but a request: what its cache does shows in
// the calls that the server gets.
func openAzcore(a api) (*contender, error) {
	authorize := runtime.NewBearerTokenPolicy(credential{a}, nil, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: true})
	pipeline := runtime.NewPipeline("peers", "v1", runtime.PipelineOptions{PerRetry: []policy.Policy{authorize}}, &policy.ClientOptions{
		Transport: a.client,
		Retry:     policy.RetryOptions{MaxRetries: -1},
	})
	do := func(req *http.Request) (*http.Response, error) {
		own, err := runtime.NewRequest(req.Context(), req.Method, req.URL.String())
		if err != nil {
			return nil, err
		}
		return pipeline.Do(own)
	}
	return &contender{
		token: func(ctx context.Context) (string, error) {
			res, err := request(ctx, do, a.url+"/me")
			if err != nil {
				return "", err
			}
			return res.Request.Header.Get("Authorization"), nil
		},
		do:      do,
		secrets: azcore.AccessToken{Token: canary},
		close:   func() {},
	}, nil
}

func openSmithy(a api) (*contender, error) {
	cache := bearer.NewTokenCache(bearer.TokenProviderFunc(func(ctx context.Context) (bearer.Token, error) {
		token, expiry, err := a.signIn(ctx)
		return bearer.Token{Value: token, CanExpire: true, Expires: expiry}, err
	}))
	return &contender{
		token: func(ctx context.Context) (string, error) {
			token, err := cache.RetrieveBearerToken(ctx)
			return token.Value, err
		},
		secrets: bearer.Token{Value: canary},
		close:   func() {},
	}, nil
}

func openCloudAuth(a api) (*contender, error) {
	cached := auth.NewCachedTokenProvider(signInProvider{a}, nil)
	return &contender{
		token: func(ctx context.Context) (string, error) {
			token, err := cached.Token(ctx)
			if err != nil {
				return "", err
			}
			return token.Value, nil
		},
		spoil: func() error {
			token, err := cached.Token(context.Background())
			if err != nil {
				return err
			}
			token.Value = "spoilt"
			return nil
		},
		secrets: auth.Token{Value: canary},
		close:   func() {},
	}, nil
}

// signInSource, credential and signInProvider are what a user of oauth2, azcore
// and cloud auth has to write: the sign-in alone. The cache is the library's.
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
		return "", time.Time{}, fmt.Errorf("sign in: %s", res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(&session); err != nil {
		return "", time.Time{}, fmt.Errorf("sign in: %w", err)
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
