// Package core is the life of a session as a pure function: [Step] takes a state,
// what has happened, and the time, and returns the next state and what is to be
// done. It reads no clock, draws no number, waits for nothing and calls nobody.
//
// # What is so at a moment
//
// There is one session, Held, and what is thought of it, Trust. It lives until it
// expires, whatever is thought of it. While it is good and lives callers have it,
// operation under way or not ([State.Visible]); while it is not they wait. The
// timer is set for a session that lives and is at rest ([State.Alarm]).
//
// At most one operation is under way. The tables are read from the top: the first
// line that applies is taken. Times are comparisons with now.
//
// # What happens from outside ([Step])
//
//	what                                      then
//	----                                      ----
//	a caller wants a session                  it waits, unless it has one; it has all of Timeout
//	a 401 to the good session, or to an
//	older one that shares its ID              doubted; NotBefore is its issue, inclusive; what a call
//	                                          under way brings is doubted as well
//	any other 401, and any while doubted      nothing: it is no news
//	Revoke                                    leaving; a call under way goes on, waiting and asking end
//	Close                                     closed; all who wait are told; a refresh under a lease
//	                                          has a second left, all else is cancelled
//	a tick                                    nothing: time has passed
//
// # What is next, while no operation is under way ([step.next])
//
//	when                                                  then
//	----                                                  ----
//	closed                                                give the lease back; rest
//	leaving (see [step.leave])                            ask, load, lock and load, delete the newest session
//	                                                      that there is, remove the entry; tell Revoke
//	nobody waits, nothing is due or planned               give the lease back; rest
//	doubted and lives, and two rejections have been
//	answered within the last minute (T12)                 look; good again
//	an outage, no caller told, its end early enough
//	for the waiting caller                                sleep until then
//	an outage, the session lives                          look; good again, due at its end
//	an outage                                             look; tell the callers its error
//	sessions hardly live (E5), too early for another      sleep, or tell the callers
//	to sign in, and the provider not asked                ask
//	to sign in, and these credentials rest (T10)          look; tell the callers, or due when they have rested
//	a cache that works, and not read                      load
//	a cache that works, and its lease not held            lock, and load again
//	to be refreshed                                       refresh
//	else                                                  create
//
// To look is to load without the lease, if the last time was a second ago, for all
// callers together; what is found counts as below. To be refreshed is a session
// that lives, or has expired and can be renewed (T17); but not if its chain has
// ended, nor if it was rejected within a minute of an answer to a rejection, nor
// with a State that others may have, without the lease (O3). All else is to sign
// in. An outage ends when Retry-After or the schedule of retries says.
//
// # What an operation has brought ([step.judge]), judged by the state as it is now
//
//	what                    of                          then
//	----                    --                          ----
//	credentials             ask                         others than before: another entry, read it first
//	a session               a cache, newer              held; suspect if issued before NotBefore, or past, or the
//	                                                    clocks disagree and none is live; doubted if near its end;
//	                                                    else good. What is past is newer than nothing
//	… from before it,
//	or that shares its ID   a cache, while over         nothing: what was refused tells of it as well
//	another, or none        a cache, leased             of a State that others may have: the chain has ended (O3)
//	a change                a cache, awaiting the lease counts as above; if it was not what is wanted, wait again
//	a notice                a cache, not heeded yet     an outage, or the credentials rest
//	a failure               a cache                     done without until the next time
//	a session               create, refresh; leased     stored (also while closing or leaving), then:
//	a session               … while leaving             held, the old one found: both may be deleted
//	a session               … rejected meanwhile        held and doubted: asked about again
//	a session               …                           held and good; due is drawn; an outage ends, and after a
//	                                                    sign-in the rest of these credentials
//	no later expiry         refresh, held good          the chain has ended: sign in, callers keep the token
//	refused                 refresh, held doubted, or
//	                        rejected before it was kept over: sign in
//	refused                 refresh, good or suspect    the chain has ended: sign in, callers keep a good token
//	refused                 create                      the credentials rest: 1 to 15 minutes
//	lost: sent, no answer   refresh that sent a State   the chain has ended (it must not be sent twice): sign in;
//	                                                    what lives is good again; others are told
//	no judgement, it lives  ask, create, refresh        due on the retry schedule; good again, if it was doubted,
//	                                                    and an outage until then, so that no rejection asks earlier;
//	                                                    but of what is suspect nobody gets anything
//	… rejected meanwhile    create, refresh             doubted still: the call says nothing of that
//	no judgement            ask, create, refresh        an outage; callers are told unless one can wait for its end
//	done                    delete                      nothing is held; NotBefore is now
//	gone: a 401             delete                      over; the other session, if one lives, else as done
//	no judgement            delete                      again within Timeout, else told; all else as it was
//
// A timeout is no judgement, and so are 5xx, 429, HTML, a redirect. A notice that
// concerns others, a refusal or a Retry-After, is stored under the lease.
package core

import (
	"errors"
	"time"
)

// Session is what a server issued, and until when it is of use.
type Session struct {
	Token, State string
	ID           Fingerprint // of what it shares with others that end along with it; zero: nothing
	Issued       Moment      // when its life began for us, at the latest
	Expires      Moment      // zero: unknown
	Renewable    Moment      // a refresh may work until then, although it has expired; zero: it may not
	Ended        bool        // a refresh leads nowhere
	Shared       bool        // others may have it, too: its State is used under the lease only (O3)
	Unstored     bool        // … or not: the store took it with an error, and may not have it
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
	Suspect              // from a cache, and of the time before a rejection, or expired by the local clock: nothing until a refresh has shown that it lives (T6, C10)
	Over                 // the server has judged: kept to be recognised if a cache brings it back
)

// Fingerprint tells apart the few credentials that a source meets, and those of
// its sessions that end together.
type Fingerprint [8]byte

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
	NotBefore Moment // what was issued earlier was rejected or revoked, or may have been (T6)
	Due       Moment // when to refresh; it counts while the session lives

	RungSince   Moment      // since when Rung is so
	Pace        Moment      // E5: when the next call may be made
	Looked      Moment      // when the cache was last read
	Credentials Fingerprint // as the provider last gave them

	Past     *Past     // what the cache may bring back; nil: nothing
	Outage   *Outage   // of anything but the credentials
	Refusals []Refusal // of credentials, the newest first
	Problem  error     // of the last attempt that failed
	Way      *Pursuit  // what is being done about it all; nil: nothing

	Failures int32 // attempts that failed since the last success
	Trust    Trust
	Rung     Rung  // T12: how far the answer to a rejection has got
	Short    uint8 // E5: sessions in a row that hardly lived
	Known    bool  // what names the cache's entry is known
	Want     bool  // a caller waits for a session
	Leave    bool  // Revoke waits
	Closed   bool  // for ever
}

// Rung is how far the answer to a rejection has got.
type Rung uint8

const (
	Unanswered Rung = iota
	Once            // by a refresh or, where the server refused that, by signing in
	Twice           // and after another rejection by signing in: that was all
)

// Past is what is no news if the cache has it again: whoever can write the store can
// put it there, and the clock, which else tells what is older, may have been set.
type Past struct {
	Notices []string // that have been heeded (C10)
	Tokens  []string // that were rejected and replaced, or revoked (T6)
}

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
	Waited    bool   // for the lease, which is not its own time: a call has all of an attempt's (T18)
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
