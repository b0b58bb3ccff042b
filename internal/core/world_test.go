package core

import (
	"errors"
	"math/bits"
	"time"
)

// What the small world is made of: a server, a store, and one source or two.

const (
	most = 8 // sessions that a server has issued and somebody knows
	few  = 2 // sources
)

// Names of sessions, and of what they have in common.
var (
	tokens = [most]string{"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"}
	kept   = [most]string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"}
	common = [most]Fingerprint{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}}
)

// number is which of the tokens this is: -1 for none.
func number(s Session) int {
	if s.Token == "" {
		return -1
	}
	return int(s.Token[1] - '0')
}

// set is a set of the server's sessions.
type set uint8

func (s set) has(n int) bool { return n >= 0 && s&(1<<n) != 0 }

func (s set) first() int { return bits.TrailingZeros8(uint8(s)) }

func only(n int) set {
	if n < 0 {
		return 0
	}
	return 1 << n
}

// issued is a session as the server knows it.
type issued struct {
	before    set  // those which were there when its call began: surely older
	dead      bool // logged out, or of a family that was ended
	ended     bool // its family is not renewed any more
	used      bool // its State has been written to the server, which has not answered with 5xx
	spent     bool // its State was good once
	handed    bool // callers could see it
	stored    bool
	epoch     uint8
	family    uint8
	expires   int8 // in ticks from now
	renewable int8
}

// opens reports whether the API takes it.
func (t issued) opens() bool { return !t.dead && t.expires > 0 }

type server struct {
	issued [most]issued
	count  int8
	epoch  uint8
	away   bool
	wrong  bool // the first password is refused
	right  bool // the provider gives the second, which is not
}

func (s *server) all() set { return set(1)<<s.count - 1 }

// logOut ends every session.
func (s *server) logOut() {
	s.epoch++
	for i := range s.issued[:s.count] {
		s.issued[i].dead = true
	}
}

// entry is what the store has.
type entry struct {
	session Session
	notice  uint8 // its name; 0: none
	refused bool
	count   uint8
	left    int8 // of the notice, in ticks
}

type store struct {
	entry, old entry
	holder     int8 // of the lease: 1 and 2; 0: nobody
	names      uint8
	away       bool
	deaf       bool // takes no writes
	broken     bool // something that was to be stored was not, or not for long
}

// call is what has become of an operation outside the source.
type call struct {
	before    set // the sessions there when it began
	handled   bool
	outcome   Outcome
	session   Session
	cancelled bool
}

// source is a source, with what an observer remembers of it.
type source struct {
	state   State
	call    call
	request Session // what a request under way carries
	news    bool    // the store has been written since it was read
	seen    seen

	way    Pursuit // where state.Way points to
	outage Outage
}

func (s *source) op() Op {
	if s.state.Way == nil {
		return Op{}
	}
	return s.state.Way.Op
}

// seen is what an observer of one source remembers, to judge it by. Times are in
// ticks.
type seen struct {
	doubted set // rejected or revoked here, or older, and not shown to live since
	barred  set // of those, what only a refresh can show to live: older, or revoked
	asked   set // doubted, and a refresh has been begun
	judged  set // a refresh has been answered
	handed  set // callers here could see it
	leaving set // what Revoke is to end

	rejected  bool  // and no session came since
	overtaken bool  // a call that was under way then
	answers   uint8 // to rejections within a minute
	answered  int8  // since the last of them
	landed    int8  // since the last session came from the server
	hold      int8  // no call yet: it failed, with nothing that lives or what is doubted
	kept      int8  // it may be: it failed, with what was doubted
	busy      int8  // no call yet: the server said so
	resting   [2]int8
	refusals  [2]uint8
	waited    int8 // of a caller
}

// trouble is what a world has a limited amount of.
type trouble uint8

const (
	ticks     trouble = iota
	logOuts           // elsewhere
	aways             // the server cannot be reached for a while
	losses            // of an answer
	unusables         // answers that judge nothing
	busies            // answers with Retry-After
	wrongs            // the password is not the right one for a while
	rights            // the provider has another one
	ends              // a session is not renewed any more
	stills            // a refresh leads to the same expiry
	deads             // expired on arrival
	spurious          // 401s for a session that lives
	requests          // under way while things happen
	revokes
	closes
	asks     // the provider fails
	outages  // the store cannot be reached for a while
	deafs    // the store takes no writes for a while
	putBacks // of an old entry
	thefts   // of the lease
	unsure   // a store that was done is reported as failed
	troubles
)

// scenario is one kind of world.
type scenario struct {
	name    string
	sources int
	config  Config
	tick    time.Duration
	life    int8 // ticks; 0: nobody says
	longer  int8 // can be renewed for so many more
	rotates bool
	slides  bool // a refresh prolongs the token that there is (O9)
	gives   bool // storing gives the lease back
	warm    bool // it begins with a session
	left    [troubles]uint8
}

// world is a moment of a scenario.
type world struct {
	sources [few]source
	server  server
	store   store
	left    [troubles]uint8
	now     Moment
	fault   string
}

var (
	errAway    = errors.New("away")
	errBusy    = errors.New("busy")
	errRefused = errors.New("refused")
	errLocal   = errors.New("local")
)

// busyFor is how long the server asks to be left alone, in ticks.
const busyFor = 2

