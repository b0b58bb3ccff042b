package demo

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// Totals are how a Fleet's run went.
type Totals struct {
	Processes   int
	Requests    int // but for those that were under way in a process when it was killed
	Failed      int
	SignIns     int // that the API has answered with a session, as the refreshes
	Refreshes   int
	Periods     int // of a session, from it to the refresh that was due; each needs one
	Revocations int
	Adopted     int // sessions that a process got from another one
	Recovered   int // requests that got a 401, and succeeded all the same
	Took        time.Duration
	Interrupted bool  // before everything had happened
	Finished    bool  // everything has
	Problem     error // of a process; nil: none
}

// periods counts the periods of the sessions that an API issues.
type periods struct {
	count  int
	latest time.Time // when the latest session was issued
}

// add notes a session. One that follows another within half of a token's life is
// not the refresh that was due.
func (p *periods) add(op sessiontest.Op, issued time.Time) {
	if op == sessiontest.OpRefresh && issued.Sub(p.latest) >= tokenLife/2 {
		p.count++
	}
	p.latest = issued
}

// plus adds the figures of another process.
func (r report) plus(other report) report {
	r.Requests += other.Requests
	r.Failed += other.Failed
	r.Recovered += other.Recovered
	r.Adopted += other.Adopted
	return r
}

// total fills in the figures.
func (f *Fleet) total(t *Totals) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := f.gone
	for _, p := range f.processes {
		sum = sum.plus(p.heard())
	}
	counts := f.box.Counts()
	t.Processes = f.config.Processes
	t.Requests, t.Failed, t.Adopted, t.Recovered = sum.Requests, sum.Failed, sum.Adopted, sum.Recovered
	t.SignIns, t.Refreshes, t.Revocations = counts.Created, counts.Refreshed, counts.Revoked
	t.Periods = f.periods.count
	t.Problem = f.problem
}

// Verdict returns what the processes have not lived up to; nothing, if no request
// failed, and they needed no more sessions than one process does.
func (t Totals) Verdict() error {
	due := 1 + t.Revocations
	switch {
	case t.Problem != nil && !t.Interrupted:
		return t.Problem
	case t.Failed > 0:
		return fmt.Errorf("%d of %d requests failed", t.Failed, t.Requests)
	case t.SignIns > due, t.SignIns < due && !t.Interrupted:
		return fmt.Errorf("there were %d sign-ins, and not 1 and one for each of %d log-outs", t.SignIns, t.Revocations)
	case t.Refreshes > t.Periods+1:
		return fmt.Errorf("there were %d refreshes in %d periods, and not one in each, and one more", t.Refreshes, t.Periods)
	case !t.Finished && !t.Interrupted:
		return errors.New("the time was over before everything had happened")
	}
	return nil
}

// Table is the totals for people.
func (t Totals) Table() string {
	var b strings.Builder
	for _, line := range []struct {
		name   string
		figure int
	}{
		{"processes", t.Processes},
		{"requests sent", t.Requests},
		{"requests that failed", t.Failed},
		{"sign-ins (the password is sent)", t.SignIns},
		{"log-outs", t.Revocations},
		{"refreshes (the token is renewed)", t.Refreshes},
		{"refreshes that were due", t.Periods},
		{"tokens taken from another process", t.Adopted},
		{"saved after a 401, by a new token", t.Recovered},
	} {
		fmt.Fprintf(&b, "%-34s%14d\n", line.name, line.figure)
	}
	return b.String()
}
