//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// at is that many seconds after noon.
func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

const (
	one   = "127.0.1.1"
	other = "127.0.1.2"
	theft = "127.0.1.200" // the stranger's
)

// seen is a judge of what a test has happen.
type seen struct {
	judge
	broken []string
}

func newSeen() *seen {
	s := &seen{}
	s.hearing = time.Second
	s.refused = map[string][]time.Time{}
	s.breaks = func(format string, args ...any) { s.broken = append(s.broken, fmt.Sprintf(format, args...)) }
	return s
}

func (s *seen) trouble(name string, begin, end float64, address string) {
	k, known := kindNamed(name)
	if !known {
		panic(name)
	}
	s.troubles = append(s.troubles, &trouble{span{at(begin), at(end)}, k, address})
}

// call is a session call that took a tenth of a second.
func (s *seen) call(op sessiontest.Op, address string, begin float64, status int, wait time.Duration) {
	c := &call{span: span{Begin: at(begin)}, op: op, address: address}
	s.began(c)
	c.End, c.status, c.wait = at(begin+0.1), status, wait
	s.ended(c)
}

func (s *seen) signsIn(address string, begin float64) {
	s.call(sessiontest.OpCreate, address, begin, 200, 0)
}
func (s *seen) refreshes(address string, begin float64) {
	s.call(sessiontest.OpRefresh, address, begin, 200, 0)
}

func (s *seen) fails(address string, begin, end float64, status int, text string) {
	s.failed(address, failed{span{at(begin), at(end)}, status, text})
}

