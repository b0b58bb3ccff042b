// Package core is the life of a session as a pure function: [Step] takes a state,
// what has happened, and the time, and returns the next state and what is to be
// done. It reads no clock, draws no number, waits for nothing and calls nobody.
//
// # What is so at a moment
//
// There is one session, Held, and what is thought of it, Trust. What callers see
// ([State.Visible]) and when the timer rings ([State.Alarm]) follow from the state
// and are kept nowhere. At most one operation is under way; what it brings is
// judged by the state as it is when it comes back, in [step.judge]. Then, if no
// operation is under way, the first line that applies says what is next
// ([step.next]; times are comparisons with now):
//
//	when                                                  then
//	----                                                  ----
//	closed                                                give the lease back; rest
//	leaving, credentials needed to find the entry         ask
//	leaving, the cache not read yet                       load, lock (and load again)
//	leaving, nothing is held or found that lives          remove the entry; told: done
//	leaving                                               delete the newest of both
//	a caller's wait is over: the session is visible       (the caller is woken)
//	no caller, and not due                                give the lease back; rest
//	doubted, and rejections have been answered (T12)      a look; good again
//	before the end of an outage, the session lives        a look; good again, due then
//	before the end of an outage, not told, and in time    sleep
//	before the end of an outage                           a look; tell the error
//	to sign in, and the provider not asked                ask
//	to sign in, and these credentials rest (T10)          a look; tell the error
//	a cache                                               load, lock (and load again)
//	to be refreshed                                       refresh
//	else                                                  create
//
// A look is a load, at most once a second. To be refreshed is what lives, or can
// be renewed although it has expired (T17), unless its chain has ended, or its
// refresh has been rejected as well within the minute.
//
// # What an operation brings
//
//	came back            while                  then
//	---------            -----                  ----
//	a session            leaving                it is the newest, and deleted too
//	a session            rejected meanwhile     held and doubted: asked about again
//	a session            leased                 stored first, also when closing
//	a session            else                   held and good; due is drawn; outage and refusals end
//	no (it judges)       refresh, held good     the chain has ended: sign in, callers keep the token
//	no                   refresh, held doubted  it is over: sign in
//	no                   create                 the credentials rest
//	nothing that judges  the session lives      good; due on the retry schedule
//	nothing that judges  it is suspect          an outage, as if there were none
//	nothing that judges  it does not            an outage: sleep, or tell the error
//	lost                 refresh with a State   as nothing that judges, and the chain has ended
//	newer, from a cache  -                      held; suspect if issued before NotBefore
//	another, or none     leased, held Shared    its State may have been used: its chain has ended
//	done, or gone        delete                 nothing is held; NotBefore is now
//	nothing that judges  delete                 again in time, or told; all else as it was
//
// What a caller, a tick, a rejection, Revoke and Close do by themselves is in
// [Step].
package core

import (
	"errors"
	"math"
	"time"
)

// Moment is a time in nanoseconds since 1970 by the wall clock, which goes on
// while a machine sleeps (E4). Zero is none.
type Moment int64

// latest is the last moment that fits.
var latest = time.Unix(0, math.MaxInt64)

// At returns the moment of a time. One that is too far away to be counted in
// nanoseconds is as good as none.
func At(t time.Time) Moment {
	if t.IsZero() || !t.Before(latest) {
		return 0
	}
	return Moment(t.UnixNano())
}

// Time returns the moment as a time, and none as the zero time.
func (m Moment) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m)).UTC()
}

// Add returns the moment d later.
func (m Moment) Add(d time.Duration) Moment { return m + Moment(d) }

// Sub returns how long it is from n to m.
func (m Moment) Sub(n Moment) time.Duration { return time.Duration(m - n) }

// Session is what a server issued, and until when it is of use.
type Session struct {
	Token, State string
	ID           string // what it shares with others that end along with it; "": nothing
	Issued       Moment // when its life began for us, at the latest
	Expires      Moment // zero: unknown
	Renewable    Moment // a refresh may work until then, although it has expired; zero: it may not
	Ended        bool   // a refresh leads nowhere
	Shared       bool   // others may have it, too: its State is used under the lease only (O3)
}

