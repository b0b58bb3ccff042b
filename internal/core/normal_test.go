package core

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// Worlds that differ in nothing that counts are made the same: time starts anew in
// each, what is long ago is all one, sessions that nobody knows any more are
// forgotten and the others numbered anew.
//
// Within a tick the clock goes on by a microsecond with each edge, so that what
// was issued before what is known (T6) and yet there are few worlds: of those
// moments only the order is kept.

// base is when the tick that a world is in began.
const base Moment = 1 << 60

// slack is by how much a moment that is waited for is before the tick that it
// comes with. A plan is a little earlier than the expiry that is as near.
const slack = 500 * time.Microsecond

func (x *explorer) normalise(w *world) {
	w.own()
	x.forget(w)
	x.order(w)
	for i := range x.sources {
		x.plain(&w.sources[i], w)
	}
	e, old := w.store.entry.notice, w.store.old.notice
	names := [most + 1]uint8{}
	names[old] = 2
	names[e] = 1
	names[0] = 0
	w.store.entry.notice, w.store.old.notice, w.store.names = names[e], names[old], 2
	for i := range x.sources {
		s := &w.sources[i].state
		var honoured []string
		for _, id := range s.notices() {
			if n := names[id[1]-'0']; n != 0 {
				honoured = append(honoured, tokens[n])
			}
		}
		slices.Sort(honoured)
		// Of the tokens NotBefore says the same where no clock is set forward.
		if s.Past = nil; honoured != nil {
			s.Past = &Past{Notices: honoured}
		}
	}
	for _, e := range []*entry{&w.store.entry, &w.store.old} {
		if e.session.Token != "" && !e.session.alive(w.now) {
			e.session = Session{}
		}
	}
}

func (s *State) notices() []string {
	if s.Past == nil {
		return nil
	}
	return s.Past.Notices
}

// own gives each source what its state points to, so that no two worlds share it.
func (w *world) own() {
	for i := range w.sources {
		w.sources[i].own()
	}
}

func (s *source) own() {
	if s.state.Way != nil {
		s.way = *s.state.Way
		s.state.Way = &s.way
	} else {
		s.way = Pursuit{}
	}
	if s.state.Outage != nil {
		s.outage = *s.state.Outage
		s.state.Outage = &s.outage
	} else {
		s.outage = Outage{}
	}
	if s.state.Refusals != nil {
		s.state.Refusals = slices.Clone(s.state.Refusals)
	}
}

// sessions are all that somebody knows.
func (w *world) sessions() []*Session {
	all := make([]*Session, 0, 12)
	for i := range w.sources {
		s := &w.sources[i]
		all = append(all, &s.state.Held, &s.way.Found, &s.way.Op.Session, &s.call.session, &s.request)
	}
	return append(all, &w.store.entry.session, &w.store.old.session)
}

// forget numbers the sessions anew that somebody knows or could use.
func (x *explorer) forget(w *world) {
	var known set
	for _, s := range w.sessions() {
		if n := number(*s); n >= 0 {
			known |= only(n)
		}
	}
	for n, t := range w.server.issued[:w.server.count] {
		if t.handed && t.opens() {
			known |= only(n)
		}
	}
	var to [most]int
	var all [most]issued
	count := int8(0)
	var epochs, families set
	epochs = only(int(w.server.epoch))
	for n := range int(w.server.count) {
		if known.has(n) {
			t := w.server.issued[n]
			to[n], all[count] = int(count), t
			count++
			epochs |= only(int(t.epoch))
			families |= only(int(t.family))
		}
	}
	move := func(s set) set {
		var moved set
		for s &= known; s != 0; s &= s - 1 {
			moved |= only(to[s.first()])
		}
		return moved
	}
	rank := func(s set, n uint8) uint8 { return uint8(countOf(s & (1<<n - 1))) }
	for n := range all[:count] {
		t := &all[n]
		t.before, t.epoch, t.family = move(t.before), rank(epochs, t.epoch), rank(families, t.family)
	}
	w.server.issued, w.server.count = all, count
	w.server.epoch = rank(epochs, w.server.epoch)
	for _, s := range w.sessions() {
		n := number(*s)
		if n < 0 {
			continue
		}
		n = to[n]
		s.Token = tokens[n]
		if s.State != "" {
			s.State = kept[n]
		}
		if s.ID != (Fingerprint{}) {
			s.ID = common[all[n].epoch]
		}
	}
	for i := range x.sources {
		s := &w.sources[i]
		s.call.before = move(s.call.before)
		for _, m := range []*set{&s.seen.doubted, &s.seen.barred, &s.seen.asked, &s.seen.judged, &s.seen.handed, &s.seen.leaving} {
			*m = move(*m)
		}
	}
}

