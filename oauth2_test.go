package jwtsession

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T1: oauth2.NewClient wraps its source in a ReuseTokenSource, which writes into
// the token that it gets. Under -race a token that two of them share is found.
func TestTwoOAuth2ClientsOfOneSourceDoNotDisturbEachOther(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	ts := newSource(t, box)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, box.Client())
	clients := []*http.Client{
		oauth2.NewClient(ctx, ts),
		oauth2.NewClient(ctx, ts),
		{Transport: &oauth2.Transport{Source: ts, Base: box.Client().Transport}},
		{Transport: &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, ts), Base: box.Client().Transport}},
	}
	var served atomic.Int64
	together(40, func(i int) {
		res, err := clients[i%len(clients)].Get(box.URL + "/me")
		if err != nil {
			t.Errorf("client %d: %v", i%len(clients), err)
			return
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			served.Add(1)
		}
	})
	if served.Load() != 40 {
		t.Errorf("%d of 40 requests were served, want all", served.Load())
	}
	expectCalls(t, box, 1, 0, 0)
}
