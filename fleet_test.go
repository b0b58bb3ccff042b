package jwtsession

import (
	"sync"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// record of the session calls that a box got, with their times.
type callLog struct {
	mu    sync.Mutex
	calls []sessiontest.Call
}

func (l *callLog) observe(c sessiontest.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Op != sessiontest.OpResource {
		l.calls = append(l.calls, c)
	}
}

// forget starts anew.
func (l *callLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
}

// doubled counts the refreshes that came within half a token's life of another
// one: a period has one.
func (l *callLog) doubled(life time.Duration) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	var last time.Time
	for _, c := range l.calls {
		if c.Op != sessiontest.OpRefresh {
			continue
		}
		if !last.IsZero() && c.Start.Sub(last) < life/2 {
			n++
		}
		last = c.Start
	}
	return n
}

// fleetLife is short, so that a test sees several lives of a token.
const fleetLife = 6 * time.Second

// fleetSize is the number of processes of a fleet: few in the ordinary run, in which
// other packages' tests want the machine as well. Few wait more than they work, and
// the test then runs beside others.
func fleetSize(t *testing.T) int {
	t.Helper()
	if longtest.IsOn(t) {
		return 50
	}
	t.Parallel()
	return 5
}

// fleetOf returns workers on one account, whose clocks are off by the skews in
// turn.
func fleetOf(n int, like worker, skews ...time.Duration) []worker {
	workers := make([]worker, n)
	for i := range workers {
		workers[i] = like
		workers[i].Password = sessiontest.Password
		workers[i].Pause = 100 * time.Millisecond
		if len(skews) > 0 {
			workers[i].Skew = skews[i%len(skews)]
		}
	}
	return workers
}

// cacheFailures counts how often a process had to do without the cache: on a
// machine that is too busy it does not answer in time, and then each works on its
// own.
func cacheFailures(reports []report) int {
	n := 0
	for _, r := range reports {
		n += r.Events[EventCacheFailed]
	}
	return n
}

// expectOneSession checks that a fleet lived through these periods with one
// sign-in, and no request failed. A machine that is too busy may let a session
// expire before its refresh, which explains a sign-in; that no process notices a
// refresh, and how close they are, is for the long run, which has the machine to
// itself.
func expectOneSession(t *testing.T, box *sessiontest.Server, log *callLog, reports []report, atLeast, ahead int) {
	t.Helper()
	requests, late := 0, 0
	for i, r := range reports {
		requests += r.Requests
		late += max(r.Waited-1, 0)
		if r.Failed != 0 || longtest.IsOn(t) && r.Waited > 1 {
			t.Errorf("process %d: %d of %d requests failed and %d found no live session (%v at most), want none and the first; %s", i, r.Failed, r.Requests, r.Waited, r.Longest, r.Error)
		}
	}
	got, failures := box.Counts(), cacheFailures(reports)
	t.Logf("%d processes, %d requests, %d sign-ins, %d refreshes, %d rejected requests; the cache failed %d times, and %d times no session lived", len(reports), requests, got.Creates, got.Refreshes, got.Unauthorized, failures, late)
	if got.Creates < 1 || got.Creates > 1+failures+late || late == 0 && got.Unauthorized != 0 {
		t.Errorf("%d sign-ins and %d rejected requests, want 1 and none", got.Creates, got.Unauthorized)
	}
	if n := log.doubled(fleetLife); longtest.IsOn(t) && n > 1+failures+ahead {
		t.Errorf("%d of %d refreshes came too soon after another one, want one in a period, one more allowed, and one for each of %d clocks that are ahead", n, got.Refreshes, ahead)
	}
	if got.Refreshes < atLeast {
		t.Errorf("%d refreshes only: the test shows too little", got.Refreshes)
	}
}

// storm starts a fleet at once, and lets it live through several lives of a token.
func storm(t *testing.T, workers []worker) {
	t.Helper()
	var log callLog
	box := sessiontest.NewServer(sessiontest.WithTokenLife(fleetLife), sessiontest.WithLatency(300*time.Millisecond), sessiontest.WithObserver(log.observe))
	defer box.Close()
	for i := range workers {
		workers[i].BaseURL = box.URL
	}
	ahead := 0 // whose clocks say that the session has expired, and who ask (C10)
	for _, w := range workers {
		if w.Skew > 0 {
			ahead++
		}
	}
	lives := 2
	if longtest.IsOn(t) {
		lives = 3
	}
	fleet := startWorkers(t, workers...)
	tell(fleet, "start")
	<-box.Await(sessiontest.OpRefresh, ahead+lives)
	expectOneSession(t, box, &log, end(fleet), lives, ahead)
}

// C1, C5
func TestProcessesShareOneSessionThroughFiles(t *testing.T) {
	storm(t, fleetOf(fleetSize(t), worker{Directory: t.TempDir() + "/cache"}))
}

// C1, C5: half of the clocks are an hour off.
func TestProcessesWhoseClocksDisagreeShareOneSessionThroughFiles(t *testing.T) {
	longtest.Run(t)
	storm(t, fleetOf(fleetSize(t), worker{Directory: t.TempDir() + "/cache"}, 0, time.Hour, 0, -time.Hour))
}

// T10: the number of attempts is one, and not one for each process.
func TestProcessesSendAWrongPasswordOnce(t *testing.T) {
	box := sessiontest.NewServer(sessiontest.WithLatency(300 * time.Millisecond))
	defer box.Close()
	workers := fleetOf(fleetSize(t), worker{BaseURL: box.URL, Directory: t.TempDir() + "/cache"})
	for i := range workers {
		workers[i].Password = "wrong"
	}
	fleet := startWorkers(t, workers...)
	tell(fleet, "start")
	for i, r := range end(fleet) {
		if r.Failed != r.Requests || r.Requests == 0 {
			t.Errorf("process %d: %d of %d requests failed, want all", i, r.Failed, r.Requests)
		}
	}
	if n := box.Counts().Creates; n != 1 {
		t.Errorf("%d processes made %d sign-ins with a wrong password, want 1", len(fleet), n)
	}
}

// T13: one process logs out; the others sign in once between them, and notice
// nothing.
func TestALogOutInOneProcessCostsTheOthersOneSignInBetweenThem(t *testing.T) {
	logOuts := 1
	if longtest.IsOn(t) {
		logOuts = 2
	}
	box := sessiontest.NewServer(sessiontest.WithTokenLife(fleetLife), sessiontest.WithLatency(300*time.Millisecond))
	defer box.Close()
	fleet := startWorkers(t, fleetOf(fleetSize(t), worker{BaseURL: box.URL, Directory: t.TempDir() + "/cache"})...)
	tell(fleet, "start")
	for n := 1; n <= logOuts; n++ {
		<-box.Await(sessiontest.OpRefresh, 2*n) // and while it is under way
		tell(fleet[:1], "revoke")
		fleet[0].expect("revoked")
	}
	<-box.Await(sessiontest.OpRefresh, 2*logOuts+1)
	reports := end(fleet)
	for i, r := range reports {
		if r.Failed != 0 {
			t.Errorf("process %d: %d of %d requests failed, want none; %s", i, r.Failed, r.Requests, r.Error)
		}
	}
	got, failures := box.Counts(), cacheFailures(reports)
	t.Logf("%d sign-ins, %d refreshes, %d rejected requests; the cache failed %d times", got.Creates, got.Refreshes, got.Unauthorized, failures)
	if got.Created < 1+logOuts || got.Created > 1+logOuts+failures || got.Unauthorized > logOuts*len(fleet) {
		t.Errorf("%d sign-ins and %d rejected requests, want one for each of %d log-outs, and the first; and %d at most", got.Created, got.Unauthorized, logOuts, logOuts*len(fleet))
	}
}