func TestWhatEventsDoNotExplainIsBroken(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*seen)
		want   string // that broke; empty: nothing
	}{
		{"a fleet shares a session", func(s *seen) {
			s.signsIn(one, 0)
			s.refreshes(other, 9)
			s.refreshes(one, 18)
		}, ""},
		{"two sign in", func(s *seen) { s.signsIn(one, 0); s.signsIn(other, 1) }, "a sign-in"},
		{"one refreshes while the other does", func(s *seen) {
			s.signsIn(one, 0)
			s.began(&call{span: span{Begin: at(9)}, op: sessiontest.OpRefresh, address: one})
			s.refreshes(other, 10)
		}, "another one is under way"},
		{"one refreshes after the other has given it up", func(s *seen) {
			s.signsIn(one, 0)
			c := &call{span: span{Begin: at(9)}, op: sessiontest.OpRefresh, address: one}
			s.began(c)
			c.isLeft.Store(true)
			s.refreshes(other, 10)
		}, ""},
		{"what was long in coming is due sooner", func(s *seen) {
			s.signsIn(one, 0)
			c := &call{span: span{Begin: at(9)}, op: sessiontest.OpRefresh, address: one, status: 200}
			s.began(c)
			c.End = at(11.5)
			s.refreshes(other, 17.5)
		}, ""},
		{"two sign in at once", func(s *seen) {
			s.began(&call{span: span{Begin: at(0)}, op: sessiontest.OpCreate, address: one})
			s.began(&call{span: span{Begin: at(0.1)}, op: sessiontest.OpCreate, address: other})
		}, "under way"},
		{"a log-out is worth one sign-in", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("log-out", 2, 3, "")
			s.call(sessiontest.OpRefresh, one, 2.1, 401, 0)
			s.signsIn(one, 2.3)
		}, ""},
		{"and no second one", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("log-out", 2, 3, "")
			s.signsIn(one, 2.3)
			s.signsIn(other, 2.6)
		}, "a sign-in"},
		{"and no refresh thereafter", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("log-out", 2, 3, "")
			s.signsIn(one, 2.3)
			s.refreshes(one, 3.5)
		}, "a refresh"},
		{"a clock that moved is worth a sign-in of each", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("clock", 2, 3, "")
			s.signsIn(one, 2.3)
			s.signsIn(other, 2.6)
		}, ""},
		{"and no second one of anybody", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("clock", 2, 3, "")
			s.signsIn(one, 2.3)
			s.signsIn(other, 2.6)
			s.signsIn(one, 2.9)
		}, "a sign-in"},
		{"a spurious 401 is worth a refresh", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("spurious 401", 2, 3, "")
			s.refreshes(one, 2.3)
		}, ""},
		{"and no sign-in", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("spurious 401", 2, 3, "")
			s.signsIn(one, 2.3)
		}, "a sign-in"},
		{"two refresh what one could", func(s *seen) {
			s.signsIn(one, 0)
			s.refreshes(one, 9)
			s.refreshes(other, 9.5)
		}, "a refresh"},
		{"but may if the cache was slow", func(s *seen) {
			s.signsIn(one, 0)
			s.refreshes(one, 9)
			s.refreshes(other, 9.5)
			s.mu.Lock() // the judge waits for this
			defer s.mu.Unlock()
			s.troubles = append(s.troubles, &trouble{span{at(8.5), at(9.6)}, slowCache, ""})
		}, ""},
		{"but may while the cache is away", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("redis outage", 8, 9.5, "")
			s.refreshes(one, 9)
			s.refreshes(other, 9.5)
		}, ""},
		{"a session has expired", func(s *seen) { s.signsIn(one, 0); s.signsIn(other, 12.5) }, ""},
		{"a short outage is no reason to sign in", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("error", 8, 9.5, "")
			s.call(sessiontest.OpRefresh, one, 9, 503, 0)
			s.signsIn(one, 9.8)
		}, "a sign-in"},
		{"a second rejection within a minute, at the end of what another has renewed", func(s *seen) {
			s.trouble("spurious 401", 0.5, 1, "")
			s.signsIn(one, 0)
			s.refreshes(one, 1.1)
			s.refreshes(other, 11)
			s.signsIn(one, 12)
		}, ""},
		{"the end of what another has renewed", func(s *seen) {
			s.signsIn(one, 0)
			s.refreshes(other, 9)
			s.signsIn(one, 12)
		}, "a sign-in"},
		{"the end of what another has renewed, while nobody could be asked", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("page", 9, 11.8, "")
			s.refreshes(other, 11.9)
			s.signsIn(one, 12)
		}, ""},
		{"Retry-After is the worker's", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("limit", 8, 9.5, "")
			s.call(sessiontest.OpRefresh, one, 9, 429, 2*time.Second)
			s.refreshes(one, 10)
		}, "before the server allows"},
		{"and the fleet's", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("limit", 8, 9.5, "")
			s.call(sessiontest.OpRefresh, one, 9, 429, 2*time.Second)
			s.refreshes(other, 10)
		}, "before the server allows"},
		{"and ends", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("limit", 8, 9.5, "")
			s.call(sessiontest.OpRefresh, one, 9, 429, 2*time.Second)
			s.refreshes(other, 11.1)
		}, ""},
		{"a wrong password is sent again too soon", func(s *seen) {
			s.call(sessiontest.OpCreate, theft, 0, 401, 0)
			s.call(sessiontest.OpCreate, theft, 30, 401, 0)
		}, "T10"},
		{"and twice too soon", func(s *seen) {
			s.call(sessiontest.OpCreate, theft, 0, 401, 0)
			s.call(sessiontest.OpCreate, theft, 60.2, 401, 0)
			s.call(sessiontest.OpCreate, theft, 121, 401, 0)
		}, "T10"},
		{"or in its time", func(s *seen) {
			s.call(sessiontest.OpCreate, theft, 0, 401, 0)
			s.call(sessiontest.OpCreate, theft, 60.2, 401, 0)
			s.call(sessiontest.OpCreate, theft, 180.5, 401, 0)
		}, ""},
		{"a session call a moment", func(s *seen) {
			s.trouble("error", 0, 20, "")
			for i := range 30 {
				s.call(sessiontest.OpRefresh, one, float64(i)/4, 503, 0)
			}
		}, "E5"},
		{"a request fails in an outage", func(s *seen) {
			s.trouble("outage", 1, 2, "")
			s.fails(one, 1.5, 1.6, 0, "connection reset")
		}, ""},
		{"a request fails without one", func(s *seen) {
			s.trouble("outage", 1, 2, "")
			s.fails(one, 4, 4.1, 0, "connection reset")
		}, "a request"},
		{"a 401 after a log-out", func(s *seen) {
			s.trouble("log-out", 1, 2, "")
			s.fails(one, 1.5, 1.6, 401, "")
		}, "a request"},
		{"a 401 after a log-out in an outage", func(s *seen) {
			s.trouble("log-out", 1, 2, "")
			s.trouble("error", 1, 2, "")
			s.fails(one, 1.5, 1.6, 401, "")
		}, ""},
		{"a 401 in the last second of a session that could not be renewed", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("page", 9, 11.8, "")
			s.fails(one, 11.5, 11.6, 401, "")
		}, ""},
		{"a 401 before that", func(s *seen) {
			s.signsIn(one, 0)
			s.trouble("page", 9, 11.8, "")
			s.fails(one, 9.5, 9.6, 401, "")
		}, "a request"},
		{"a 401 in the last second of a session that could be", func(s *seen) {
			s.signsIn(one, 0)
			s.fails(one, 11.5, 11.6, 401, "")
		}, "a request"},
		{"a request takes too long after a log-out", func(s *seen) {
			s.trouble("log-out", 1, 2, "")
			s.fails(one, 1.5, 4.5, 0, "timeout")
		}, "a request"},
		{"a request takes too long after a log-out, and the sign-in is slow", func(s *seen) {
			s.trouble("slow", 0, 0.5, "")
			s.trouble("log-out", 1, 2, "")
			s.fails(one, 1.5, 4.5, 0, "timeout")
		}, ""},
		{"another worker was stopped", func(s *seen) {
			s.trouble("stop", 1, 2, other)
			s.fails(one, 1.5, 1.6, 0, "timeout")
		}, "a request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSeen()
			synctest.Test(t, func(t *testing.T) {
				test.happen(s)
				time.Sleep(s.hearing + 1)
			})
			got := strings.Join(s.broken, "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("broken is %q, want %q in it", got, test.want)
			}
		})
	}
}
