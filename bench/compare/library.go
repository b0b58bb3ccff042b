package main

import (
	"context"
	"net/http"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

const hour = time.Hour

// library is a column of the table.
type library struct {
	name   string
	module string // whose version is told
	setup  string // how a program sets it up, in a few words

	// open sets it up for an API.
	open func(api) (*contender, error)

	// life is how long tokens live that this library fetches anew at about this
	// interval: each has a margin of its own.
	life func(interval time.Duration) time.Duration

	// renews only: getting a session, and putting it on requests, is the program's.
	renewsOnly bool

	// secrets holds [canary], in types of the library that are made for secrets.
	secrets any
}

// api is the server that a measurement is made against, and how to sign in there.
type api struct {
	url      string
	password string
	client   *http.Client      // carries the session calls
	base     http.RoundTripper // carries the requests; nil: the client's
	store    cache.Cache       // what sources share; nil: nothing
}

func apiOf(box *sessiontest.Server) api {
	return api{url: box.URL, password: sessiontest.Password, client: box.Client()}
}

func (a api) transport() http.RoundTripper {
	if a.base != nil {
		return a.base
	}
	return a.client.Transport
}

// plain is a client for the requests, without a token.
func (a api) plain() *http.Client { return &http.Client{Transport: a.transport()} }

// contender is a library as a program would set it up for the API.
type contender struct {
	// token gets one, with the caller's context if the library takes one.
	token func(context.Context) (string, error)

	// do carries out a request with a token.
	do func(*http.Request) (*http.Response, error)

	// spoil gets a token and changes it, as a caller may do by mistake; nil if
	// callers only ever get values.
	spoil func() error

	close func()
}

// libraries are the columns of the table; ours is the first.
var libraries = []library{
	{
		name: "jwtsession", module: "github.com/jwtsession/jwtsession", setup: "TokenSource.Client",
		open: openOurs, life: share, secrets: ourSecrets,
	},
	{
		name: "oauth2", module: "golang.org/x/oauth2", setup: "oauth2.NewClient around a TokenSource that signs in",
		open: openOAuth2, life: margin(10 * time.Second), secrets: oauth2Secrets,
	},
	{
		name: "cloud auth", module: "cloud.google.com/go/auth", setup: "auth.NewCredentials, httptransport.AddAuthorizationMiddleware",
		open: openCloudAuth, life: margin(225 * time.Second), secrets: cloudSecrets,
	},
	{
		name: "smithy", module: "github.com/aws/smithy-go", setup: "bearer.NewTokenCache; the program sets the header",
		open: openSmithy, life: margin(0), secrets: smithySecrets,
	},
	{
		name: "azcore", module: "github.com/Azure/azure-sdk-for-go/sdk/azcore", setup: "runtime.NewPipeline with a BearerTokenPolicy",
		open: openAzcore, life: margin(5 * time.Minute), secrets: azcoreSecrets,
	},
	{
		name: "client-go", module: "k8s.io/client-go", setup: "transport.NewCachedTokenSource, ResettableTokenSourceWrapTransport",
		open: openClientGo, life: margin(0), secrets: clientGoSecrets,
	},
	{
		name: "vault", module: "github.com/hashicorp/vault/api", setup: "a LifetimeWatcher; the program signs in, and sets the header",
		open: openVault, life: margin(0), renewsOnly: true, secrets: vaultSecrets,
	},
}

// margin is for a library that fetches so long before the expiry.
func margin(m time.Duration) func(time.Duration) time.Duration {
	return func(interval time.Duration) time.Duration { return interval + m }
}

// share is for this library, which refreshes at three quarters of the life.
func share(interval time.Duration) time.Duration { return interval * 4 / 3 }
