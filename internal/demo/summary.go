package demo

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Result is what became of one client.
type Result struct {
	Name      string
	Requests  int
	Failed    int // an error, or anything but a 200, for the caller
	SignIns   int
	Refreshes int
	Recovered int // requests that got a 401, and succeeded all the same

	// LongestWait is the longest time that a request has waited for a token, from
	// 5 ms on, and OtherWait the same but for the sign-ins that had to be: at the
	// start and after the revocation. OtherWaits counts the latter; with a live
	// token, what is below 200 ms, or while the machine stood still, may be the
	// machine's own doing, and does not count.
	LongestWait, OtherWait time.Duration
	OtherWaits             int

	// LongestStall is the longest time that no request could begin in, although
	// one is due each 5 ms.
	LongestStall time.Duration

	revoked bool
}

func (c *contender) result() Result {
	counts := c.box.Counts()
	t := &c.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	longest, other, count := t.waited()
	stall := time.Duration(0)
	for _, s := range t.stalls {
		stall = max(stall, s.to-s.from)
	}
	return Result{
		Name:         c.name,
		Requests:     t.ended,
		Failed:       t.failed,
		SignIns:      counts.Created,
		Refreshes:    counts.Refreshed,
		Recovered:    t.recovered,
		LongestWait:  longest,
		OtherWait:    other,
		OtherWaits:   count,
		LongestStall: stall,
		revoked:      t.revoked != 0,
	}
}

// Summary is how a run went.
type Summary struct {
	Clients     []Result // the library's first
	Took        time.Duration
	Interrupted bool // before its time was over
	Finished    bool // all misfortunes have happened
}

// Verdict returns what the library's client has not lived up to; nothing, if it
// failed no request and let none wait for a token but at the sign-ins that had
// to be.
func (s Summary) Verdict() error {
	err := s.verdict()
	if stall := s.Clients[0].LongestStall; err != nil && stall >= longestStall {
		err = fmt.Errorf("%w; but this machine was busy, and stood still for up to %s: try again when it is not", err, milliseconds(stall))
	}
	return err
}

func (s Summary) verdict() error {
	ours := s.Clients[0]
	due := 1
	if ours.revoked {
		due++
	}
	switch {
	case ours.Failed > 0:
		return fmt.Errorf("%d of %d requests failed", ours.Failed, ours.Requests)
	case ours.OtherWaits > 0:
		return fmt.Errorf("%d requests waited for a token, up to %s, although there was no need to sign in", ours.OtherWaits, milliseconds(ours.OtherWait))
	case ours.SignIns > due:
		return fmt.Errorf("there were %d sign-ins, and %d would have done", ours.SignIns, due)
	case !s.Finished && !s.Interrupted:
		return errors.New("the time was over before everything had happened")
	}
	return nil
}

// Table is the summary for people: a line for each figure, a column for each
// client.
func (s Summary) Table() string {
	var b strings.Builder
	row := func(name string, figure func(Result) string) {
		fmt.Fprintf(&b, "%-34s", name)
		for _, r := range s.Clients {
			fmt.Fprintf(&b, "%13s", figure(r))
		}
		b.WriteString("\n")
	}
	count := func(name string, figure func(Result) int) {
		row(name, func(r Result) string { return fmt.Sprint(figure(r)) })
	}
	row("", func(r Result) string { return r.Name })
	count("requests sent", func(r Result) int { return r.Requests })
	count("requests that failed", func(r Result) int { return r.Failed })
	count("sign-ins (the password is sent)", func(r Result) int { return r.SignIns })
	count("refreshes (the token is renewed)", func(r Result) int { return r.Refreshes })
	count("saved after a 401, by a new token", func(r Result) int { return r.Recovered })
	row("longest wait for a token", func(r Result) string { return milliseconds(r.LongestWait) })
	row("  apart from necessary sign-ins", func(r Result) string { return milliseconds(r.OtherWait) })
	return b.String()
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
