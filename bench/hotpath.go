package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"github.com/aws/smithy-go/auth/bearer"
	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
)

// The bounds that the library sets itself.
const (
	maxRoundTripRatio = 0.6 // of the time of oauth2.Transport
	maxTokenRatio     = 1.0 // of the time of oauth2.ReuseTokenSource, in parallel
	maxTokenAllocs    = 1   // the copy that the caller gets
)

const (
	baseURL = "https://api.example.com/v1"
	hour    = time.Hour
)

// SampleToken has the shape and the length of the API's own tokens; its
// signature is none.
var SampleToken = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9." +
	"eyJqdGkiOiJjMGI1MDdhNy0yNzE2LTRmM2UtYWY2YS00NmIyNmZkYzI0ZTIiLCJzdWIiOjEsImV4cCI6NDEwMjQ0NDgwMCwic2NwIjoidXNlciJ9." +
	strings.Repeat("s", 43)

// HotPath returns what a program does with each of its requests, compared to the
// peers: on both sides with a session that is live and a base transport that does
// nothing.
func HotPath() ([]Comparison, error) {
	source, err := liveSource()
	if err != nil {
		return nil, err
	}
	var all []Comparison
	for _, parallel := range []bool{false, true} {
		for _, headers := range []int{2, 8} {
			c, err := roundTrip(source, headers, silence{})
			if err != nil {
				return nil, err
			}
			c.Parallel = parallel
			all = append(all, c)
		}
		for _, c := range tokens(source) {
			c.Parallel = parallel
			if parallel && c.Peer == "oauth2" {
				c.MaxRatio, c.MaxAllocs = maxTokenRatio, maxTokenAllocs
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// liveSource returns a source that has signed in.
func liveSource() (*jwtsession.TokenSource, error) {
	source, err := jwtsession.New(jwtsession.Config{Issuer: Issuer{Life: hour}, BaseURL: baseURL})
	if err != nil {
		return nil, err
	}
	_, err = source.Token()
	return source, err
}

// roundTrip compares the transports, for a request with so many headers.
func roundTrip(source *jwtsession.TokenSource, headers int, base http.RoundTripper) (Comparison, error) {
	req, err := request(headers)
	if err != nil {
		return Comparison{}, err
	}
	ours := &jwtsession.Transport{Source: source, Base: base}
	theirs := &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, oauth2Source{}), Base: base}
	return Comparison{
		Operation: fmt.Sprintf("RoundTrip with %d headers", headers),
		Peer:      "oauth2",
		Ours:      func() error { _, err := ours.RoundTrip(req); return err },
		Theirs:    func() error { _, err := theirs.RoundTrip(req); return err },
		MaxRatio:  maxRoundTripRatio,
		MaxAllocs: copyAllocs(headers + 1),
	}, nil
}

// tokens compares the caches of tokens.
func tokens(source *jwtsession.TokenSource) []Comparison {
	ctx := context.Background()
	ours := func() error { _, err := source.Token(); return err }
	reuse := oauth2.ReuseTokenSource(nil, oauth2Source{})
	smithy := bearer.NewTokenCache(bearer.TokenProviderFunc(func(context.Context) (bearer.Token, error) {
		return bearer.Token{Value: SampleToken, CanExpire: true, Expires: time.Now().Add(hour)}, nil
	}))
	cloud := auth.NewCachedTokenProvider(cloudProvider{}, nil)
	return []Comparison{
		{Operation: "Token", Peer: "oauth2", Ours: ours, Theirs: func() error { _, err := reuse.Token(); return err }},
		{Operation: "Token", Peer: "smithy", Ours: ours, Theirs: func() error { _, err := smithy.RetrieveBearerToken(ctx); return err }},
		{Operation: "Token", Peer: "cloud auth", Ours: ours, Theirs: func() error { _, err := cloud.Token(ctx); return err }},
	}
}

// request returns one with so many headers, of those that programs send.
func request(headers int) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, baseURL+"/matters?page=2", nil)
	if err != nil {
		return nil, err
	}
	for _, h := range [][2]string{
		{"Accept", "application/json"},
		{"User-Agent", "bench/1.0"},
		{"Accept-Language", "en"},
		{"Cache-Control", "no-cache"},
		{"Content-Type", "application/json"},
		{"If-None-Match", `"33a64df5"`},
		{"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{"X-Request-Id", "b7ad6b71-6920-4331-9f2e-8448eb211c80"},
	}[:headers] {
		req.Header.Set(h[0], h[1])
	}
	return req, nil
}

// copied keeps the copy from being allocated on the stack.
var copied *http.Request

// copyAllocs is how many allocations it takes to copy a request with n headers:
// 3 up to 8 headers, and 5 beyond, where Go's maps have a table. A transport must
// not change its caller's request, so that no signed request costs less.
func copyAllocs(n int) int {
	return int(testing.AllocsPerRun(1000, func() {
		copied = &http.Request{Header: make(http.Header, n)}
		copied.Header["Authorization"] = nil // Go puts off a part until there is something to store
	}))
}

// silence is a base transport that answers at once.
type silence struct{}

var silent = &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}

func (silence) RoundTrip(*http.Request) (*http.Response, error) { return silent, nil }

// Issuer is a server's session protocol without a server: every session has a
// token of its own memory, as one that came over the network has.
type Issuer struct {
	Life time.Duration
}

// Create signs in.
func (i Issuer) Create(context.Context) (jwtsession.Session, error) {
	return jwtsession.Session{Token: strings.Clone(SampleToken), ExpiresAt: time.Now().Add(i.Life)}, nil
}

// Refresh trades a session for one that expires later.
func (i Issuer) Refresh(ctx context.Context, _ jwtsession.Session) (jwtsession.Session, error) {
	return i.Create(ctx)
}

// Revoke is an error: nothing here logs out.
func (i Issuer) Revoke(context.Context, jwtsession.Session) error {
	return errors.New("bench: this issuer cannot revoke")
}

// oauth2Source is the same for oauth2.
type oauth2Source struct{}

func (oauth2Source) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: SampleToken, TokenType: "Bearer", Expiry: time.Now().Add(hour)}, nil
}

// cloudProvider is the same for cloud auth.
type cloudProvider struct{}

func (cloudProvider) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: SampleToken, Type: "Bearer", Expiry: time.Now().Add(hour)}, nil
}
