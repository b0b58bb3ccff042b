package sessiontest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const largestBody = 1 << 20

// answer is what a call gets.
type answer struct {
	status int
	header http.Header
	body   []byte
	email  string // of the user, for the observer
}

// ServeHTTP answers one call, so that the box can be a handler of another server,
// too.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	body, err := io.ReadAll(io.LimitReader(r.Body, largestBody))
	read := s.read(r, body)
	call := Call{Op: read.op, Method: r.Method, Path: r.URL.Path, Start: start}
	s.mu.Lock()
	s.begin(call.Op)
	f := s.next(call.Op)
	healed := s.healed
	s.mu.Unlock()
	if s.options.observe != nil {
		defer func() {
			call.Duration = time.Since(call.Start)
			s.options.observe(call)
		}()
	}

	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if s.options.strict != nil {
		s.inspect(read, r, body)
	}
	if f == nil {
		f = &Fault{}
	} else {
		call.Fault = true
	}
	a := s.answer(read, r, body, f)
	call.Email = a.email
	if !s.hold(r, call.Op, f, healed) || f.Drop {
		panic(http.ErrAbortHandler)
	}
	s.answered(call.Op, a.status)
	call.Status = a.status
	s.write(w, a, f)
}

// opOf tells what a call is for. A method that the session does not have counts
// as the resource's.
func opOf(r *http.Request) Op {
	if r.URL.Path == sessionPath {
		switch r.Method {
		case http.MethodPost:
			return OpCreate
		case http.MethodGet:
			return OpRefresh
		case http.MethodDelete:
			return OpRevoke
		}
	}
	return OpResource
}

// hold waits as long as the latency and the fault say. It returns false if there
// is nobody left to answer.
func (s *Server) hold(r *http.Request, op Op, f *Fault, healed <-chan struct{}) bool {
	delay := f.Delay
	if op.session() {
		delay += s.options.latency
	}
	if f.Hang {
		select {
		case <-healed:
		case <-r.Context().Done():
			return false
		case <-s.ended:
			return false
		}
	}
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.ended:
	}
	return false
}

// answer does what the call asks for, unless the fault takes its place.
func (s *Server) answer(read reading, r *http.Request, body []byte, f *Fault) answer {
	if f.replaces() {
		status := cmp.Or(f.Status, http.StatusOK)
		a := failure(status, http.StatusText(status), "fault")
		if f.Body != "" || f.ContentType != "" {
			a.body = []byte(f.Body)
			a.header.Set("Content-Type", cmp.Or(f.ContentType, "application/json"))
		}
		return a
	}
	if s.speaker != nil {
		return s.speak(read, r, f)
	}
	switch read.op {
	case OpCreate:
		return s.create(body, f)
	case OpRefresh:
		return s.refresh(r, f)
	case OpRevoke:
		return s.revoke(r)
	}
	return s.resource(r)
}

func (s *Server) create(body []byte, f *Fault) answer {
	var credentials struct{ Email, Password string }
	if err := json.Unmarshal(body, &credentials); err != nil {
		return failure(http.StatusBadRequest, "The body is not JSON.", "bad_request")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, known := s.users[credentials.Email]
	if !known || credentials.Password == "" || u.password != credentials.Password {
		a := failure(http.StatusUnauthorized, "Invalid email or password.", "unauthorized")
		a.email = credentials.Email
		return a
	}
	return s.issue(credentials.Email, u, s.expiry(f))
}

func (s *Server) refresh(r *http.Request, f *Fault) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	email, u, expiry := s.holder(r)
	if u == nil {
		return rejection()
	}
	if !f.SameExpiry {
		expiry = s.expiry(f)
	}
	return s.issue(email, u, expiry)
}

func (s *Server) revoke(r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	email, u, _ := s.holder(r)
	if u == nil {
		return rejection()
	}
	u.jti = newUUID()
	return answer{http.StatusOK, jsonHeader(), []byte("{}"), email}
}

// resource tells a signed-in user who it is.
func (s *Server) resource(r *http.Request) answer {
	if r.URL.Path == sessionPath {
		a := failure(http.StatusMethodNotAllowed, "The session knows POST, GET and DELETE.", "method_not_allowed")
		a.header.Set("Allow", "POST, GET, DELETE")
		return a
	}
	if !strings.HasPrefix(r.URL.Path, basePath+"/") {
		return failure(http.StatusNotFound, "There is nothing here: the API is below "+basePath+".", "not_found")
	}
	s.mu.Lock()
	email, u, _ := s.holder(r)
	s.mu.Unlock()
	if u == nil {
		return rejection()
	}
	return served(r, email)
}

// served is what a signed-in user gets.
func served(r *http.Request, email string) answer {
	body, _ := json.Marshal(map[string]any{"email": email, "method": r.Method, "path": strings.TrimPrefix(r.URL.Path, basePath)})
	return answer{http.StatusOK, jsonHeader(), body, email}
}

// write sends the answer, or the part of it that the fault leaves.
func (s *Server) write(w http.ResponseWriter, a answer, f *Fault) {
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	if f.RetryAfter != "" {
		header.Set("Retry-After", f.RetryAfter)
	}
	for name, values := range f.Header {
		header[name] = values
	}
	if s.options.skew != 0 && header.Get("Date") == "" {
		header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		w.WriteHeader(a.status)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if f.Truncate {
		w.Write(a.body[:len(a.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(a.body)
}

// failure is an error as the API has it: its type is one of error, alert, notice
// and warning. The code is the box's own, and tells what kind of error it is.
func failure(status int, message, kind string) answer {
	body, _ := json.Marshal(map[string]any{"error": message, "message": message, "status": status, "type": "error", "code": kind})
	return answer{status: status, header: jsonHeader(), body: body}
}

// rejection is the answer to a token that is missing, expired or revoked.
func rejection() answer {
	return failure(http.StatusUnauthorized, "The token is missing, expired or revoked.", "unauthorized")
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }
