//go:build linux

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// fleet is some workers on one account, which share a session, with an API and a
// cache of their own.
type fleet struct {
	number    int
	store     string
	directory string
	redis     *pair // nil: files
	front     *front
	relay     *relay
	judge     *judge
	members   []*member
	stranger  *member // has the wrong password
	breaks    func(format string, args ...any)
}

// addressOf is where a worker's connections come from.
func addressOf(fleet, worker int) string { return fmt.Sprintf("127.0.%d.%d", fleet+1, worker+1) }

const strangersNumber = 199

func isStranger(address string) bool { return strings.HasSuffix(address, ".200") }

func newFleet(number, workers int, store, directory, foreignURL string, breaks func(string, ...any)) (*fleet, error) {
	f := &fleet{number: number, store: store, directory: filepath.Join(directory, fmt.Sprint(number))}
	f.breaks = func(format string, args ...any) {
		breaks("fleet %d (%s): "+format, append([]any{number + 1, store}, args...)...)
	}
	f.judge = &judge{breaks: f.breaks, hearing: time.Second, refused: map[string][]time.Time{}}
	if err := os.Mkdir(f.directory, 0o700); err != nil {
		return nil, err
	}
	var err error
	if f.front, err = newFront(foreignURL, f.judge); err != nil {
		return nil, err
	}
	if f.relay, err = newRelay("tcp", f.front.listener.Addr().String()); err != nil {
		return f, err
	}
	j := job{BaseURL: "http://" + f.relay.address() + "/v1", Password: sessiontest.Password, Directory: f.directory}
	if store == "redis" {
		if f.redis, err = startPair(f.directory); err != nil {
			return f, err
		}
		j.Redis = f.redis.relay.address()
	}
	for i := range workers {
		j.Address = addressOf(number, i)
		f.members = append(f.members, &member{job: j, judge: f.judge, breaks: f.breaks, events: map[string]int{}})
	}
	j.Address, j.Password, j.Stranger = addressOf(number, strangersNumber), wrong, true
	f.stranger = &member{job: j, judge: f.judge, breaks: f.breaks, events: map[string]int{}}
	for _, m := range f.all() {
		if err := m.start(); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *fleet) all() []*member { return append(f.members[:len(f.members):len(f.members)], f.stranger) }

// close ends the workers, which is judged, and all else.
func (f *fleet) close() {
	var all sync.WaitGroup
	for _, m := range f.all() {
		if m.run != nil {
			all.Go(m.end)
		}
	}
	all.Wait()
	if f.redis != nil {
		f.redis.close()
	}
	if f.relay != nil {
		f.relay.close()
	}
	f.front.close()
}

// suffer has a fault happen to the fleet, and returns when it is over.
func (f *fleet) suffer(t fault) {
	address := ""
	if t.kind.class == process {
		m := f.members[t.worker]
		m.suffering.Lock()
		defer m.suffering.Unlock()
		address = m.Address
	}
	over := f.judge.begins(t.kind, address)
	defer over()
	undo, err := f.begin(t)
	if err != nil {
		f.breaks("the soak itself: %s: %v", t.kind.name, err)
		return
	}
	time.Sleep(t.length)
	if undo != nil {
		undo()
	}
}

// begin begins a fault, and returns what ends it.
func (f *fleet) begin(t fault) (undo func(), err error) {
	box, m := f.front.current(), f.members[t.worker]
	inject := func(op sessiontest.Op, n int, fault sessiontest.Fault) func() {
		box.Inject(op, n, fault)
		return func() { box.Heal(op) }
	}
	const always = -1
	switch t.kind.name {
	case "outage":
		f.relay.leave(true)
		return func() { f.relay.leave(false) }, nil
	case "reset":
		f.relay.reset()
	case "silence":
		f.relay.hush(true)
		return func() { f.relay.hush(false) }, nil
	case "error":
		return inject(sessiontest.OpSession, always, sessiontest.Fault{Status: http.StatusServiceUnavailable}), nil
	case "limit":
		inject(sessiontest.OpSession, 1, sessiontest.Fault{Status: http.StatusTooManyRequests, RetryAfter: fmt.Sprint(1 + t.count%2)})
	case "hang":
		return inject(sessiontest.OpSession, always, sessiontest.Fault{Hang: true}), nil
	case "drop":
		return inject(sessiontest.OpSession, always, sessiontest.Fault{Drop: true}), nil
	case "truncate":
		return inject(sessiontest.OpSession, always, sessiontest.Fault{Truncate: true}), nil
	case "page":
		return inject(sessiontest.OpSession, always, sessiontest.Fault{Body: "<html>Please come back later", ContentType: "text/html"}), nil
	case "redirect":
		return inject(sessiontest.OpSession, always, sessiontest.Fault{
			Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {f.front.foreign}},
		}), nil
	case "500":
		inject(sessiontest.OpResource, t.count, sessiontest.Fault{Status: http.StatusInternalServerError})
	case "slow body":
		f.front.slow.Store(int64(t.length))
		return func() { f.front.slow.Store(0) }, nil
	case "late":
		inject(sessiontest.OpResource, 4*t.count, sessiontest.Fault{Delay: t.length})
	case "slow":
		inject(sessiontest.OpSession, 1, sessiontest.Fault{Delay: time.Second})
	case "cache loss":
		if f.redis != nil {
			return nil, f.redis.lose()
		}
		return nil, empty(f.directory)
	case "full disk":
		f.tell(diskFull)
		return func() { f.tell(diskFree) }, nil
	case "redis outage":
		f.redis.relay.leave(true)
		return func() { f.redis.relay.leave(false) }, nil
	case "redis silence":
		f.redis.relay.hush(true)
		return func() { f.redis.relay.hush(false) }, nil
	case "redis failover":
		return nil, f.redis.failOver()
	case "kill":
		m.kill()
		return func() { f.start(m) }, nil
	case "restart":
		m.end()
		f.start(m)
	case "stop":
		m.signal(syscall.SIGSTOP)
		return func() { m.signal(syscall.SIGCONT) }, nil
	case "log-out":
		f.logOut(t.length)
	case "slow sign-in":
		inject(sessiontest.OpSession, always, sessiontest.Fault{Hang: true})
		f.logOut(t.length)
		return func() { box.Heal() }, nil // else what has waited for the sign-in is answered late once more
	case "clock":
		skews := []time.Duration{0, time.Hour, -10 * time.Minute}
		return nil, f.front.move(skews[t.count%len(skews)])
	case "spurious 401":
		inject(sessiontest.OpResource, 1, sessiontest.Fault{Status: http.StatusUnauthorized})
	case "refused refresh":
		inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: http.StatusUnauthorized})
	default:
		return nil, fmt.Errorf("nobody knows how")
	}
	return nil, nil
}

// logOut ends all sessions. Of the requests that are rejected next some are
// answered when there is a new one again.
func (f *fleet) logOut(length time.Duration) {
	box := f.front.current()
	box.Revoke(sessiontest.Email)
	for i := range 4 * loops {
		late := time.Duration(i%3) * (length + 300*time.Millisecond) / 2
		box.Inject(sessiontest.OpResource, 1, sessiontest.Fault{Delay: late})
	}
}

func (f *fleet) tell(command string) {
	for _, m := range f.members {
		m.tell(command)
	}
}

func (f *fleet) start(m *member) {
	if err := m.start(); err != nil {
		f.breaks("the soak itself: start a worker: %v", err)
	}
}
