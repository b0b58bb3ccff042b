//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	// life is a token's. A single fault is shorter than what is left of it when a
	// refresh falls due.
	life = 12 * time.Second

	// aftermath is for how long an API that was in trouble is not asked again: an
	// attempt that hangs, and a wait or two.
	aftermath = 10 * time.Second

	// apart is how long it takes a fleet that could not share to share again: each
	// keeps its session until its refresh falls due.
	apart = life + 5*time.Second

	// rejectionCounts is for how long the answer to a rejection counts (T12).
	rejectionCounts = time.Minute + recently

	// recently is for how long what befell one worker may concern the others.
	recently = 15 * time.Second
)

// trouble is a fault that has begun.
type trouble struct {
	span // without an end: it goes on
	kind kind
	// address is the worker's, if it concerns one.
	address string
}

// judge knows what has befallen a fleet, and judges what can be seen of it by
// that: nothing but what it was told explains a failure or a session call.
type judge struct {
	breaks  func(format string, args ...any)
	hearing time.Duration // how long to wait for what a worker has to say

	mu       sync.Mutex // guards the rest
	troubles []*trouble
	calls    []*call // to the session; the latest ones
	refused  map[string][]time.Time
	stalls   []span
}

// slowCache is no fault that is drawn.
var slowCache = kind{"slow cache", slow, "the cache took too long, on a busy machine", ""}

// begins notes that a fault begins. The result is to be called when it ends.
func (j *judge) begins(k kind, address string) (ends func()) {
	t := &trouble{span: span{Begin: time.Now()}, kind: k, address: address}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.troubles = append(j.troubles, t)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		t.End = time.Now()
	}
}

// troubled reports whether there was such trouble between two moments.
func (j *judge) troubled(begin, end time.Time, is func(*trouble) bool) bool {
	return slices.ContainsFunc(j.troubles, func(t *trouble) bool {
		return is(t) && t.Begin.Before(end) && (t.End.IsZero() || t.End.After(begin))
	})
}

func of(classes ...class) func(*trouble) bool {
	return func(t *trouble) bool { return slices.Contains(classes, t.kind.class) }
}

// lately is troubled for some time before a moment.
func (j *judge) lately(now time.Time, within time.Duration, classes ...class) bool {
	return j.troubled(now.Add(-within), now, of(classes...))
}

// isClean reports whether a call's answer surely reached who had asked, and that
// it was heeded.
func (j *judge) isClean(c *call) bool {
	return c.status/100 == 2 && !j.troubled(c.Begin, c.End.Add(300*time.Millisecond), of(network)) &&
		!j.troubled(c.Begin.Add(-time.Second), c.End.Add(time.Second), func(t *trouble) bool { return t.address == c.address })
}

// session is the last one that the fleet surely has.
func (j *judge) session() *call {
	for _, c := range slices.Backward(j.calls) {
		if !c.End.IsZero() && j.isClean(c) {
			return c
		}
	}
	return nil
}

