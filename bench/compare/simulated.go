package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// simulated are what takes minutes or hours, in virtual time.
var simulated = []single{
	{
		name: "10 minutes of 3-minute tokens, 600 requests: session calls", forRenewers: true,
		reason:  earlier,
		measure: sessionCalls(3*time.Minute, 10*time.Minute, time.Second),
	},
	{
		name: "a day of 1-hour tokens, a request every 10 s: session calls", forRenewers: true,
		reason:  earlier,
		measure: sessionCalls(hour, 24*hour, 10*time.Second),
	},
	{
		name: "sign-in away from the first minute of an hour's token to the last but one, a request/s: failed", want: "0",
		measure: outage(hour - 2*time.Minute),
	},
	{
		name:    "the same, until 5 minutes beyond the token's end: failed",
		reason:  "jwtsession asks a server that is away at most about once a minute, and tells callers at once meanwhile, so that it may learn so much later that the server is back; the peers ask with every request.",
		measure: outage(hour + 4*time.Minute),
	},
	{
		name:    "the same: session calls at the server that is away",
		reason:  "jwtsession has tried since the first refresh fell due, at three quarters of the life; those that wait for the last seconds have less time in which to try.",
		measure: outageCalls(hour + 4*time.Minute),
	},
}

const earlier = "jwtsession refreshes at 70 to 80 % of the life, used or not, so that an outage leaves time for more attempts; who waits until the last minutes or seconds calls less often, and those of the last seconds make requests wait."

// call is a session call, of the time since the beginning.
type call = time.Duration

// calls makes a request each interval, in virtual time, and returns when the
// session calls were made.
func calls(lib library, life, length, interval time.Duration) (made []call, err error) {
	err = virtually(func() error {
		start := time.Now()
		var mu sync.Mutex
		box := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(life), sessiontest.WithObserver(func(c sessiontest.Call) {
			if c.Op == sessiontest.OpCreate || c.Op == sessiontest.OpRefresh {
				mu.Lock()
				made = append(made, c.Start.Sub(start))
				mu.Unlock()
			}
		}))
		defer box.Close()
		server := apiOf(box)
		server.base = silence{}
		c, err := lib.open(server)
		if err != nil {
			return err
		}
		defer c.close()
		send := requester(c.do, box.URL+"/me")
		for range length / interval {
			if err := send(); err != nil {
				return err
			}
			time.Sleep(interval)
		}
		return nil
	})
	return made, err
}

func sessionCalls(life, length, interval time.Duration) func(library) (cell, error) {
	return func(lib library) (cell, error) {
		made, err := calls(lib, life, length, interval)
		return measured(float64(len(made))), err
	}
}

func outage(length time.Duration) func(library) (cell, error) {
	return func(lib library) (cell, error) {
		failed, _, err := throughOutage(lib, length)
		return measured(float64(failed)), err
	}
}

func outageCalls(length time.Duration) func(library) (cell, error) {
	return func(lib library) (cell, error) {
		_, calls, err := throughOutage(lib, length)
		return measured(float64(calls)), err
	}
}

// throughOutage has the session calls fail for so long, from a minute after the
// sign-in on. One request a second is made, whatever became of the ones before it,
// until the token's hour has been over for 10 minutes.
func throughOutage(lib library, length time.Duration) (failed, calls int, err error) {
	err = virtually(func() error {
		box := sessiontest.NewServer(sessiontest.InMemory(), sessiontest.WithTokenLife(hour))
		defer box.Close()
		c, err := lib.open(apiOf(box))
		if err != nil {
			return err
		}
		defer c.close()
		var mu sync.Mutex
		send := func() {
			_, err := request(context.Background(), c.do, box.URL+"/me")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
			}
		}
		send()
		if failed > 0 {
			return errors.New("the first request failed")
		}
		time.Sleep(time.Minute)
		box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: http.StatusServiceUnavailable})
		time.AfterFunc(length, func() {
			counts := box.Counts()
			calls = counts.Creates + counts.Refreshes - 1
			box.Heal()
		})
		var all sync.WaitGroup
		for range (hour + 9*time.Minute) / time.Second {
			all.Go(send)
			time.Sleep(time.Second)
		}
		all.Wait()
		return nil
	})
	return failed, calls, err
}
