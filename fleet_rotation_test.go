//go:build unix

package jwtsession

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/internal/longtest"
	"github.com/jwtsession/jwtsession/internal/redistest"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// O3: so many processes share one refresh token whose reuse ends the session, and
// the one that uses it is killed three times. In an ordinary run they are few, and
// their lives as well.
func rotate(t *testing.T, like worker) {
	processes, lives, after := 5, 2, 1
	if longtest.IsOn(t) {
		processes, lives, after = 50, 10, 2
	}
	box := sessiontest.NewServer(sessiontest.WithProtocol(refreshing), sessiontest.WithReuseDetection(), sessiontest.Strict(t),
		sessiontest.WithTokenLife(fleetLife), sessiontest.WithLatency(300*time.Millisecond))
	defer box.Close()
	like.BaseURL, like.Protocol, like.Death = box.URL, &refreshing, t.TempDir()
	fleet := startWorkers(t, fleetOf(processes, like)...)
	tell(fleet, "start")
	deaths := []string{beforeRequest, afterStore, beforeStore}
	for n := range lives {
		awaitOp(t, box, sessiontest.OpRefresh, box.Counts().Refreshes+1)
		if n < len(deaths) {
			kill(t, like.Death, fleet, deaths[n])
		}
	}
	for _, moment := range deaths[min(lives, len(deaths)):] {
		kill(t, like.Death, fleet, moment)
	}
	awaitOp(t, box, sessiontest.OpCreate, 2) // what was lost is noticed with the next refresh
	awaitOp(t, box, sessiontest.OpRefresh, box.Counts().Refreshes+after)

	survivors, requests, excused := 0, 0, 0
	for i, p := range fleet {
		r, alive := p.report()
		if !alive {
			continue
		}
		survivors++
		requests += r.Requests
		// On a machine that is too busy a process does without the cache, or finds its
		// session expired before it could be refreshed: each may sign in for itself.
		excused += r.Events[EventCacheFailed] + max(0, r.Waited-1)
		if r.Failed != 0 {
			t.Errorf("process %d: %d of %d requests failed, want none; %s", i, r.Failed, r.Requests, r.Error)
		}
	}
	got := box.Counts()
	t.Logf("%d processes, %d requests, %d sign-ins, %d refreshes, %d rejected requests, %d reuses", processes, requests, got.Creates, got.Refreshes, got.Unauthorized, got.Reused)
	if survivors != processes-len(deaths) {
		t.Errorf("%d processes survived, want all but %d", survivors, len(deaths))
	}
	// Of the three only the one whose answer died with it costs the session.
	if got.Creates < 2 || got.Creates > 2+excused || got.Reused > 1 {
		t.Errorf("%d sign-ins and %d reuses of a refresh token, want 2, %d more at most for as many failures of the cache and late refreshes, and 1 at most", got.Creates, got.Reused, excused)
	}
	if got.Refreshed < lives {
		t.Errorf("%d refreshes only, want %d", got.Refreshed, lives)
	}
}

// kill has the next process that refreshes die at the moment, and returns when it
// has.
func kill(t *testing.T, directory string, fleet []*process, moment string) {
	t.Helper()
	tell(fleet, moment)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(directory, moment)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody died %s", moment)
		}
	}
}

// awaitOp waits for a call, but not for ever.
func awaitOp(t *testing.T, box *sessiontest.Server, op sessiontest.Op, n int) {
	t.Helper()
	select {
	case <-box.Await(op, n):
	case <-time.After(time.Minute):
		t.Fatalf("there was no %s number %d within a minute; the box has got %+v", op, n, box.Counts())
	}
}

// O3
func TestProcessesRotateOneRefreshTokenThroughFilesAndSurviveTheDeathOfItsUser(t *testing.T) {
	t.Parallel()
	rotate(t, worker{Directory: t.TempDir() + "/cache"})
}

// O3
func TestProcessesRotateOneRefreshTokenThroughRedisAndSurviveTheDeathOfItsUser(t *testing.T) {
	longtest.Run(t)
	t.Parallel()
	rotate(t, worker{Redis: redistest.Start(t).Options.Addr})
}
