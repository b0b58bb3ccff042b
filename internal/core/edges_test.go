package core

// What can happen next in a world: each edge is one input to one source, or one
// thing that happens outside.

// edge names one.
type edge struct {
	who   int8 // 1 and 2; 0: the world
	what  string
	token int8 // -1: none
}

func (e edge) String() string {
	who := [...]string{"", "A: ", "B: "}[e.who]
	if e.token >= 0 {
		return who + e.what + " " + tokens[e.token]
	}
	return who + e.what
}

// edges calls x.edge for all that can happen in x.at. In a calm world no trouble
// begins, and what is wrong ends.
func (x *explorer) edges() {
	x.worldEdges()
	for i := range x.sources {
		x.operationEdges(i)
	}
	for i := range x.sources {
		x.callerEdges(i)
	}
	x.timeEdge()
}

// may reports whether there is some of a trouble left.
func (x *explorer) may(t trouble) bool { return !x.calm && x.at.left[t] > 0 }

// trouble is an edge that there is a limited number of.
func (x *explorer) trouble(t trouble, who int, what string, s Session, do func(w *world)) {
	if x.may(t) {
		x.edge(who, what, s, func(w *world) {
			w.left[t]--
			do(w)
		})
	}
}

func (x *explorer) worldEdges() {
	w, none := &x.at, Session{}
	flip := func(t trouble, is bool, begins, ends string, where func(*world) *bool) {
		if is {
			x.edge(0, ends, none, func(w *world) { *where(w) = false })
		} else {
			x.trouble(t, 0, begins, none, func(w *world) { *where(w) = true })
		}
	}
	flip(aways, w.server.away, "the server is away", "the server is back", func(w *world) *bool { return &w.server.away })
	flip(wrongs, w.server.wrong, "the password is refused from now on", "the password is right again", func(w *world) *bool { return &w.server.wrong })
	flip(outages, w.store.away, "the store is away", "the store is back", func(w *world) *bool { return &w.store.away })
	flip(deafs, w.store.deaf, "the store takes no writes", "the store takes writes again", func(w *world) *bool { return &w.store.deaf })
	if !w.server.right {
		x.trouble(rights, 0, "the provider has another password", none, func(w *world) { w.server.right = true })
	}
	living := func(ok func(issued) bool) bool {
		for _, t := range w.server.issued[:w.server.count] {
			if !t.dead && ok(t) {
				return true
			}
		}
		return false
	}
	if living(func(issued) bool { return true }) {
		x.trouble(logOuts, 0, "somebody logs the user out elsewhere", none, func(w *world) { w.server.logOut() })
	}
	if living(func(t issued) bool { return !t.ended }) {
		x.trouble(ends, 0, "the server renews no session of now any more", none, func(w *world) {
			for i := range w.server.issued {
				w.server.issued[i].ended = true
			}
		})
	}
	if w.store.old != (entry{}) && w.store.old != w.store.entry {
		x.trouble(putBacks, 0, "the store has its old entry again", w.store.old.session, func(w *world) {
			old := w.store.old
			w.store.old, w.store.broken = w.store.entry, true
			w.write(old)
		})
	}
	if w.store.holder != 0 {
		x.trouble(thefts, 0, "the lease is lost", none, func(w *world) { w.store.holder, w.store.broken = 0, true })
	}
}

