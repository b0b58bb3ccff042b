package core

import "time"

// What must never happen, by the rules. An observer sees each step of a source,
// and what it shows afterwards; it knows what the server knows.

// step is one step of a source, watched.
func (x *explorer) step(w *world, i int, in Input) {
	s := &w.sources[i]
	before, call := s.state, s.call
	in.Draw = 0.5
	after, effects := Step(&x.config, before, in, w.now)
	s.state, s.news = after, s.news && after.Way != nil
	o := &observer{explorer: x, w: w, i: i, s: s, before: before, after: after, in: in, effects: effects, call: call}
	o.watch()
	if x.tells != nil {
		x.told = append(x.told, effects)
	}
}

// observer is one step, seen from outside.
type observer struct {
	*explorer
	w             *world
	i             int
	s             *source
	before, after State
	in            Input
	effects       Effects
	call          call
}

func (o *observer) fault(what string) {
	if o.w.fault == "" {
		o.w.fault = what
	}
}

func (o *observer) watch() {
	var op Op
	if o.before.Way != nil {
		op = o.before.Way.Op
	}
	begun := o.effects.Begin
	if o.in.Kind == Done {
		o.s.call = call{}
		o.ended(op)
	} else if op.Kind != Idle && begun.Kind != Idle {
		o.fault("T5: an operation begins while one is under way")
	}
	if o.in.Kind == Rejected {
		o.rejected()
	}
	if o.in.Kind == Revoke {
		o.s.seen.leaving = o.handed()
	}
	if o.effects.Cancel {
		o.s.call.cancelled = true
	}
	o.events()
	if begun.Kind != Idle {
		o.begins(begun)
		o.s.call = call{before: o.w.server.all()}
	}
	o.s.seen.asked &= only(number(o.after.Held))
	if o.after.Trust == None { // what was rejected has been revoked
		o.s.seen.rejected = false
	}
	if n := number(o.before.Held); n >= 0 && !o.slides && o.before.held(o.w.now) && o.w.server.issued[n].before.has(number(o.after.Held)) {
		o.fault("T6, C1: an older session takes the place of one that lives")
	}
	o.shown()
	o.answers()
}

// handed is what Revoke is to end: what this source's callers got, and what any
// others got from a store that can be relied on, up to the newest that the source
// can know of (T13).
func (o *observer) handed() set {
	if o.w.store.broken || o.w.store.away || o.w.store.deaf {
		return 0
	}
	all := o.s.seen.handed
	for n, t := range o.w.server.issued[:o.w.server.count] {
		if t.handed && t.stored {
			all |= only(n)
		}
	}
	var known set
	for _, s := range []Session{o.before.Held, o.w.store.entry.session} {
		if n := number(s); n >= 0 {
			known |= only(n) | o.w.server.issued[n].before
		}
	}
	return all & known
}

// rejected takes in a 401 that the source was told of.
func (o *observer) rejected() {
	if o.before.Closed {
		return
	}
	n := number(o.in.Session)
	o.s.seen.doubted |= only(n) | o.w.server.issued[n].before
	o.s.seen.barred |= o.w.server.issued[n].before
	o.s.seen.asked &^= only(n)
}

// events takes in what the source says of itself.
func (o *observer) events() {
	g := &o.s.seen
	for _, e := range o.effects.Events {
		switch e.Kind {
		case EventRejected:
			g.rejected = true
			if before := o.before.Way; before != nil {
				k := before.Op.Kind
				g.overtaken = k == Create || k == Refresh || k == Store && before.Op.Notice == nil
			}
		case EventSignedIn, EventRefreshed:
			if g.rejected {
				g.answers, g.answered = g.answers+1, 0
			}
			if e.Kind == EventSignedIn {
				c := o.before.Credentials[0]
				g.resting[c], g.refusals[c] = 0, 0
			}
			if g.overtaken {
				o.fault("M2: a rejection came while the call was under way, and what it brought is not doubted")
			}
			g.landed = 0
			o.landed()
		case EventAdopted:
			o.landed()
		}
	}
	if o.in.Kind == Done && o.in.Notice != nil && o.before.Way.Op.Kind <= Lock {
		o.heard(o.in.Notice)
	}
}

func (o *observer) landed() {
	g := &o.s.seen
	g.rejected, g.hold, g.kept, g.busy = false, 0, 0, 0
}

// heard takes in a notice that the source has read in the store.
func (o *observer) heard(n *Notice) {
	for _, id := range o.before.notices() {
		if id == n.ID {
			return
		}
	}
	left := int8((n.Left + o.unit() - 1) / o.unit())
	g := &o.s.seen
	if c := o.before.Credentials[0]; n.Refused {
		g.resting[c] = max(g.resting[c], left)
	} else {
		g.busy = max(g.busy, left)
	}
}

