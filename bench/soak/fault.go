//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// class is what a fault is trouble of, and so what it may explain.
type class int

const (
	network   class = iota // session calls may fail, and requests
	answers                // session calls may fail
	requests               // requests may fail, or take longer
	store                  // sessions may not be shared
	process                // one worker does not work
	rejection              // tokens are rejected
	slow                   // the machine is: not drawn
)

// kind is a sort of fault.
type kind struct {
	name  string
	class class
	tells string
	store string // the only one that it is for: "redis" or "file"; empty: all
}

// kinds are all there are. Their order is part of what a seed means.
var kinds = []kind{
	{"outage", network, "no connection to the API", ""},
	{"reset", network, "all connections to the API are reset", ""},
	{"silence", network, "connections to the API go silent, for good", ""},

	{"error", answers, "session calls are answered with 503", ""},
	{"limit", answers, "a session call is answered with 429 and a Retry-After", ""},
	{"hang", answers, "session calls hang", ""},
	{"drop", answers, "session calls are done, and not answered", ""},
	{"truncate", answers, "answers to session calls break off", ""},
	{"page", answers, "session calls are answered with a page of HTML", ""},
	{"redirect", answers, "session calls are redirected to a foreign host", ""},

	{"500", requests, "requests are answered with 500", ""},
	{"slow body", requests, "bodies come slowly", ""},
	{"late", requests, "requests are answered late", ""},
	{"slow", requests, "the next session call takes a second", ""},

	{"cache loss", store, "the cache loses all it has", ""},
	{"full disk", store, "nothing can be written to files", "file"},
	{"redis outage", store, "no connection to Redis", "redis"},
	{"redis silence", store, "connections to Redis go silent, for good", "redis"},
	{"redis failover", store, "the replica of Redis takes its place", "redis"},

	{"kill", process, "a worker is killed, and another started", ""},
	{"stop", process, "a worker is stopped, and goes on", ""},
	{"restart", process, "a worker ends, and another starts", ""},

	{"log-out", rejection, "all sessions are ended from elsewhere, of which some learn late", ""},
	{"slow sign-in", rejection, "all sessions are ended, and session calls hang", ""},
	{"clock", rejection, "the API moves to a machine with another clock, and without its sessions", ""},
	{"spurious 401", rejection, "a request is answered with 401 for no reason", ""},
	{"refused refresh", rejection, "a refresh is answered with 401 for no reason", ""},
}

func kindNamed(name string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

const (
	// stepTime is how long the faults of a step may take.
	stepTime = 2200 * time.Millisecond

	latestBegin   = 500 * time.Millisecond
	shortestFault = 200 * time.Millisecond
	longestFault  = 1600 * time.Millisecond

	// eraSteps is for how many steps a fleet has the same theme. All themes take
	// more than the minute for which a rejection counts (T12), so that each is the
	// first one.
	eraSteps = 10
)

// themes are what fleets have trouble with, one after another. What explains
// little stands apart from what explains much: a sign-in after a log-out would
// need no other reason while the cache is away.
var themes = [][]class{{rejection, requests}, {store, process}, {network, answers, requests}}

// fault is one that was drawn.
type fault struct {
	number, step  int // from 1
	fleet, worker int
	kind          kind
	at, length    time.Duration // from the step's begin
	count         int           // of calls, or seconds of a Retry-After, or of a clock
}

func (f fault) String() string {
	s := fmt.Sprintf("%4d  step %3d  %4.1f s  fleet %d: %s", f.number, f.step, f.at.Seconds(), f.fleet+1, f.kind.tells)
	switch f.kind.class {
	case process:
		s += fmt.Sprintf(" (worker %d)", f.worker+1)
	case rejection, answers:
		s += fmt.Sprintf(" (%d)", f.count)
	}
	return fmt.Sprintf("%s, for %.1f s", s, f.length.Seconds())
}

// plan draws faults. What it draws depends on its fields and on nothing else.
type plan struct {
	seed    uint64
	stores  []string // of the fleets
	workers int      // of each
	allowed []kind
}

// step draws the faults of one step, from 1, and numbers them from first on.
func (p plan) step(step, first int) []fault {
	random := rand.New(rand.NewPCG(p.seed, uint64(step)))
	var faults []fault
	for fleet, store := range p.stores {
		era, within := (step-1)/eraSteps+fleet, (step-1)%eraSteps
		theme := themes[era%len(themes)]
		turn := era/len(themes)*(len(p.stores)+1) + fleet
		drawn := p.draw(random, theme, store, within, turn)
		for _, k := range drawn {
			f := fault{number: first, step: step, fleet: fleet, worker: random.IntN(p.workers), kind: k}
			f.at = time.Duration(random.Int64N(int64(latestBegin))).Round(time.Millisecond)
			f.length = shortestFault + time.Duration(random.Int64N(int64(longestFault-shortestFault))).Round(time.Millisecond)
			f.count = 1 + random.IntN(3)
			first++
			faults = append(faults, f)
		}
	}
	return faults
}

// draw draws what befalls a fleet in a step of an era. Of rejections there is one
// in each, and they take turns, since there are few.
func (p plan) draw(random *rand.Rand, theme []class, store string, within, turn int) []kind {
	of := func(classes ...class) (all []kind) {
		for _, k := range p.allowed {
			if slices.Contains(classes, k.class) && (k.store == "" || k.store == store) {
				all = append(all, k)
			}
		}
		return all
	}
	pick := func(from []kind) []kind {
		if len(from) == 0 {
			return nil
		}
		return from[random.IntN(len(from)):][:1]
	}
	if theme[0] != rejection {
		all := of(theme...)
		drawn := pick(all)
		if random.IntN(2) == 0 {
			if second := pick(all); len(second) > 0 && second[0].name != drawn[0].name {
				drawn = append(drawn, second...)
			}
		}
		return drawn
	}
	if within != rejectionStep {
		return pick(of(requests))
	}
	var drawn []kind
	if all := inTurns(of(rejection)); len(all) > 0 {
		drawn = append(drawn, all[int(p.seed%uint64(len(all))+uint64(turn))%len(all)])
	}
	if random.IntN(4) == 0 {
		drawn = append(drawn, pick(of(answers, network))...)
	}
	return drawn
}

// inTurns puts the first, which is a log-out, before each of the others.
func inTurns(all []kind) (turns []kind) {
	for _, k := range all[min(1, len(all)):] {
		turns = append(turns, all[0], k)
	}
	if len(all) == 1 {
		return all
	}
	return turns
}

// rejectionStep is when in their era a fleet's sessions are rejected: when what
// was before explains nothing any more.
const rejectionStep = int(recently/stepTime) + 1
