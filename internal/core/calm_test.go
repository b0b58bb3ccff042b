package core

import "math"

// settled is what becomes of a world in which all trouble has ended: what is under
// way goes well, and callers want sessions. It is warmed up this way, and from
// any world a caller must get a session or an error, and in the end a session.
func (x *explorer) settled(w world, idle int) world {
	calm := &explorer{scenario: x.scenario, calm: true, tells: x.tells}
	w.own()
	given := w.left
	var wanted [few]bool
	for passed, spent := 0, 0; passed <= idle; spent++ {
		if spent > 200 {
			w.fault = "in a world without trouble there is no end to it"
			return w
		}
		if !calm.goOn(&w) {
			asks := -1
			for i := range x.sources {
				s := &w.sources[i].state
				if v, is := s.Visible(); !s.Closed && !wanted[i] && !(is && v.live(w.now)) {
					asks = i
				}
			}
			switch {
			case asks >= 0:
				wanted[asks] = true
				calm.step(&w, asks, Input{Kind: Want})
				calm.tell(edge{int8(asks + 1), "a caller wants a session", -1}.String(), &w)
				calm.normalise(&w)
			case idle == 0:
				w.left = given
				return w
			default:
				passed++
				spent, wanted = 0, [few]bool{}
				calm.pass(&w)
				calm.tell("time passes", &w)
				calm.normalise(&w)
			}
		}
		if w.fault != "" || calm.full {
			x.full = calm.full
			return w
		}
	}
	w.left = given
	return w
}

// goOn takes the first edge of a calm world, and reports whether there was one. Time
// passes only where nothing else is left to be done.
func (x *explorer) goOn(w *world) bool {
	x.at, x.pick, x.nth = *w, math.MaxInt, 0
	x.edges()
	if x.nth == 0 {
		return false
	}
	x.pick, x.nth, x.found = 0, 0, ""
	if x.edges(); x.taken.what == "time passes" {
		return false
	}
	x.tell(x.taken.String(), &x.made)
	*w, w.fault = x.made, x.found
	w.own()
	return true
}

// calmTicks is longer than any rest that a small world gets to.
const calmTicks = 16

// settles checks that a world does.
func (x *explorer) settles(w world, index uint32) {
	x.full = false
	if w = x.settled(w, calmTicks); x.full {
		return
	}
	for i := range x.sources {
		s := &w.sources[i].state
		v, is := s.Visible()
		switch {
		case w.fault != "":
		case s.Leave || s.Want && s.Closed:
			w.fault = "somebody waits although all trouble has ended"
		case !s.Closed && x.life != 1 && !(is && v.live(w.now)):
			w.fault = "there is no session although all trouble has ended"
		case s.Closed && s.Way != nil:
			w.fault = "T14: something goes on long after Close"
		}
	}
	if w.fault != "" {
		x.found, x.end, x.endNth = "later, in a world without trouble: "+w.fault, index, math.MaxUint16
	}
}