func countOf(s set) (n int) {
	for ; s != 0; s &= s - 1 {
		n++
	}
	return n
}

// order keeps of the moments of issue which tick they are of, and their order.
func (x *explorer) order(w *world) {
	all := make([]*Moment, 0, 20)
	add := func(m *Moment) {
		if *m != 0 {
			all = append(all, m)
		}
	}
	for _, s := range w.sessions() {
		if s.Token != "" {
			add(&s.Issued)
		}
	}
	for i := range x.sources {
		s := &w.sources[i]
		add(&s.state.NotBefore)
		if k := s.way.Op.Kind; k == Create || k == Refresh {
			add(&s.way.Op.Began)
		}
	}
	slices.SortFunc(all, func(a, b *Moment) int { return cmp.Compare(*a, *b) })
	start := x.start(w.now)
	var last, put Moment
	age, rank := int64(-1), 0
	for _, m := range all {
		is := *m
		if is != last {
			a := x.age(start, is)
			switch {
			case a != age:
				age, rank = a, 0
			case is != last+1:
				rank++
			}
			if p := base - Moment(a)*Moment(x.tick) + Moment(rank)*1000; is == last+1 && p <= put {
				put++
			} else {
				put = p
			}
			last = is
		}
		*m = put
	}
	if age != 0 {
		rank = 0
	}
	x.shift = w.now
	w.now = base + Moment(rank+1)*1000
}

// start is when the tick began that a moment is in: ticks begin at multiples.
func (x *explorer) start(now Moment) Moment { return base + (now-base)/Moment(x.tick)*Moment(x.tick) }

// age is how many ticks before the present one something was.
func (x *explorer) age(start, m Moment) int64 {
	if m >= start {
		return 0
	}
	return min((int64(start-m)+int64(x.tick)-1)/int64(x.tick), longAgo)
}

// until is a moment that is waited for, as the tick that it comes with.
func (x *explorer) until(m *Moment, early time.Duration) {
	switch {
	case *m == 0:
	case *m <= x.shift:
		*m = base - 1
	default:
		n := min((int64(*m-x.shift)+int64(x.tick)-1)/int64(x.tick), 99)
		*m = base + Moment(n)*Moment(x.tick) - Moment(slack) - Moment(early)
	}
}

// since is a moment that was, as so many ticks ago.
func (x *explorer) since(m *Moment, most int64) {
	if *m != 0 {
		*m = base - Moment(min(x.age(x.start(x.shift), *m), most))*Moment(x.tick)
	}
}

// plain leaves of a source what counts. x.shift is what now was.
func (x *explorer) plain(s *source, w *world) {
	st := &s.state
	for _, held := range []*Session{&st.Held, &s.way.Found, &s.way.Op.Session, &s.call.session, &s.request} {
		x.until(&held.Expires, 0)
		x.until(&held.Renewable, 0)
	}
	if s == &w.sources[0] {
		for _, e := range []*entry{&w.store.entry, &w.store.old} {
			x.until(&e.session.Expires, 0)
			x.until(&e.session.Renewable, 0)
		}
	}
	x.until(&st.Due, slack/2)
	x.since(&st.RungSince, int64(ladderTime/x.unit()))
	if x.until(&st.Pace, 0); st.Pace < base {
		st.Pace = 0
	}
	if x.since(&st.Looked, 8); w.now >= st.Looked.Add(lookEvery) {
		st.Looked = 0
	}
	st.Failures, st.Problem = min(st.Failures, 1), nil
	if o := st.Outage; o != nil {
		x.until(&o.Until, slack/2) // what is kept is due then
		o.Since, o.Count = base-1, 1
	}
	for i := range st.Refusals {
		r := &st.Refusals[i]
		x.until(&r.Until, 0)
		r.Since, r.Count = base-1, min(r.Count, 3)
	}
	if st.Way != nil {
		way := &s.way
		x.until(&way.Until, 0)
		x.until(&way.After, 0)
		x.until(&way.Op.Until, 0)
		if k := way.Op.Kind; k != Create && k != Refresh {
			way.Op.Began = 0
		}
		if n := way.Op.Notice; n != nil && n.Count > 3 {
			counted := *n
			counted.Count = 3
			way.Op.Notice = &counted
		}
	}
	if x.tick > pace {
		s.seen.landed = 0
	}
	if s.seen.answered >= longAgo || time.Duration(s.seen.answered)*x.unit() >= ladderTime {
		s.seen.answers, s.seen.answered = 0, 0
	}
}

