//go:build unix

package jwtsession

import (
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/redistest"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// C1, C6
func TestProcessesShareOneSessionThroughRedis(t *testing.T) {
	storm(t, fleetOf(fleetSize(t), worker{Redis: redistest.Start(t).Options.Addr}))
}

// C1, C6: half of the clocks are an hour off.
func TestProcessesWhoseClocksDisagreeShareOneSessionThroughRedis(t *testing.T) {
	longtest.Run(t)
	storm(t, fleetOf(fleetSize(t), worker{Redis: redistest.Start(t).Options.Addr}, 0, time.Hour, 0, -time.Hour))
}

// C4: killed, or accepting and never answering, for several lives of a token.
func TestARedisThatIsAwayCostsSharingAndNoRequest(t *testing.T) {
	longtest.Run(t) // cache/rediscache has what a server that is away costs one source
	ways := map[string]struct{ leave, comeBack func(*redistest.Server) }{
		"killed": {
			leave:    func(s *redistest.Server) { s.Kill() },
			comeBack: func(s *redistest.Server) { s.Start() },
		},
		"never answers": {
			leave:    func(s *redistest.Server) { s.Signal(syscall.SIGSTOP) },
			comeBack: func(s *redistest.Server) { s.Signal(syscall.SIGCONT) },
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits more than it works
			const processes = 10
			var log callLog
			box := sessiontest.NewServer(sessiontest.WithTokenLife(fleetLife), sessiontest.WithLatency(300*time.Millisecond), sessiontest.WithObserver(log.observe))
			defer box.Close()
			redis := redistest.Start(t)
			fleet := startWorkers(t, fleetOf(processes, worker{BaseURL: box.URL, Redis: redis.Options.Addr})...)
			tell(fleet, "start")
			<-box.Await(sessiontest.OpRefresh, 1)
			way.leave(redis)
			before := box.Counts().Refreshes
			<-box.Await(sessiontest.OpRefresh, before+2*processes)
			way.comeBack(redis)
			// Those who have refreshed by themselves meet again within two periods.
			before = box.Counts().Refreshes
			time.Sleep(2 * fleetLife)
			apart := box.Counts().Refreshes - before
			log.forget()
			<-box.Await(sessiontest.OpRefresh, before+apart+3)

			for i, r := range end(fleet) {
				if r.Failed != 0 || r.Waited > 1 {
					t.Errorf("process %d: %d of %d requests failed and %d found no live session, want none and the first; %s", i, r.Failed, r.Requests, r.Waited, r.Error)
				}
				if r.Events[EventCacheFailed] == 0 {
					t.Errorf("process %d did not notice that Redis was away: the test shows nothing", i)
				}
			}
			got := box.Counts()
			t.Logf("%d sign-ins, %d refreshes, of these %d in the two periods after the return; %d rejected requests", got.Creates, got.Refreshes, apart, got.Unauthorized)
			if got.Creates != 1 || got.Unauthorized != 0 {
				t.Errorf("%d sign-ins and %d rejected requests, want 1 and none", got.Creates, got.Unauthorized)
			}
			if n := log.doubled(fleetLife); n > 1 {
				t.Errorf("two periods after the return, %d refreshes came too soon after another one, want one in a period, and one more allowed", n)
			}
		})
	}
}
