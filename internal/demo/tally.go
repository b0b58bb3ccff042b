package demo

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// shortestWait is the shortest wait for a token that counts as one while the
	// client has no live token: nobody waits that long for less.
	shortestWait = 5 * time.Millisecond

	// longestStall is the longest wait that may be the machine's own doing while
	// the client has a live token. Who really waits for a session call, and is the
	// first of 200 requests a second to do so, waits for most of its 300 ms.
	longestStall = 200 * time.Millisecond

	// visibleWait is the shortest one that the picture shows.
	visibleWait = 50 * time.Millisecond
)

// cells is how many parts of the same length a run has, for its picture.
const cells = 60

// What a part of a run was like for the requests that began in it, the worst
// last.
const (
	cellEmpty byte = iota
	cellFine
	cellWaited
	cellFailed
	cellKilled // and with it the process
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

	waits    []outcome // of the shortest wait, and longer; judged at the end
	sessions []span    // in their order, each from its coming to its expiry
	stalls   []span    // in which no request could begin
	revoked  time.Duration

	cells, marks [cells]byte
	streak       int // of requests that failed, one after the other
}

// span is a time, since the start.
type span struct{ from, to time.Duration }

func (s span) overlaps(other span) bool { return s.from < other.to && other.from < s.to }

const forever time.Duration = math.MaxInt64

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
	if o.wait >= visibleWait {
		cell = cellWaited
	}
	if o.wait >= shortestWait {
		t.waits = append(t.waits, o)
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

// counts tells how many requests have ended, and how.
func (t *tally) counts() (ended, failed, recovered int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended, t.failed, t.recovered
}

// waited judges the waits: the longest one, the longest apart from the sign-ins
// that had to be, and how many count among the latter. mu is held.
func (t *tally) waited() (longest, other time.Duration, count int) {
	dead := t.withoutToken()
	for _, o := range t.waits {
		longest = max(longest, o.wait)
		if t.hadToWait(o) {
			continue
		}
		other = max(other, o.wait)
		if o.wait-t.stallWithin(o) >= longestStall || slices.ContainsFunc(dead, span{o.start, o.end}.overlaps) {
			count++
		}
	}
	return longest, other, count
}

// hadToWait reports whether a request fell into a sign-in that had to be: the
// first one, or the one after the revocation. mu is held.
func (t *tally) hadToWait(o outcome) bool {
	signIns := []span{{-1, t.sessionAfter(0)}}
	if t.revoked != 0 {
		signIns = append(signIns, span{t.revoked, t.sessionAfter(t.revoked)})
	}
	return slices.ContainsFunc(signIns, span{o.start, o.end}.overlaps)
}

// sessionAfter is when the next session came. mu is held.
func (t *tally) sessionAfter(moment time.Duration) time.Duration {
	for _, s := range t.sessions {
		if s.from > moment {
			return s.from
		}
	}
	return forever
}

// withoutToken returns when the client had no live token. mu is held.
func (t *tally) withoutToken() []span {
	var dead []span
	end := time.Duration(-1)
	for _, s := range t.sessions {
		if s.from > end {
			dead = append(dead, span{end, s.from})
		}
		end = s.to
	}
	return append(dead, span{end, forever})
}

// stallWithin is how long the machine stood still during a request. mu is held.
func (t *tally) stallWithin(o outcome) (sum time.Duration) {
	for _, s := range t.stalls {
		sum += max(0, min(s.to, o.end)-max(s.from, o.start))
	}
	return sum
}

// stalled notes that no request could begin meanwhile.
func (t *tally) stalled(s span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stalls = append(t.stalls, s)
}

// renewed notes a session that came now and ends at expiry.
func (t *tally) renewed(now, expiry time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions = append(t.sessions, span{now, expiry})
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

// progress is how a client is doing at one moment.
type progress struct {
	name                       string
	requests, failed, inFlight int
	left                       time.Duration // of its token's life
	cells, marks               []byte
}

// picture shows how the clients are doing.
func (d *Demo) picture(b brush) string {
	var clients []progress
	for _, c := range d.contenders {
		clients = append(clients, c.tally.progress(c.name, d.elapsed()))
	}
	return timeline(b, clients)
}

func (t *tally) progress(name string, now time.Duration) progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := time.Duration(0)
	if n := len(t.sessions); n > 0 {
		left = max(0, t.sessions[n-1].to-now)
	}
	return progress{
		name:     name,
		requests: t.ended,
		failed:   t.failed,
		inFlight: t.begun - t.ended,
		left:     left,
		cells:    slices.Clone(t.cells[:]),
		marks:    slices.Clone(t.marks[:]),
	}
}