// ended takes in what became of an operation.
func (o *observer) ended(op Op) {
	g, in := &o.s.seen, o.in
	if op.Kind != Ask && op.Kind != Create && op.Kind != Refresh || in.Outcome == Cancelled {
		return
	}
	if op.Kind != Ask && in.Outcome == OK && !in.Session.live(o.w.now) { // E5, T8
		in.Outcome = Unusable
		if op.Kind == Refresh {
			in.Outcome = Refused
		}
	}
	held := number(o.before.Held)
	// A call that began before a rejection and failed says nothing of it.
	beside := op.Kind != Ask && in.Outcome != OK && in.RetryAfter == 0 && !(in.Outcome == Lost && o.before.Held.State != "")
	if op.Kind == Refresh {
		n := number(op.Session)
		g.judged |= only(n)
		if in.Outcome == OK {
			g.barred &^= only(n)
		}
		if in.Outcome != Refused && !(g.overtaken && beside) {
			g.doubted &^= only(n) &^ g.barred
		}
		if in.Outcome != OK || o.slides { // it may be asked about again, later
			g.asked &^= only(n)
		}
	}
	if in.Outcome != OK && !(op.Kind == Refresh && in.Outcome == Refused) && !(g.overtaken && beside) {
		g.doubted &^= only(held) &^ g.barred // nothing has judged it (T11)
	}
	if in.RetryAfter > 0 {
		g.busy = int8((in.RetryAfter + o.unit() - 1) / o.unit())
	}
	switch in.Outcome {
	case Away, Unusable, Lost:
		switch doubted := o.before.Trust == Doubted; {
		case !o.before.held(o.w.now) && in.Outcome != Lost:
			g.hold = 1
		case doubted && !(g.overtaken && beside) && o.before.held(o.w.now) && !(in.Outcome == Lost && o.before.Held.State != ""): // it is kept until the schedule of T7 has it asked about again (T11)
			wait := time.Minute + time.Minute/5
			if end := o.before.Held.Expires; end != 0 {
				wait = min(wait, end.Sub(o.w.now)/4)
			}
			g.hold, g.kept = 1, max(g.kept, int8((max(wait, in.RetryAfter)+o.unit()-1)/o.unit()))
		}
	case Refused:
		if op.Kind == Refresh && o.before.Trust == Good && o.after.Trust == Over { // what was kept after a rejection: a sign-in answers that now
			g.rejected = true
		}
		if op.Kind == Create {
			c := o.before.Credentials[0]
			g.refusals[c]++
			g.resting[c] = max(g.resting[c], int8(lockoutTicks(int(g.refusals[c]), o.unit())))
		}
	}
}

// lockoutTicks is T10 by its words: one minute, doubling to fifteen.
func lockoutTicks(n int, unit time.Duration) int {
	return int(min(time.Minute<<(n-1), 15*time.Minute) / unit)
}

// paused reports whether two answers to rejections have been all for now (T12).
func (o *observer) paused() bool {
	g := &o.s.seen
	return g.answers > 1 && o.recent()
}

func (o *observer) recent() bool {
	return o.s.seen.answers > 0 && time.Duration(o.s.seen.answered)*o.unit() < time.Minute
}

// begins judges an operation that is to begin.
func (o *observer) begins(op Op) {
	g, w := &o.s.seen, o.w
	if o.after.Closed && op.Kind != Store && op.Kind != Unlock {
		o.fault("T14: an operation begins after Close: " + op.Kind.String())
	}
	if (op.Kind == Store || op.Kind == Remove) && !o.after.Way.Leased {
		o.fault("C1: a write without the lease")
	}
	if op.Kind != Create && op.Kind != Refresh {
		return
	}
	g.overtaken = false
	switch {
	case g.busy > 0:
		o.fault("T7, T18: a call before the end of Retry-After")
	case g.hold > 0:
		o.fault("T9: a call before the next attempt is due")
	case g.rejected && o.after.Trust == Doubted && o.paused():
		o.fault("T12: a call in the pause, because of a rejection")
	case o.tick < pace && g.landed > 0 && time.Duration(g.landed)*o.unit() < pace-o.unit():
		o.fault("E5: more than about a call a second")
	}
	if op.Kind == Create {
		if g.resting[o.after.Credentials[0]] > 0 {
			o.fault("T10: credentials that rest are sent")
		}
		held := o.after.Held
		if n := number(held); n >= 0 && o.after.Trust != Over && !g.judged.has(n) && !(g.rejected && o.recent()) && !held.Ended &&
			!held.live(w.now) && w.now < held.Renewable && !(held.State != "" && held.Shared && o.after.Way.Alone) {
			o.fault("T17: a sign-in although the session can be renewed")
		}
		return
	}
	n := number(op.Session)
	if g.rejected && g.answers > 0 && o.recent() && o.after.Trust == Doubted {
		o.fault("T12: a second refresh within a minute, because of a rejection")
	}
	if o.after.Trust == Doubted || o.after.Trust == Suspect {
		if g.asked.has(n) {
			o.fault("T11: a second refresh for one doubt")
		}
		g.asked |= only(n)
	}
}

