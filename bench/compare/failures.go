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

// failures are what goes wrong in a program's life, over real sockets.
var failures = []single{
	{name: "50 calls with a wrong password, in a row: sign-ins", want: "1", measure: playedWith("wrong", wrongPassword)},
	{name: "100 calls with a wrong password, at once: sign-ins", want: "1", measure: playedWith("wrong", wrongPasswordAtOnce)},
	{name: "10 requests after a revocation: failed", want: "0", measure: played(revocation)},
	{name: "10 requests, one spurious 401: failed", want: "0", measure: played(spuriousRejection)},
	{name: "one spurious 401: passwords sent on account of it", want: "0", measure: played(passwordsForASpuriousRejection)},
	{name: "a foreign host after a redirect sees", want: "nothing", measure: played(redirect)},
	{name: "sign-in hangs, a caller has a deadline of 0.2 s: waits", want: "0.2 s", measure: played(deadline)},
	{name: "the caller that began the sign-in gives up: another one's sign-ins", want: "1", measure: played(cancellation)},
	{name: "a caller changes its token: the next one's is", want: "clean", measure: played(spoilt)},
	{name: "%+v of the library's types for secrets shows", want: "nothing", forRenewers: true, measure: printed},
}

// scenario is played by a library that is set up for a server of its own.
type scenario func(*contender, *sessiontest.Server) (cell, error)

func played(s scenario) func(library) (cell, error) { return playedWith(sessiontest.Password, s) }

func playedWith(password string, s scenario) func(library) (cell, error) {
	return func(lib library) (cell, error) {
		box := sessiontest.NewServer(sessiontest.WithTokenLife(hour))
		defer box.Close()
		server := apiOf(box)
		server.password = password
		c, err := lib.open(server)
		if err != nil {
			return cell{}, err
		}
		defer c.close()
		return s(c, box)
	}
}

func wrongPassword(c *contender, box *sessiontest.Server) (cell, error) {
	return refusals(c, box, func(call func()) {
		for range 50 {
			call()
		}
	})
}

func wrongPasswordAtOnce(c *contender, box *sessiontest.Server) (cell, error) {
	box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Delay: 20 * time.Millisecond})
	return refusals(c, box, func(call func()) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(call)
		}
		all.Wait()
	})
}

func refusals(c *contender, box *sessiontest.Server, each func(call func())) (cell, error) {
	var accepted atomic.Int32
	each(func() {
		if _, err := c.token(context.Background()); err == nil {
			accepted.Add(1)
		}
	})
	if n := accepted.Load(); n > 0 {
		return cell{}, fmt.Errorf("the wrong password was accepted %d times", n)
	}
	return measured(float64(box.Counts().Creates)), nil
}

func revocation(c *contender, box *sessiontest.Server) (cell, error) {
	return tenRequests(c, box, box.RevokeAll)
}

var rejection = sessiontest.Fault{Status: http.StatusUnauthorized}

func spuriousRejection(c *contender, box *sessiontest.Server) (cell, error) {
	return tenRequests(c, box, func() { box.Inject(sessiontest.OpResource, 1, rejection) })
}

func passwordsForASpuriousRejection(c *contender, box *sessiontest.Server) (cell, error) {
	if _, err := spuriousRejection(c, box); err != nil {
		return cell{}, err
	}
	return measured(float64(box.Counts().Creates - 1)), nil
}

// tenRequests counts those that fail after something has happened.
func tenRequests(c *contender, box *sessiontest.Server, happen func()) (cell, error) {
	if _, err := request(context.Background(), c.do, box.URL+"/me"); err != nil {
		return cell{}, err
	}
	happen()
	failed := 0
	for range 10 {
		time.Sleep(time.Millisecond)
		_, err := request(context.Background(), c.do, box.URL+"/me")
		if err != nil && !errors.Is(err, errStatus) {
			return cell{}, err
		}
		if err != nil {
			failed++
		}
	}
	return measured(float64(failed)), nil
}

func redirect(c *contender, box *sessiontest.Server) (cell, error) {
	var arrived, leaked atomic.Bool
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived.Store(true)
		leaked.Store(r.Header.Get("Authorization") != "")
	}))
	defer foreign.Close()
	target := strings.Replace(foreign.URL, "127.0.0.1", "localhost", 1)
	box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: http.StatusFound, Header: http.Header{"Location": {target}}})
	if _, err := request(context.Background(), c.do, box.URL+"/report"); err != nil {
		return cell{}, err
	}
	if !arrived.Load() {
		return cell{}, errors.New("the redirect was not followed")
	}
	return judged(leaked.Load(), "the token", "nothing"), nil
}

func deadline(c *contender, box *sessiontest.Server) (cell, error) {
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
	waited := time.Since(start)
	late := waited > 500*time.Millisecond
	return judged(late, fmt.Sprintf("until the server answers, %.1f s", waited.Seconds()), "0.2 s"), nil
}

func cancellation(c *contender, box *sessiontest.Server) (cell, error) {
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
		return judged(true, "it fails", ""), nil
	}
	return measured(float64(box.Counts().Creates)), nil
}

func spoilt(c *contender, box *sessiontest.Server) (cell, error) {
	if c.spoil == nil {
		return none, nil
	}
	if err := c.spoil(); err != nil {
		return cell{}, err
	}
	token, err := c.token(context.Background())
	if err != nil {
		return cell{}, err
	}
	return judged(token == "spoilt", "spoilt", "clean"), nil
}

func printed(lib library) (cell, error) {
	return judged(strings.Contains(fmt.Sprintf("%+v", lib.secrets), canary), "the secret", "nothing"), nil
}
