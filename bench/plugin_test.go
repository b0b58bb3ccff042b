package bench

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// newSource returns a source that signs in to the box.
func newSource(t *testing.T, box *sessiontest.Server) *jwtsession.TokenSource {
	t.Helper()
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL:     box.URL,
		HTTPClient:  box.Client(),
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ts.Close() })
	return ts
}

// newBox starts a server whose tokens live for so long.
func newBox(t *testing.T, life time.Duration) *sessiontest.Server {
	t.Helper()
	box := sessiontest.NewServer(sessiontest.WithTokenLife(life))
	t.Cleanup(box.Close)
	return box
}

// get asks for the protected resource; anything but success is an error.
func get(client *http.Client, box *sessiontest.Server) error {
	res, err := client.Get(box.URL + "/me")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("got status %s, want 200", res.Status)
	}
	return nil
}

// keepUsing has ten goroutines call f over and over, until end is closed and
// each has called it once more. It returns how many calls there were.
func keepUsing(t *testing.T, end <-chan struct{}, f func() error) int {
	t.Helper()
	var mu sync.Mutex
	calls := 0
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for ended := false; !ended; {
				select {
				case <-end:
					ended = true
				case <-time.After(5 * time.Millisecond):
				}
				err := f()
				mu.Lock()
				calls++
				mu.Unlock()
				if err != nil {
					t.Errorf("call: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	return calls
}

// Each client has an oauth2.ReuseTokenSource of its own, which writes into the
// token that it gets: were it the same token for both, the race detector would
// see that. Tokens that live for less than the ten seconds which oauth2 takes
// off are asked for anew with every request. (T1)
func TestTwoOAuth2ClientsUseOneSourceAtOnce(t *testing.T) {
	box := newBox(t, 3*time.Second)
	ts := newSource(t, box)
	refreshed := box.Await(sessiontest.OpRefresh, 1)
	var both sync.WaitGroup
	for range 2 {
		client := oauth2.NewClient(t.Context(), ts)
		both.Go(func() {
			calls := keepUsing(t, refreshed, func() error { return get(client, box) })
			t.Logf("%d requests", calls)
		})
	}
	both.Wait()
	if got := box.Counts(); got.Creates != 1 || got.Unauthorized != 0 {
		t.Errorf("got %d sign-ins and %d rejected requests, want 1 and 0", got.Creates, got.Unauthorized)
	}
}

func TestReuseTokenSourceTakesTheNextTokenWhenItsOwnExpires(t *testing.T) {
	box := newBox(t, 3*time.Second)
	ts := newSource(t, box)
	reuse := oauth2.ReuseTokenSource(nil, ts)
	first, err := reuse.Token()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &oauth2.Transport{Source: reuse, Base: box.Client().Transport}}
	keepUsing(t, box.Await(sessiontest.OpRefresh, 2), func() error { return get(client, box) })
	last, err := reuse.Token()
	if err != nil {
		t.Fatal(err)
	}
	if first.AccessToken == last.AccessToken || !last.Expiry.After(first.Expiry) {
		t.Errorf("after two refreshes: got the expiry %v after %v, want a later token", last.Expiry, first.Expiry)
	}
	if got := box.Counts(); got.Creates != 1 || got.Unauthorized != 0 {
		t.Errorf("got %d sign-ins and %d rejected requests, want 1 and 0", got.Creates, got.Unauthorized)
	}
}

// oauth2.Transport knows nothing of a 401; but whoever tells the source of it
// gets a new token.
func TestOAuth2TransportTakesASourceAsItIs(t *testing.T) {
	box := newBox(t, time.Hour)
	ts := newSource(t, box)
	client := &http.Client{Transport: &oauth2.Transport{Source: ts, Base: box.Client().Transport}}
	enough := make(chan struct{})
	close(enough)
	keepUsing(t, enough, func() error { return get(client, box) })

	box.RevokeAll()
	if err := get(client, box); err == nil {
		t.Error("after a revocation: got no error from oauth2.Transport, want a 401")
	}
	rejected, err := ts.Token()
	if err != nil {
		t.Fatal(err)
	}
	ts.Invalidate(rejected.AccessToken)
	keepUsing(t, enough, func() error { return get(client, box) })
	if got := box.Counts(); got.Creates != 2 || got.Unauthorized != 1 {
		t.Errorf("got %d sign-ins and %d rejected requests, want 2 and 1", got.Creates, got.Unauthorized)
	}
}