func (x *explorer) callerEdges(i int) {
	s := &x.at.sources[i]
	st := &s.state
	visible, is := st.Visible()
	usable := is && visible.live(x.at.now)
	none := Session{}
	if a := st.Alarm(x.at.now); a != 0 && a <= x.at.now {
		x.edge(i+1, "the timer rings", none, func(w *world) { x.step(w, i, Input{Kind: Tick}) })
	}
	if !usable && !st.Want && !st.Closed && !x.calm {
		x.edge(i+1, "a caller wants a session", none, func(w *world) { x.step(w, i, Input{Kind: Want}) })
	}
	if usable && s.request.Token == "" {
		x.trouble(requests, i+1, "a request is sent with", visible, func(w *world) { w.sources[i].request = visible })
	}
	says401 := func(r Session, what string) {
		do := func(w *world) {
			if r == w.sources[i].request {
				w.sources[i].request = none
			}
			x.step(w, i, Input{Kind: Rejected, Session: r})
		}
		if x.at.server.issued[number(r)].opens() {
			x.trouble(spurious, i+1, "for no reason, "+what, r, do)
		} else if !x.calm {
			x.edge(i+1, what, r, do)
		}
	}
	if usable && visible != s.request {
		says401(visible, "a 401 to a request with")
	}
	if s.request.Token != "" {
		says401(s.request, "a 401 to the request sent before with")
	}
	if !st.Leave && !st.Closed {
		x.trouble(revokes, i+1, "Revoke is called", none, func(w *world) { x.step(w, i, Input{Kind: Revoke}) })
	}
	if !st.Closed {
		x.trouble(closes, i+1, "Close is called", none, func(w *world) { x.step(w, i, Input{Kind: Close}) })
	}
}

// timeEdge lets time pass, once all that is due now has been done.
func (x *explorer) timeEdge() {
	if !x.calm && x.at.left[ticks] == 0 {
		return
	}
	for i := range x.sources {
		s := &x.at.sources[i]
		if a := s.state.Alarm(x.at.now); a != 0 && a <= x.at.now {
			return
		}
		op := s.op()
		if op.Kind != Idle && (s.call.cancelled || op.Until <= x.at.now) {
			return
		}
		if op.Kind != Idle && op.Kind != Sleep && op.Until <= x.at.now.Add(x.tick) {
			return // its time is over before that
		}
	}
	x.edge(0, "time passes", Session{}, func(w *world) {
		if !x.calm {
			w.left[ticks]--
		}
		x.pass(w)
	})
}

// operationEdges is what can become of the operation under way.
func (x *explorer) operationEdges(i int) {
	w := &x.at
	s := &w.sources[i]
	op, c := s.op(), &s.call
	ends := func(what string, in func(w *world) Input) {
		x.edge(i+1, what, op.Session, func(w *world) { x.done(w, i, in(w)) })
	}
	fails := func(t trouble, what string, in Input) {
		x.trouble(t, i+1, what, op.Session, func(w *world) { x.done(w, i, in) })
	}
	always := func(in Input) func(*world) Input { return func(*world) Input { return in } }
	away := Input{Outcome: Away, Err: errAway}
	if c.cancelled && op.Kind != Idle && op.Kind != Store && op.Kind != Remove && op.Kind != Unlock {
		ends("cancelled: "+op.Kind.String(), always(Input{Outcome: Cancelled, Err: errAway}))
	}
	switch op.Kind {
	case Ask:
		ends("the provider answers", func(w *world) Input {
			var f Fingerprint
			if w.server.right {
				f[0] = 1
			}
			return Input{Credentials: f}
		})
		fails(asks, "the provider fails by itself", Input{Outcome: Local, Err: errLocal})
		fails(asks, "the provider cannot be reached", away)
	case Load:
		ends("load", func(w *world) Input { return x.load(w, i) })
	case Lock:
		switch {
		case w.store.away:
			ends("no lease: the store is away", always(away))
		case w.store.holder == 0:
			ends("the lease, and load", func(w *world) Input {
				w.store.holder = int8(i + 1)
				return x.load(w, i)
			})
		case op.Until <= w.now.Add(x.tick):
			ends("no lease in time", always(away))
		}
		if s.news && !w.store.away && w.store.holder != 0 && w.store.entry != (entry{}) {
			ends("no lease yet, but news", func(w *world) Input {
				in := x.load(w, i)
				in.Outcome = Changed
				return in
			})
		}
	case Store:
		ends("store", func(w *world) Input {
			if x.put(w, i) {
				return Input{}
			}
			return away
		})
		x.trouble(unsure, i+1, "stored, which is not known:", op.Session, func(w *world) {
			x.put(w, i)
			x.done(w, i, away)
		})
	case Remove:
		ends("the entry is removed", func(w *world) Input {
			if w.store.away || w.store.deaf || int(w.store.holder) != i+1 {
				w.store.broken = true
				return away
			}
			w.keep(entry{})
			return Input{}
		})
	case Unlock:
		ends("the lease is given back", func(w *world) Input {
			if int(w.store.holder) == i+1 {
				w.store.holder = 0
			}
			return Input{}
		})
	case Sleep:
		if op.Until <= w.now {
			ends("the sleep is over", always(Input{}))
		}
	case Create, Refresh, Delete:
		x.callEdges(i)
	}
}

