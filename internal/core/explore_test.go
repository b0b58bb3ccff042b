package core

import (
	"flag"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// The explorer goes through every interleaving of a small world, breadth first,
// so that the first fault that it meets is the end of a shortest history (M4).
//
// How to read a history: each line is one edge. "A" and "B" are the two sources;
// a line without either is something that happens outside. After the arrow is what
// the source does next (an operation, an answer to a caller or to Revoke), and then
// what each source holds and does, and what the store has:
//
//	12  A: refresh is answered: OK t1   → store t1   | A t0 good, store | B t0 good | store t0, lease A
//
// t0, t1 … are sessions in the order of their issue; those that nobody knows any
// more are forgotten, and the others numbered anew, so a name belongs to its line.
// The last line is the fault, which begins with the rule that it breaks. Where it
// came "later, in a world without trouble", the history up to there is as short as
// can be, and what follows is how that world went on by itself: all that was under
// way went well, callers asked, and time passed. Of that, every sixteenth world is
// tried.
//
// To go through more of them:
//
//	go test ./internal/core -run Explore -explore.worlds=1000000 -v

var exploreWorlds = flag.Int("explore.worlds", 100_000, "how many worlds the explorer goes through; 0: the full bound")

// fullBound is how many worlds of a scenario are gone through at most.
const fullBound = 4_000_000

// explorer goes through the worlds of a scenario.
type explorer struct {
	scenario
	limit int

	worlds  map[uint64]struct{}
	parents []uint32 // of each world, in the order in which they were found
	through []uint16 // which of the parent's edges
	shapes  map[uint64]*source

	at      world // whose edges are gone through
	from    uint32
	nth     uint16
	pick    int // only this edge; -1: all
	taken   edge
	made    world
	next    []packed
	found   string // the fault
	end     uint32 // where it was found, and by which edge
	endNth  uint16
	edgesOf int

	calm   bool
	full   bool              // there was no room for one more session
	tells  func(line string) // each edge of a history
	told   []Effects
	shift  Moment
	buffer []byte
}

// packed is a world that shares what it can with others.
type packed struct {
	sources [few]*source
	server  server
	store   store
	left    [troubles]uint8
	now     Moment
	index   uint32
}

func (x *explorer) unpack(p *packed) world {
	w := world{server: p.server, store: p.store, left: p.left, now: p.now}
	for i := range x.sources {
		w.sources[i] = *p.sources[i]
	}
	return w
}

func (x *explorer) pack(w *world, index uint32) packed {
	p := packed{server: w.server, store: w.store, left: w.left, now: w.now, index: index}
	for i := range x.sources {
		key := x.sourceKey(&w.sources[i], int(w.store.holder) == i+1)
		shape := x.shapes[key]
		if shape == nil {
			shape = new(w.sources[i])
			shape.own()
			x.shapes[key] = shape
		}
		p.sources[i] = shape
	}
	return p
}

// edge takes one edge of x.at.
func (x *explorer) edge(who int, what string, s Session, do func(*world)) {
	nth := x.nth
	x.nth++
	if x.found != "" || x.pick >= 0 && int(nth) != x.pick {
		return
	}
	x.edgesOf++
	x.taken = edge{int8(who), what, int8(number(s))}
	x.made = x.at
	do(&x.made)
	x.judge(&x.made)
	if x.made.fault != "" {
		x.found, x.end, x.endNth = x.made.fault, x.from, nth
		return
	}
	x.normalise(&x.made)
	if x.pick >= 0 {
		return
	}
	x.note(nth)
}

// note keeps the world that was made, if it is new.
func (x *explorer) note(nth uint16) {
	key := x.key(&x.made)
	if _, known := x.worlds[key]; known || len(x.worlds) >= x.limit {
		return
	}
	x.worlds[key] = struct{}{}
	x.next = append(x.next, x.pack(&x.made, uint32(len(x.parents))))
	x.parents = append(x.parents, x.from)
	x.through = append(x.through, nth)
}

// first is where a scenario begins.
func (x *explorer) first() world {
	w := world{left: x.left, now: base + 1000}
	for i := range w.sources {
		w.sources[i].seen.landed = longAgo
	}
	x.normalise(&w)
	if x.warm {
		w = x.settled(w, 0)
	}
	return w
}

// explore goes through worlds until there are none, or as many as the limit.
func (x *explorer) explore() {
	x.worlds, x.shapes = map[uint64]struct{}{}, map[uint64]*source{}
	x.pick = -1
	w := x.first()
	x.from = math.MaxUint32
	x.made = w
	x.note(0)
	for len(x.next) > 0 && x.found == "" {
		level := x.next
		x.next = nil
		for i := range level {
			p := &level[i]
			x.at, x.from, x.nth = x.unpack(p), p.index, 0
			x.edges()
			if x.found == "" && p.index%16 == 0 {
				x.settles(x.unpack(p), p.index)
			}
			if x.found != "" {
				return
			}
		}
	}
}

// history is the way to the fault, a line for each step.
func (x *explorer) history() []string {
	var way []uint16
	for at := x.end; at != 0; at = x.parents[at] {
		way = append([]uint16{x.through[at]}, way...)
	}
	if x.endNth != math.MaxUint16 {
		way = append(way, x.endNth)
	}
	y := &explorer{scenario: x.scenario}
	w := y.first()
	lines := []string{"    in the beginning   " + y.picture(&w)}
	y.tells = func(line string) { lines = append(lines, fmt.Sprintf("%3d %s", len(lines), line)) }
	for _, nth := range way {
		y.at, y.pick, y.nth, y.found = w, int(nth), 0, ""
		y.edges()
		y.tell(y.taken.String(), &y.made)
		w = y.made
		w.own()
	}
	if x.endNth == math.MaxUint16 {
		y.settled(w, calmTicks)
	}
	return append(lines, "    "+x.found)
}

// tell adds the edge that has been taken to a history.
func (x *explorer) tell(what string, w *world) {
	if x.tells != nil {
		x.tells(what + consequences(x.told) + "   " + x.picture(w))
		x.told = nil
	}
}

func consequences(all []Effects) string {
	var said []string
	for _, e := range all {
		if e.Begin.Kind != Idle {
			said = append(said, strings.TrimSpace(e.Begin.Kind.String()+" "+e.Begin.Session.Token))
		}
		if e.Cancel {
			said = append(said, "cancel")
		}
		for who, a := range map[string]*Answer{"caller": e.Wake, "Revoke": e.Told} {
			if a != nil {
				said = append(said, fmt.Sprintf("%s: %v", who, a.Err))
			}
		}
	}
	if said == nil {
		return ""
	}
	return "   → " + strings.Join(said, ", ")
}

// picture is a world in a line.
func (x *explorer) picture(w *world) string {
	var b strings.Builder
	for i := range x.sources {
		s := &w.sources[i]
		st := &s.state
		fmt.Fprintf(&b, "| %c %s %s", 'A'+i, st.Held.Token, [...]string{"none", "good", "doubted", "suspect", "over"}[st.Trust])
		for _, is := range []struct {
			so   bool
			what string
		}{
			{st.Trust != None && !st.Held.live(w.now), "expired"}, {st.Held.Ended, "ended"}, {st.Rung == Once, "answered once"}, {st.Rung == Twice, "answered twice"},
			{st.Outage != nil, "outage"}, {st.Want, "wanted"}, {st.Leave, "leaving"}, {st.Closed, "closed"},
		} {
			if is.so {
				b.WriteString(", " + is.what)
			}
		}
		if op := s.op(); op.Kind != Idle {
			b.WriteString(", " + op.Kind.String())
		}
		b.WriteString(" ")
	}
	if x.config.Cache {
		fmt.Fprintf(&b, "| store %s", w.store.entry.session.Token)
		if w.store.holder != 0 {
			fmt.Fprintf(&b, ", lease %c", 'A'-1+w.store.holder)
		}
	}
	return b.String()
}

func TestExploreFindsNoHistoryThatBreaksARule(t *testing.T) {
	all := scenarios()
	left := *exploreWorlds
	for n, s := range all {
		t.Run(s.name, func(t *testing.T) {
			limit := left / (len(all) - n)
			if *exploreWorlds == 0 {
				limit = fullBound
			}
			start := time.Now()
			x := &explorer{scenario: s, limit: limit}
			x.explore()
			left -= len(x.worlds)
			t.Logf("%d worlds (of at most %d), %d edges, %d shapes of a source, %v", len(x.worlds), limit, x.edgesOf, len(x.shapes), time.Since(start).Round(time.Millisecond))
			if x.found != "" {
				t.Errorf("expected no fault, got %q after\n%s", x.found, strings.Join(x.history(), "\n"))
			}
		})
	}
}
