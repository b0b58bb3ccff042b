package sessiontest

import "time"

// Op is a kind of call.
type Op string

const (
	OpCreate   Op = "create"   // POST /session
	OpRefresh  Op = "refresh"  // GET /session
	OpRevoke   Op = "revoke"   // DELETE /session
	OpResource Op = "resource" // anything else: the protected resource
	OpSession  Op = "session"  // the first three, for Inject, Heal and Await
)

func (o Op) session() bool { return o == OpCreate || o == OpRefresh || o == OpRevoke }

// Call is what a server got, and how it answered.
type Call struct {
	Op           Op
	Method, Path string
	Status       int    // zero if the connection was dropped, or the caller went away
	Email        string // of the user, where the call told it
	Start        time.Time
	Duration     time.Duration
	Fault        bool // answered by an injected fault
}

// Counts is what a server got so far.
type Counts struct {
	Creates, Refreshes, Revokes, Resources int // calls received
	Created, Refreshed, Revoked, Served    int // of these, answered with a success
	Unauthorized                           int // 401s to requests for the resource, or what a protocol has in their place
	Reused                                 int // refreshes with what was used up, see [WithRotation]
}

// Counts returns what the server got so far. A call counts as received once it
// has begun, and as a success once it is about to be answered.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Creates, c.Refreshes, c.Revokes, c.Resources = s.begun[OpCreate], s.begun[OpRefresh], s.begun[OpRevoke], s.begun[OpResource]
	return c
}

// answered counts an answer.
func (s *Server) answered(op Op, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	successes := map[Op]*int{OpCreate: &s.counts.Created, OpRefresh: &s.counts.Refreshed, OpRevoke: &s.counts.Revoked, OpResource: &s.counts.Served}
	switch {
	case status/100 == 2:
		*successes[op]++
	case op == OpResource && status/100 == 4 && (status == 401 || s.speaker != nil && s.speaker.Rejects(status)):
		s.counts.Unauthorized++
	}
}