// shown judges what callers see.
func (o *observer) shown() {
	g, w := &o.s.seen, o.w
	visible, is := o.after.Visible()
	if !is || !visible.live(w.now) {
		return
	}
	if o.after.Closed {
		o.fault("T14: a session is visible after Close")
	}
	n := number(visible)
	if o.slides && o.before.Held.Issued < visible.Issued { // which a refresh has prolonged
		g.doubted, g.barred = g.doubted&^only(n), g.barred&^only(n)
	}
	if g.barred.has(n) {
		o.fault("T6: what was issued before a rejection or a log-out is visible, and no refresh has shown that it lives")
	}
	if g.doubted.has(n) {
		resting := g.resting[o.after.Credentials[0]] > 0
		if !o.paused() && g.busy == 0 && g.hold == 0 && g.kept == 0 && !resting {
			o.fault("T6, T11: what was rejected or revoked is visible again, and no refresh has shown that it lives")
		}
		g.doubted &^= only(n)
	}
	g.asked &^= only(n)
	g.rejected = false
	w.server.issued[n].handed = true
	g.handed |= only(n)
	if o.after.Leave {
		g.leaving |= only(n)
	}
}

// answers judges what callers and Revoke are told, and that nobody is forgotten.
func (o *observer) answers() {
	w, st := o.w, &o.after
	waits := o.before.Want || o.in.Kind == Want
	if waits && !st.Want && o.effects.Wake == nil {
		o.fault("a caller is forgotten")
	}
	if a := o.effects.Wake; a != nil {
		o.s.seen.waited = 0
		if s, is := st.Visible(); a.Err == nil && !(is && s.live(w.now)) {
			o.fault("a caller is woken, and there is no session")
		}
	}
	if o.before.Leave && !st.Leave && o.effects.Told == nil {
		o.fault("Revoke is forgotten")
	}
	if a := o.effects.Told; a != nil {
		if a.Err == nil {
			ended := o.s.seen.leaving | o.s.seen.handed
			o.s.seen.doubted, o.s.seen.barred = o.s.seen.doubted|ended, o.s.seen.barred|ended
			if entry := number(w.store.entry.session); o.s.seen.leaving.has(entry) && !w.store.broken && !o.before.Way.Alone {
				o.fault("T13: Revoke says nil, and the store has what it ended")
			}
			for left := o.s.seen.leaving & w.server.all(); left != 0; left &= left - 1 {
				if w.server.issued[left.first()].opens() {
					o.fault("T13: Revoke says nil, and a token that was handed out opens the API: " + tokens[left.first()])
				}
			}
		}
		o.s.seen.leaving = 0
	}
	op := o.s.op()
	switch {
	case (st.Want || st.Leave) && op.Kind == Idle:
		o.fault("somebody waits for nothing")
	case op.Kind != Idle:
		return
	case st.Way != nil:
		o.fault("there is a pursuit at rest")
	case int(w.store.holder) == o.i+1:
		o.fault("the lease is kept at rest")
	}
	o.alarm()
}

// alarm judges the timer of a source at rest.
func (o *observer) alarm() {
	st, now := &o.after, o.w.now
	a, held := st.Alarm(now), st.Held
	lives := !st.Closed && (st.Trust == Good || st.Trust == Doubted) && held.live(now)
	waits := o.s.seen.busy > 0 || o.s.seen.resting[st.Credentials[0]] > 0
	switch {
	case !lives && a != 0:
		o.fault("the timer is set, and no session lives")
	case lives && held.Expires != 0 && a == 0 && !waits && o.tick > pace:
		o.fault("the timer is not set, and a session lives")
	case a != 0 && a <= now && o.in.Kind == Tick:
		o.fault("the timer has rung, and rings again at once")
	case a != 0 && held.Expires != 0 && a >= held.Expires:
		o.fault("the timer is set for the time after the expiry")
	}
}

// judge looks at how long callers have waited.
func (x *explorer) judge(w *world) {
	// For a pursuit of its own, a Revoke that came, and a pursuit after that, each
	// with the attempt that a lease or a sign-in adds.
	patience := int8(4 * x.config.Timeout / x.unit())
	for i := range x.sources {
		if w.fault == "" && w.sources[i].seen.waited > patience {
			w.fault = "T5, T9: a caller waits longer than Timeout allows"
		}
	}
}