// issue makes a session, as the server has it and as its answer tells it.
func (x *explorer) issue(w *world, began Moment, before set, family uint8) Session {
	n, age := w.server.count, int8(x.age(x.start(w.now), began)) // a life counts from the request's start (E3)
	w.server.count++
	w.server.issued[n] = issued{
		before: before, epoch: w.server.epoch, family: family,
		expires: x.life - age, renewable: x.life - age + x.longer,
	}
	s := Session{Token: tokens[n], Issued: began, Expires: began.Add(time.Duration(x.life) * x.unit())}
	if x.life == 0 {
		w.server.issued[n].expires, w.server.issued[n].renewable, s.Expires = 1, 1, 0
	}
	if x.longer > 0 {
		s.Renewable = s.Expires.Add(time.Duration(x.longer) * x.unit())
	}
	if x.rotates {
		s.State = kept[n]
	} else {
		s.ID = common[w.server.epoch]
	}
	return s
}

// unit is a little less than a tick, so that what takes so long is over after one.
func (x *explorer) unit() time.Duration { return x.tick - time.Millisecond }

// handle is what the server does with a session call.
func (x *explorer) handle(w *world, i int) {
	s := &w.sources[i]
	op, c := s.op(), &s.call
	c.handled, c.outcome = true, OK
	if op.Kind == Create {
		if w.server.wrong && op.password(s) == 0 {
			c.outcome = Refused
			return
		}
		c.session = x.issue(w, op.Began, c.before, w.newFamily())
		return
	}
	n := number(op.Session)
	t := &w.server.issued[n]
	if op.Kind == Delete {
		if c.outcome = Gone; t.opens() || !t.dead && t.renewable > 0 {
			c.outcome = OK
			w.server.logOut()
		}
		return
	}
	switch {
	case x.rotates && t.spent: // somebody has stolen it, for all that the server knows
		for j := range w.server.issued[:w.server.count] {
			if w.server.issued[j].family == t.family {
				w.server.issued[j].dead = true
			}
		}
		c.outcome = Refused
	case t.dead, t.ended, t.renewable <= 0:
		c.outcome = Refused
	case x.slides:
		age := int8(x.age(x.start(w.now), op.Began))
		t.expires, t.renewable = x.life-age, x.life-age
		c.session = op.Session
		c.session.Issued, c.session.Expires = op.Began, op.Began.Add(time.Duration(x.life)*x.unit())
		c.session.Ended, c.session.Shared, c.session.Unstored = false, false, false
	default:
		t.spent = x.rotates
		c.session = x.issue(w, op.Began, c.before, t.family)
	}
}

func (w *world) newFamily() uint8 {
	var n uint8
	for _, t := range w.server.issued[:w.server.count] {
		n = max(n, t.family+1)
	}
	return n
}

// password is which of the two a sign-in is made with.
func (Op) password(s *source) int { return int(s.state.Credentials[0]) }

// load is what the store has for a source.
func (x *explorer) load(w *world, i int) Input {
	w.sources[i].news = false
	if w.store.away {
		return Input{Outcome: Away, Err: errAway}
	}
	e := w.store.entry
	in := Input{}
	if e.session.alive(w.now) {
		in.Session = e.session
	}
	if e.notice != 0 {
		in.Notice = &Notice{
			ID: tokens[e.notice], Err: errBusy, Refused: e.refused, Count: int(e.count),
			Wait: busyFor * x.unit(), Left: time.Duration(e.left) * x.unit(),
		}
		if e.refused {
			in.Notice.Err = errRefused
		}
	}
	return in
}

// put is what a store does, and reports whether it has.
func (x *explorer) put(w *world, i int) bool {
	op := w.sources[i].op()
	if w.store.away || w.store.deaf || int(w.store.holder) != i+1 {
		w.store.broken = true
		return false
	}
	e := entry{session: op.Session}
	if n := op.Notice; n != nil && n.Err != nil {
		w.store.names++
		e.notice, e.refused, e.count = w.store.names, n.Refused, uint8(n.Count)
		e.left = int8((n.Wait + x.unit() - 1) / x.unit())
	}
	if e == (entry{}) {
		return true
	}
	if n := number(e.session); n >= 0 {
		w.server.issued[n].stored = true
	}
	w.keep(e)
	if x.gives {
		w.store.holder = 0
	}
	return true
}

func (w *world) keep(e entry) {
	if w.store.entry != (entry{}) {
		w.store.old = w.store.entry
	}
	w.write(e)
}

func (w *world) write(e entry) {
	w.store.entry = e
	for i := range w.sources {
		w.sources[i].news = w.sources[i].state.Way != nil
	}
}

// pass is a tick.
func (x *explorer) pass(w *world) {
	w.now = w.now.Add(x.tick)
	for i := range w.server.issued[:w.server.count] {
		if t := &w.server.issued[i]; x.life > 0 {
			t.expires, t.renewable = max(0, t.expires-1), max(0, t.renewable-1)
		}
	}
	for _, e := range []*entry{&w.store.entry, &w.store.old} {
		e.left = max(0, e.left-1)
	}
	for i := range x.sources {
		s := &w.sources[i].seen
		s.answered, s.landed = min(s.answered+1, longAgo), min(s.landed+1, longAgo)
		s.hold, s.kept, s.busy = max(0, s.hold-1), max(0, s.kept-1), max(0, s.busy-1)
		for c := range s.resting {
			s.resting[c] = max(0, s.resting[c]-1)
		}
		if w.sources[i].state.Want {
			s.waited++
		}
	}
}

// longAgo is more ticks than anything counts for.
const longAgo = 8
