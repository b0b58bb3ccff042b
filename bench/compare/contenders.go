package main

import (
	"context"
	"net/http"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/aws/smithy-go/auth/bearer"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// canary is a secret that must not be printed.
const canary = "canary-in-the-log"

var (
	ourSecrets      = []any{jwtsession.Credentials{Password: canary}, jwtsession.Session{Token: canary}}
	oauth2Secrets   = clientcredentials.Config{ClientSecret: canary}
	cloudSecrets    = auth.Token{Value: canary}
	smithySecrets   = bearer.Token{Value: canary}
	azcoreSecrets   = azcore.AccessToken{Token: canary}
	clientGoSecrets = rest.Config{BearerToken: canary}
)

func openOurs(a api) (*contender, error) {
	config := jwtsession.Config{
		BaseURL:     a.url,
		HTTPClient:  a.client,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: a.password},
	}
	if a.store != nil {
		config.Cache, config.CacheKey = a.store, []byte("thirty-two bytes of a comparison")
	}
	ts, err := jwtsession.New(config)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &jwtsession.Transport{Source: ts, Base: a.transport()}}
	return &contender{
		token: func(ctx context.Context) (string, error) {
			token, err := ts.TokenContext(ctx)
			if err != nil {
				return "", err
			}
			return token.AccessToken, nil
		},
		do:    client.Do,
		spoil: func() error { return spoilOAuth2(ts) },
		close: func() { ts.Close() },
	}, nil
}

func openOAuth2(a api) (*contender, error) {
	ts := oauth2.ReuseTokenSource(nil, signInSource{a})
	client := oauth2.NewClient(context.WithValue(context.Background(), oauth2.HTTPClient, a.plain()), ts)
	return &contender{
		token: accessToken(ts),
		do:    client.Do,
		spoil: func() error { return spoilOAuth2(ts) },
		close: func() {},
	}, nil
}

// accessToken is for sources that take no context.
func accessToken(ts oauth2.TokenSource) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		token, err := ts.Token()
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	}
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

func openClientGo(a api) (*contender, error) {
	ts := transport.NewCachedTokenSource(signInSource{a})
	client := &http.Client{Transport: transport.ResettableTokenSourceWrapTransport(ts)(a.transport())}
	return &contender{
		token: accessToken(ts),
		do:    client.Do,
		spoil: func() error { return spoilOAuth2(ts) },
		close: func() {},
	}, nil
}

// openAzcore has no way to a token but a request: what its cache does shows in
// the calls that the server gets.
func openAzcore(a api) (*contender, error) {
	authorize := runtime.NewBearerTokenPolicy(credential{a}, nil, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: true})
	pipeline := runtime.NewPipeline("compare", "v1", runtime.PipelineOptions{PerRetry: []policy.Policy{authorize}},
		&policy.ClientOptions{Transport: a.plain()})
	do := func(req *http.Request) (*http.Response, error) {
		own, err := runtime.NewRequest(req.Context(), req.Method, req.URL.String())
		if err != nil {
			return nil, err
		}
		own.Raw().Header = req.Header.Clone() // the policies set some of their own
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
		do:    do,
		close: func() {},
	}, nil
}

func openSmithy(a api) (*contender, error) {
	cache := bearer.NewTokenCache(bearer.TokenProviderFunc(func(ctx context.Context) (bearer.Token, error) {
		token, expiry, err := a.signIn(ctx)
		return bearer.Token{Value: token, CanExpire: true, Expires: expiry}, err
	}))
	token := func(ctx context.Context) (string, error) {
		token, err := cache.RetrieveBearerToken(ctx)
		return token.Value, err
	}
	return &contender{token: token, do: withHeader(a.plain(), token), close: func() {}}, nil
}

// withHeader is what a program does whose library has no transport: it sets the
// header of its own request.
func withHeader(client *http.Client, token func(context.Context) (string, error)) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		value, err := token(req.Context())
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+value)
		return client.Do(req)
	}
}

func openCloudAuth(a api) (*contender, error) {
	cached := auth.NewCachedTokenProvider(signInProvider{a}, nil)
	client := a.plain()
	if err := httptransport.AddAuthorizationMiddleware(client, auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: cached})); err != nil {
		return nil, err
	}
	return &contender{
		token: func(ctx context.Context) (string, error) {
			token, err := cached.Token(ctx)
			if err != nil {
				return "", err
			}
			return token.Value, nil
		},
		do: client.Do,
		spoil: func() error {
			token, err := cached.Token(context.Background())
			if err != nil {
				return err
			}
			token.Value = "spoilt"
			return nil
		},
		close: func() {},
	}, nil
}