func (s Session) live(now Moment) bool {
	return s.Token != "" && (s.Expires == 0 || now < s.Expires)
}

// alive reports whether there is something of it that a server would know.
func (s Session) alive(now Moment) bool {
	return s.live(now) || s.Token != "" && now < s.Renewable
}

func (s Session) life() time.Duration { return s.Expires.Sub(s.Issued) }

// Trust is what is thought of the session that is held.
type Trust uint8

const (
	None    Trust = iota // there is none
	Good                 // to be used
	Doubted              // rejected, or near its end: ask the server first; kept if it cannot be asked (T11)
	Suspect              // from a cache, and of the time before a rejection: nothing until a refresh has shown that it lives (T6)
	Over                 // the server has judged: kept to be recognised if a cache brings it back
)

// Fingerprint tells credentials apart.
type Fingerprint [32]byte

// Config is what does not change in a source's life.
type Config struct {
	Timeout time.Duration
	Retries []time.Duration // how long to wait after the first failure in a row, the second …; the last is repeated
	Cache   bool            // there is one
	Asks    bool            // a provider is asked for the credentials before each sign-in
}

// attempt is how long one call may take (T5).
func (c *Config) attempt() time.Duration { return c.Timeout * 2 / 3 }

// State is all that a source knows. At rest, without trouble, its pointers and
// slices are nil. It is copied, and never changed through a copy.
type State struct {
	Held      Session
	Trust     Trust
	NotBefore Moment // what was issued earlier was rejected or revoked, or may have been (T6)
	Due       Moment // when to refresh; it counts while the session lives

	// T12: how far the answer to a rejection has got, and since when.
	Rung      Rung
	RungSince Moment

	// E5: sessions in a row that hardly lived, and when the next call may be made.
	Short uint8
	Pace  Moment

	Known       bool        // what names the cache's entry is known
	Credentials Fingerprint // as the provider last gave them
	Looked      Moment      // when the cache was last read
	Honoured    []string    // the notices from the cache that have been heeded (C10)

	Outage   *Outage   // of anything but the credentials
	Refusals []Refusal // of credentials, the newest first
	Failures int       // attempts that failed since the last success
	Problem  error     // of the last of them

	Want   bool     // a caller waits for a session
	Leave  bool     // Revoke waits
	Closed bool     // for ever
	Way    *Pursuit // what is being done about it; nil: nothing
}

// Rung is how far the answer to a rejection has got.
type Rung uint8

const (
	Unanswered Rung = iota
	Once            // by a refresh or, where the server refused that, by signing in
	Twice           // and after another rejection by signing in: that was all
)

// Outage is a failure that says nothing of the credentials: no call is made
// before Until.
type Outage struct {
	Since, Until Moment
	Err          error
	Count        int  // attempts in a row
	Told         bool // a caller has been told: nobody waits for its end any more (T9)
}

// Refusal is the server's word on credentials: they rest until then (T10).
type Refusal struct {
	Of           Fingerprint
	Since, Until Moment
	Err          error
	Count        int // in a row
}

// Pursuit is what has been done so far for a caller, for the plan, or for Revoke.
type Pursuit struct {
	Op        Op     // the operation under way
	Until     Moment // when its time is over
	Planned   bool   // it goes on until a session is brought, whoever waits
	Asked     bool   // the provider has been
	Looked    bool   // into the cache
	Leased    bool   // the entry's lease is held
	Alone     bool   // the cache is done without
	Found     Session
	Overtaken bool   // a rejection came while a call was under way
	Deleted   bool   // at the server: the entry is to follow
	After     Moment // after a failure of Revoke: when to try again
	Err       error  // that failure
}

// Kind is what an operation does.
type Kind uint8

const (
	Idle    Kind = iota
	Ask          // the provider for the credentials
	Load         // the cache's entry
	Lock         // take its lease, and load it again
	Create       // sign in
	Refresh      // Op.Session
	Delete       // Op.Session at the server
	Store        // Op.Session, and Op.Notice, in the cache
	Remove       // the cache's entry
	Unlock       // give the lease back
	Sleep        // until Op.Until
)

// Op is an operation. It ends with an [Input] of kind [Done].
type Op struct {
	Kind    Kind
	Began   Moment
	Until   Moment // when its time is over
	Session Session
	How     EventKind // Store: how the session came
	Notice  *Notice
}

