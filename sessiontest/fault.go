package sessiontest

import (
	"net/http"
	"slices"
	"time"
)

// Fault is how a call goes wrong. Its fields go together: a call may be answered
// late and with a status. The zero Fault changes nothing, and uses up a turn.
//
// What the call asks for is done first, if nothing here replaces its answer: a
// sign-in that is answered late, or whose connection is dropped, has been one.
type Fault struct {
	// Status is the answer's, in place of the call's own, with Body or else an
	// error as the API has it.
	Status int

	// Body is the answer's, in place of the call's own. With a ContentType, and an
	// empty Body, the answer has none.
	Body        string
	ContentType string // application/json if it is empty

	// RetryAfter and Header are added to the answer.
	RetryAfter string
	Header     http.Header

	// Delay holds the answer back.
	Delay time.Duration

	// Hang holds the answer back until the caller goes away, Heal or Close.
	Hang bool

	// Drop closes the connection without an answer, Truncate in the middle of it.
	Drop, Truncate bool

	// SameExpiry answers a refresh with a session that ends when the old one does,
	// Expired a sign-in or a refresh with one that has ended a minute ago.
	SameExpiry, Expired bool
}

// replaces reports whether the fault takes the place of the call's own answer.
func (f *Fault) replaces() bool { return f.Status != 0 || f.Body != "" || f.ContentType != "" }

// fault is a Fault and the number of calls that it is for.
type fault struct {
	Fault
	left int // below zero: no end
}

// Inject makes the next n calls of op go wrong, all calls until Heal if n is
// below zero. Faults of an op queue up: the first one is used up before the
// second. Those of op itself go before those of [OpSession].
func (s *Server) Inject(op Op, n int, f Fault) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[op] = append(s.faults[op], &fault{f, n})
}

// Heal drops the faults of these ops, of all if none is given, and lets go of
// all calls that hang: they get their answers.
func (s *Server) Heal(ops ...Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for op := range s.faults {
		if len(ops) == 0 || slices.Contains(ops, op) {
			delete(s.faults, op)
		}
	}
	close(s.healed)
	s.healed = make(chan struct{})
}

// next returns the fault of a call that begins, and nil if it has none. mu is
// held.
func (s *Server) next(op Op) *Fault {
	queue := op
	if len(s.faults[op]) == 0 && op.session() {
		queue = OpSession
	}
	if len(s.faults[queue]) == 0 {
		return nil
	}
	f := s.faults[queue][0]
	if f.left--; f.left == 0 {
		s.faults[queue] = s.faults[queue][1:]
	}
	return &f.Fault
}