// callEdges is what can become of a session call.
func (x *explorer) callEdges(i int) {
	w := &x.at
	s := &w.sources[i]
	op, c := s.op(), &s.call
	name := op.Kind.String()
	lost := Input{Outcome: Away, Err: errAway}
	if op.Kind == Refresh && op.Session.State != "" {
		lost.Outcome = Lost
	}
	fails := func(t trouble, what string, in Input) {
		x.trouble(t, i+1, name+what, op.Session, func(w *world) { x.done(w, i, in) })
	}
	if c.handled {
		x.edge(i+1, name+" is answered: "+c.outcome.String(), c.session, func(w *world) {
			x.done(w, i, Input{Outcome: c.outcome, Session: c.session, Err: errorOf(c.outcome)})
		})
		fails(losses, ": its answer is lost", lost)
		return
	}
	if w.server.away {
		x.edge(i+1, name+" does not get through", op.Session, func(w *world) { x.done(w, i, Input{Outcome: Away, Err: errAway}) })
		return
	}
	x.full = x.full || w.server.count == most
	if op.Kind == Delete || w.server.count < most {
		handles := func(w *world) {
			x.handle(w, i)
			if op.Kind == Refresh {
				x.written(w, number(op.Session))
			}
		}
		x.edge(i+1, name+" reaches the server:", op.Session, handles)
		if op.Kind == Refresh {
			x.trouble(stills, i+1, "refresh leads to the same expiry:", op.Session, func(w *world) {
				handles(w)
				if s := &w.sources[i].call.session; s.Token != "" {
					s.Expires = op.Session.Expires
					w.server.issued[number(*s)].expires = w.server.issued[number(op.Session)].expires
				}
			})
		}
		if op.Kind != Delete {
			x.trouble(deads, i+1, name+" brings what has expired on arrival:", op.Session, func(w *world) {
				handles(w)
				if s := &w.sources[i].call.session; s.Token != "" {
					s.Expires, s.Renewable = w.now-1, 0
					t := &w.server.issued[number(*s)]
					t.expires, t.renewable = 0, 0
				}
			})
		}
	}
	x.trouble(losses, i+1, name+": nobody knows what became of it", op.Session, func(w *world) {
		if op.Kind == Refresh {
			x.written(w, number(op.Session))
		}
		x.done(w, i, lost)
	})
	fails(unusables, " is answered with something that judges nothing", Input{Outcome: Unusable, Err: errAway})
	fails(busies, " is answered: Retry-After", Input{Outcome: Away, Err: errBusy, RetryAfter: busyFor * x.unit()})
}

// written notes that a State has come to the server (O3).
func (x *explorer) written(w *world, n int) {
	t := &w.server.issued[n]
	if x.rotates && t.used && !t.dead && !w.store.broken {
		w.fault = "O3: a State that was used is sent again"
	}
	t.used = true
}

// done ends the operation under way.
func (x *explorer) done(w *world, i int, in Input) {
	if in.Kind = Done; in.Outcome != OK && w.sources[i].call.cancelled {
		in.Outcome = Cancelled
	}
	x.step(w, i, in)
}

func errorOf(o Outcome) error {
	if o == OK {
		return nil
	}
	return errRefused
}

func (k Kind) String() string {
	return [...]string{"", "ask", "load", "lock", "sign-in", "refresh", "log-out", "store", "remove", "unlock", "sleep"}[k]
}

func (o Outcome) String() string {
	return [...]string{"OK", "refused", "gone", "lost", "away", "unusable", "local", "cancelled", "changed"}[o]
}