// Notice is what a source tells others through the cache: that credentials were
// refused, or that the server asked to be left alone (T10, T18).
type Notice struct {
	ID      string // set where it is stored
	Err     error
	Refused bool // the credentials
	Count   int
	Wait    time.Duration // as it was said
	Left    time.Duration // of it
}

// Event is something to report.
type Event struct {
	Kind    EventKind
	Session Session
	Err     error
	Began   Moment // of an attempt
	Attempt int
	RetryIn time.Duration
}

// EventKind is what happened.
type EventKind uint8

const (
	EventSignedIn EventKind = iota + 1
	EventSignInFailed
	EventRefreshed
	EventRefreshFailed
	EventRejected
	EventRevoked
	EventRevokeFailed
	EventAdopted
	EventCacheFailed
)

// Effects are what is to be done, besides showing [State.Visible] to callers and
// setting the timer to [State.Alarm].
type Effects struct {
	Begin  Op // unless it is [Idle]
	Cancel bool
	Grace  time.Duration // before that
	Wake   *Answer       // to those who wait for a session
	Told   *Answer       // to those who wait in Revoke
	Events []Event
}

// Answer is what a caller gets: an error, or with none the session that is
// visible. One that is remembered was said at Since, and holds until Until.
type Answer struct {
	Err          error
	Since, Until Moment
}

var (
	// ErrClosed is what a closed source answers.
	ErrClosed = errors.New("jwtsession: the token source is closed")

	// ErrExpired is the end of a session that was of no use from the start (E5).
	ErrExpired = errors.New("the session that the server issued has expired already: compare the clocks of both machines")

	// ErrTimeout is the end of an operation whose time is over.
	ErrTimeout = errors.New("jwtsession: there was no answer within the time-out")

	// ErrShort is what a caller is told while sessions that hardly live are made
	// more slowly (E5).
	ErrShort = errors.New("the server's sessions live for less than a second, and it is not asked for one more just now")
)

// Visible returns the session that callers may use. Whether it has expired by
// now they see for themselves.
func (s *State) Visible() (Session, bool) {
	return s.Held, s.Trust == Good && !s.Closed
}

// Alarm is when the timer is to ring: zero for never. It is set if and only if a
// live session is at rest.
func (s *State) Alarm(now Moment) Moment {
	if s.Way != nil {
		return 0
	}
	return s.Plan(now)
}

// Plan is when a refresh is due: zero if none is before the session expires.
func (s *State) Plan(now Moment) Moment {
	if s.Closed || !s.held(now) || s.Held.Expires != 0 && s.Due >= s.Held.Expires {
		return 0
	}
	return s.Due
}

// held reports whether there is a live session, good or doubted.
func (s *State) held(now Moment) bool {
	return (s.Trust == Good || s.Trust == Doubted) && s.Held.live(now)
}

// SetBack moves all moments, after the clock was set back by d: what is waited for
// takes as long as it was to (T4), what lives as long as it was to, and what is
// issued from now on is newer than what there was.
func (s State) SetBack(d time.Duration) State {
	s.Held.setBack(d)
	for _, m := range []*Moment{&s.NotBefore, &s.Due, &s.RungSince, &s.Pace, &s.Looked} {
		m.setBack(d)
	}
	if s.Outage != nil {
		o := *s.Outage
		o.Since.setBack(d)
		o.Until.setBack(d)
		s.Outage = &o
	}
	refusals := s.Refusals
	s.Refusals = nil
	for _, r := range refusals {
		r.Since.setBack(d)
		r.Until.setBack(d)
		s.Refusals = append(s.Refusals, r)
	}
	if s.Way != nil {
		p := *s.Way
		p.Until.setBack(d)
		p.After.setBack(d)
		p.Found.setBack(d)
		p.Op.Session.setBack(d)
		s.Way = &p
	}
	return s
}

func (s *Session) setBack(d time.Duration) {
	s.Issued.setBack(d)
	s.Expires.setBack(d)
	s.Renewable.setBack(d)
}

func (m *Moment) setBack(d time.Duration) {
	if *m != 0 {
		*m -= Moment(d)
	}
}
