package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

const hour = time.Hour

// none is the outcome of a scenario that a library has no part for.
const none = "–"

// scenario is a line of the table.
type scenario struct {
	what     string
	want     string // of us
	password string // sessiontest.Password if it is empty
	life     time.Duration
	play     func(*contender, *sessiontest.Server) (outcome string, err error)
}

var scenarios = []scenario{
	{what: "50 calls with a wrong password: sign-ins", want: "1", password: "wrong", play: wrongPassword},
	{what: "100 callers, 50 at once, at a server that fails: sign-ins", want: "1", play: failingServer},
	{what: "50 calls, 20 ms apart, with 3-minute tokens: sign-ins", want: "1", life: 3 * time.Minute, play: shortTokens},
	{what: "10 requests after a revocation: failed", want: "0", play: revocation},
	{what: "a redirect to a foreign host takes the token along", want: "no", play: redirect},
	{what: "sign-in hangs: a caller with a deadline of 0.2 s", want: "in time", play: deadline},
	{what: "the caller that began the sign-in gives up, another waits: sign-ins", want: "1", play: cancellation},
	{what: "a caller changes its token: the next one's", want: "clean", play: spoilt},
	{what: "%+v of the library's types for secrets", want: "hidden", play: printed},
}

func wrongPassword(c *contender, box *sessiontest.Server) (string, error) {
	for range 50 {
		if _, err := c.token(context.Background()); err == nil {
			return "", errors.New("the wrong password was accepted")
		}
	}
	return signIns(box), nil
}

func failingServer(c *contender, box *sessiontest.Server) (string, error) {
	box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: http.StatusServiceUnavailable, Delay: 20 * time.Millisecond})
	var succeeded atomic.Int32
	for range 2 {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := c.token(context.Background()); err == nil {
					succeeded.Add(1)
				}
			})
		}
		all.Wait()
	}
	if n := succeeded.Load(); n > 0 {
		return "", fmt.Errorf("%d callers got a token", n)
	}
	return signIns(box), nil
}

func shortTokens(c *contender, box *sessiontest.Server) (string, error) {
	for range 50 {
		if _, err := c.token(context.Background()); err != nil {
			return "", err
		}
		time.Sleep(20 * time.Millisecond) // for those that fetch in the background
	}
	return signIns(box), nil
}

func revocation(c *contender, box *sessiontest.Server) (string, error) {
	if c.do == nil {
		return none, nil
	}
	if _, err := request(context.Background(), c.do, box.URL+"/me"); err != nil {
		return "", err
	}
	box.RevokeAll()
	failed := 0
	for range 10 {
		_, err := request(context.Background(), c.do, box.URL+"/me")
		if err != nil && !errors.Is(err, errStatus) {
			return "", err
		}
		if err != nil {
			failed++
		}
	}
	return fmt.Sprint(failed), nil
}

func redirect(c *contender, box *sessiontest.Server) (string, error) {
	if c.do == nil {
		return none, nil
	}
	var arrived, leaked atomic.Bool
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived.Store(true)
		leaked.Store(r.Header.Get("Authorization") != "")
	}))
	defer foreign.Close()
	target := strings.Replace(foreign.URL, "127.0.0.1", "localhost", 1)
	box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: http.StatusFound, Header: http.Header{"Location": {target}}})
	if _, err := request(context.Background(), c.do, box.URL+"/report"); err != nil {
		return "", err
	}
	if !arrived.Load() {
		return "", errors.New("the redirect was not followed")
	}
	if leaked.Load() {
		return "yes", nil
	}
	return "no", nil
}

func deadline(c *contender, box *sessiontest.Server) (string, error) {
	began := box.Await(sessiontest.OpCreate, 1)
	box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
	var first sync.WaitGroup
	first.Go(func() { c.token(context.Background()) })
	defer first.Wait()
	defer box.Heal()
	<-began

	const longest = 1500 * time.Millisecond
	defer time.AfterFunc(longest, func() { box.Heal() }).Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	c.token(ctx)
	if waited := time.Since(start); waited > 500*time.Millisecond {
		return fmt.Sprintf("waits %.1f s", waited.Seconds()), nil
	}
	return "in time", nil
}

func cancellation(c *contender, box *sessiontest.Server) (string, error) {
	began := box.Await(sessiontest.OpCreate, 1)
	box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Delay: 400 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var first sync.WaitGroup
	first.Go(func() { c.token(ctx) })
	defer first.Wait()
	<-began

	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := c.token(context.Background()); err != nil {
		return "it fails", nil
	}
	return signIns(box), nil
}

func spoilt(c *contender, _ *sessiontest.Server) (string, error) {
	if c.spoil == nil {
		return none, nil
	}
	if err := c.spoil(); err != nil {
		return "", err
	}
	token, err := c.token(context.Background())
	if err != nil {
		return "", err
	}
	if token == "spoilt" {
		return "spoilt", nil
	}
	return "clean", nil
}

func printed(c *contender, _ *sessiontest.Server) (string, error) {
	if strings.Contains(fmt.Sprintf("%+v", c.secrets), canary) {
		return "printed", nil
	}
	return "hidden", nil
}

// signIns is how many calls for a session the server got.
func signIns(box *sessiontest.Server) string {
	got := box.Counts()
	return fmt.Sprint(got.Creates + got.Refreshes)
}