var seed = maphash.MakeSeed()

// key tells worlds apart. Which of two sources is the first does not count.
func (x *explorer) key(w *world) uint64 {
	var of [few]uint64
	for i := range x.sources {
		of[i] = x.sourceKey(&w.sources[i], int(w.store.holder) == i+1)
	}
	if of[0] > of[1] {
		of[0], of[1] = of[1], of[0]
	}
	b := x.buffer[:0]
	b = binary.LittleEndian.AppendUint64(b, of[0])
	b = binary.LittleEndian.AppendUint64(b, of[1])
	b = append(b, byte(w.server.count), w.server.epoch, bits8(w.server.away, w.server.wrong, w.server.right, w.store.away, w.store.deaf, w.store.broken, w.store.holder != 0))
	for _, t := range w.server.issued[:w.server.count] {
		b = append(b, byte(t.before), bits8(t.dead, t.ended, t.used, t.spent, t.handed, t.stored), t.epoch, t.family, byte(t.expires), byte(t.renewable))
	}
	for _, e := range []*entry{&w.store.entry, &w.store.old} {
		b = appendSession(b, e.session)
		b = append(b, e.notice, bits8(e.refused), e.count, byte(e.left))
	}
	b = append(b, w.left[:]...)
	x.buffer = b
	return maphash.Bytes(seed, b)
}

func bits8(all ...bool) (b byte) {
	for i, is := range all {
		if is {
			b |= 1 << i
		}
	}
	return b
}

func appendMoments(b []byte, all ...Moment) []byte {
	for _, m := range all {
		if m != 0 {
			m -= base - 1<<50
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(m))
	}
	return b
}

func appendSession(b []byte, s Session) []byte {
	if s.Token == "" {
		return append(b, 0xff)
	}
	b = append(b, s.Token[1], bits8(s.Ended, s.Shared, s.Unstored))
	return appendMoments(b, s.Issued, s.Expires, s.Renewable)
}

func (x *explorer) sourceKey(s *source, leased bool) uint64 {
	st, b := &s.state, x.buffer[:0]
	b = appendSession(b, st.Held)
	b = append(b, byte(st.Trust), byte(st.Rung), st.Short, st.Credentials[0], bits8(st.Known, st.Want, st.Leave, st.Closed, st.Outage != nil, st.Way != nil, leased), byte(st.Failures))
	b = appendMoments(b, st.NotBefore, st.Due, st.RungSince, st.Pace, st.Looked)
	b = append(b, strings.Join(st.notices(), "")...)
	if o := st.Outage; o != nil {
		b = append(appendMoments(b, o.Until), bits8(o.Told))
	}
	for _, r := range st.Refusals {
		b = append(appendMoments(b, r.Until), byte(r.Count), r.Of[0])
	}
	if w := st.Way; w != nil {
		b = append(b, byte(w.Op.Kind), byte(w.Op.How), bits8(w.Planned, w.Asked, w.Looked, w.Leased, w.Alone, w.Overtaken, w.Deleted, w.Err != nil), bits8(w.Waited))
		b = appendMoments(b, w.Until, w.After, w.Op.Until, w.Op.Began)
		b = appendSession(appendSession(b, w.Found), w.Op.Session)
		if n := w.Op.Notice; n != nil {
			b = append(b, bits8(true, n.Refused, n.Err != nil), byte(n.Count), byte(n.Wait/x.unit()))
		}
	}
	c, g := &s.call, &s.seen
	b = appendSession(append(b, byte(c.before), bits8(c.handled, c.cancelled, s.news), byte(c.outcome)), c.session)
	b = appendSession(b, s.request)
	b = append(b, byte(g.doubted), byte(g.barred), byte(g.asked), byte(g.judged), byte(g.handed), byte(g.leaving), bits8(g.rejected, g.overtaken), g.answers, byte(g.answered),
		byte(g.landed), byte(g.hold), byte(g.kept), byte(g.busy), byte(g.resting[0]), byte(g.resting[1]), g.refusals[0], g.refusals[1], byte(g.waited))
	x.buffer = b
	return maphash.Bytes(seed, b)
}
