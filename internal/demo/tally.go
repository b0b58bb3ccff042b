package demo

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// notable is the shortest wait for a token that counts as one: what is below it
// may be the machine's own doing.
const notable = 50 * time.Millisecond

// cells is how many parts of the same length a run has, for its picture.
const cells = 60

// What a part of a run was like for the requests that began in it, the worst
// last.
const (
	cellEmpty byte = iota
	cellFine
	cellWaited
	cellFailed
)

// What the API did in a part of a run.
const (
	markNone byte = iota
	markAway
	markThrottled
	markRevoked
)

// outcome is what became of a request. Times are since the start.
type outcome struct {
	start, end time.Duration
	wait       time.Duration // for a token
	rejected   bool          // a 401 came back
	failed     bool          // for its caller
}

// tally is what became of a client's requests.
type tally struct {
	mu sync.Mutex // guards the rest

	begun, ended, failed, recovered int
	wait                            time.Duration // the longest, at the sign-ins that had to be
	otherWait                       time.Duration // the longest at any other time
	otherWaits                      int           // that were notable

	// The sign-ins that had to be: the first one, and the one after the
	// revocation. Zero: not yet.
	firstSession, revoked, nextSession time.Duration

	tokenStart, tokenEnd time.Duration
	cells, marks         [cells]byte
	streak               int // of requests that failed, one after the other
}

func cellAt(t time.Duration) int {
	return max(0, min(cells-1, int(t*cells/Duration)))
}

func (t *tally) began() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun++
}

// add notes an outcome. It returns what a person should be told of it, if
// anything: that requests begin to fail, or succeed again.
func (t *tally) add(o outcome, failure string) (text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended++
	cell := cellFine
	if o.wait >= notable {
		cell = cellWaited
	}
	if t.hadToWait(o) {
		t.wait = max(t.wait, o.wait)
	} else {
		t.otherWait = max(t.otherWait, o.wait)
		if o.wait >= notable {
			t.otherWaits++
		}
	}
	switch {
	case o.failed:
		cell = cellFailed
		t.failed++
		if t.streak++; t.streak == 1 {
			text = "a request failed: " + failure
		}
	case o.rejected:
		t.recovered++
		fallthrough
	default:
		if t.streak > 0 {
			text = fmt.Sprintf("requests succeed again; %d failed in a row", t.streak)
		}
		t.streak = 0
	}
	i := cellAt(o.start)
	t.cells[i] = max(t.cells[i], cell)
	return text
}

// hadToWait reports whether a request fell into a sign-in that had to be. mu is
// held.
func (t *tally) hadToWait(o outcome) bool {
	if t.firstSession == 0 || o.start <= t.firstSession {
		return true
	}
	return t.revoked != 0 && o.end >= t.revoked && (t.nextSession == 0 || o.start <= t.nextSession)
}

// renewed notes a session that came now and ends at expiry.
func (t *tally) renewed(now, expiry time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokenStart, t.tokenEnd = now, expiry
	if t.firstSession == 0 {
		t.firstSession = now
	}
	if t.revoked != 0 && t.nextSession == 0 {
		t.nextSession = now
	}
}

// revocation notes that all sessions were revoked now.
func (t *tally) revocation(now time.Duration) {
	t.mark(now, markRevoked)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked = now
}

// mark notes what the API did.
func (t *tally) mark(now time.Duration, mark byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks[cellAt(now)] = mark
}

// Progress is how a client is doing at one moment.
type Progress struct {
	Name                       string
	Requests, Failed, InFlight int
	Left                       time.Duration // of its token's life
	cells, marks               []byte
}

// Progress tells how the clients are doing, and for how long.
func (d *Demo) Progress() (time.Duration, []Progress) {
	now := d.elapsed()
	var all []Progress
	for _, c := range d.contenders {
		all = append(all, c.tally.progress(c.name, now))
	}
	return now, all
}

func (t *tally) progress(name string, now time.Duration) Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Progress{
		Name:     name,
		Requests: t.ended,
		Failed:   t.failed,
		InFlight: t.begun - t.ended,
		Left:     max(0, t.tokenEnd-now),
		cells:    slices.Clone(t.cells[:]),
		marks:    slices.Clone(t.marks[:]),
	}
}