// began judges a call that begins.
func (j *judge) began(c *call) {
	if c.op == sessiontest.OpResource {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if isStranger(c.address) {
		j.stranger(c)
		return
	}
	last, now := j.session(), c.Begin
	j.rests(c, last)
	if n := len(slices.DeleteFunc(slices.Clone(j.calls), func(b *call) bool { return b.address != c.address || now.Sub(b.Begin) > 10*time.Second })); n > 25 {
		j.breaks("E5: %d session calls in ten seconds", n)
	}
	if why := j.unexplained(c, last); why != "" {
		rule := "C1: a refresh"
		if c.op == sessiontest.OpCreate {
			rule = "T8: a sign-in"
		}
		time.AfterFunc(j.hearing, func() {
			j.mu.Lock()
			defer j.mu.Unlock()
			if !j.lately(now, apart, slow) {
				j.breaks("%s that no event explains, by the worker at %s: %s", rule, c.address, why)
			}
		})
	}
	j.calls = append(j.calls, c)
	if len(j.calls) > 200 {
		j.calls = slices.Clone(j.calls[100:])
	}
}

// unexplained says why there should have been no such call; "": there may be one.
func (j *judge) unexplained(c, last *call) string {
	now := c.Begin
	for _, b := range j.calls {
		if b.End.IsZero() && !b.isLeft.Load() && b.op == c.op && !j.learns(c) && !j.lately(now, apart, store) && !j.lately(now, recently, network, answers, process) {
			return "another one is under way, by the worker at " + b.address
		}
	}
	if last == nil || j.learns(c) {
		return ""
	}
	age := now.Sub(last.Begin) // when its life began, for all that a worker knows (E3)
	if c.op == sessiontest.OpRefresh {
		spurious := j.troubled(now.Add(-recently), now, func(t *trouble) bool { return t.kind.name == "spurious 401" })
		if age > life*55/100 || spurious || j.rejectedSince(last) ||
			j.lately(now, recently, process, network, answers) || j.lately(now, apart, store) {
			return ""
		}
		return fmt.Sprintf("the fleet has had a session for %v, and its refresh is not due", age)
	}
	switch {
	case age > life-2*time.Second: // it has expired, or a second is missing
	case (j.lately(now, rejectionCounts, rejection) || j.lately(now, recently, network, answers)) && j.isEnding(last, now):
	case j.rejectedSince(last):
	case slices.ContainsFunc(j.calls, func(b *call) bool {
		return b.op == sessiontest.OpCreate && b.Begin.After(last.Begin) && !j.isClean(b)
	}): // which was answered to nobody
	case j.lately(now, apart, store) && j.lately(now, apart, rejection, process, network, answers):
	case j.lately(now, recently, process) && j.lately(now, recently, rejection, network, answers):
	default:
		return fmt.Sprintf("the fleet has had a session for %v, and nothing has ended it", age)
	}
	return ""
}

// isEnding reports whether what the fleet had before that session is in its last
// second or two: a worker that has not seen the newer one yet may be told of a
// rejection, if the API's clock is another, and that may not be the first, nor
// what it asks for an answer be had (T12).
func (j *judge) isEnding(last *call, now time.Time) bool {
	for _, c := range slices.Backward(j.calls) {
		if c != last && !c.End.IsZero() && c.Begin.Before(last.Begin) && j.isClean(c) {
			return now.Sub(c.Begin) > life-2*time.Second
		}
	}
	return false
}

// inLastSecond reports whether a request went out when the session that the fleet
// had was in its last second or two.
func (j *judge) inLastSecond(f failed) bool {
	for _, c := range slices.Backward(j.calls) {
		if !c.End.IsZero() && c.Begin.Before(f.Begin) && j.isClean(c) {
			return f.Begin.Sub(c.Begin) > life-2*time.Second
		}
	}
	return false
}

// learns reports whether a worker is yet to sign in since the API's clock has
// moved: by the clock that it knows, what the others have stored has expired, and
// it is to ask for itself (C10).
func (j *judge) learns(c *call) bool {
	moved := time.Time{}
	for _, t := range j.troubles {
		if t.kind.name == "clock" {
			moved = t.Begin
		}
	}
	return c.Begin.Sub(moved) < recently && !slices.ContainsFunc(j.calls, func(b *call) bool {
		return b.address == c.address && b.op == sessiontest.OpCreate && b.Begin.After(moved) && j.isClean(b)
	})
}

// rejectedSince reports whether a session may have ended before its time.
func (j *judge) rejectedSince(last *call) bool {
	for _, t := range j.troubles {
		if t.kind.class == rejection && t.kind.name != "spurious 401" && t.kind.name != "refused refresh" && t.Begin.After(last.Begin.Add(-50*time.Millisecond)) {
			return true
		}
	}
	return slices.ContainsFunc(j.calls, func(b *call) bool { return b.status == 401 && b.End.After(last.Begin) })
}

// rests judges whether the server's wish is heeded.
func (j *judge) rests(c, last *call) {
	now := c.Begin
	for _, b := range j.calls {
		early := b.End.Add(b.wait).Sub(now) // the answer took its time as well
		if b.wait == 0 || early < 100*time.Millisecond || b.End.IsZero() || last != nil && last.Begin.After(b.Begin) {
			continue
		}
		if j.troubled(b.Begin, now, of(network)) { // it may not have heard it
			continue
		}
		own := b.address == c.address && !j.troubled(b.Begin, now, func(t *trouble) bool { return t.address == c.address })
		fleet := !j.lately(now, apart, store, slow) && !j.lately(now, recently, process, rejection)
		if own || fleet {
			j.breaks("T7, T18: the worker at %s makes a session call %v before the server allows one", c.address, early)
		}
	}
}

// stranger judges a sign-in with a wrong password (T10).
func (j *judge) stranger(c *call) {
	refused := j.refused[c.address]
	if n := len(refused); n > 0 && c.op == sessiontest.OpCreate {
		rest := min(time.Minute<<(n-1), 15*time.Minute)
		if early := refused[n-1].Add(rest).Sub(c.Begin); early > 100*time.Millisecond {
			j.breaks("T10: a wrong password is sent again %v too early", early)
		}
	}
}

// ended notes how a call was answered.
func (j *judge) ended(c *call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if isStranger(c.address) && c.status == 401 && !j.troubled(c.Begin.Add(-time.Second), time.Now(), of(network)) {
		j.refused[c.address] = append(j.refused[c.address], c.End)
	}
}

// failed judges a request that failed.
func (j *judge) failed(address string, f failed) {
	j.mu.Lock()
	defer j.mu.Unlock()
	explained := func(slack time.Duration, is func(*trouble) bool) bool {
		return j.troubled(f.Begin.Add(-slack), f.End, is)
	}
	kindIs := func(name string) func(*trouble) bool { return func(t *trouble) bool { return t.kind.name == name } }
	switch {
	case explained(time.Second, of(network)), explained(2*patience+time.Second, kindIs("silence")):
	case f.Status == 500 && explained(time.Second, kindIs("500")):
	case f.Status == 401 && explained(recently, of(rejection)) && explained(recently, of(network, answers, store, process)):
	case f.Status == 401 && explained(recently, of(network, answers)) && j.inLastSecond(f): // which the refresh did not forestall
	case strings.Contains(f.Error, "jwtsession:") && explained(aftermath, of(network, answers)):
	case f.Status == 0 && explained(aftermath, of(rejection)) && explained(aftermath, of(network, answers)): // it waited for a session
	case f.Status == 0 && explained(aftermath, of(rejection)) && explained(life, kindIs("slow")): // the 401 was late, and a session call, which comes once in a life, slow
	case explained(time.Second, func(t *trouble) bool { return t.address == address }):
	case f.Status == 0 && slices.ContainsFunc(j.stalls, func(s span) bool {
		return s.overlaps(f.Begin, f.End) && s.End.Sub(s.Begin) > 500*time.Millisecond
	}): // the machine had no time
	default:
		j.breaks("H3, T7: a request of the worker at %s failed, and no event explains it: status %d, %s (it took %v)",
			address, f.Status, f.Error, f.End.Sub(f.Begin).Round(time.Millisecond))
	}
}

// wasSlow notes that a worker has done without the cache because it took too long
// (C4), which may happen on a busy machine as well.
func (j *judge) wasSlow() {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.troubles = append(j.troubles, &trouble{span{now.Add(-time.Second), now}, slowCache, ""})
}

// stalled notes a time in which a process did nothing, and the machine perhaps.
func (j *judge) stalled(spans []span) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stalls = append(j.stalls, spans...)
}
