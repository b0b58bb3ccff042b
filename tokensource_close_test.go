package jwtsession

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// T3
func TestAForgottenSourceIsCollectedWithoutClose(t *testing.T) {
	box := sessiontest.NewServer()
	defer box.Close()
	before := runtime.NumGoroutine()
	forgotten := make([]weak.Pointer[TokenSource], 100)
	forget := func(i int) {
		ts, err := New(Config{Issuer: &issuerFuncs{}, Account: "worker"})
		if err != nil {
			t.Error(err)
			return
		}
		ts.Token()
		if ts.Status().RefreshAt.IsZero() {
			t.Error("no refresh is planned: the test would show nothing")
		}
		forgotten[i] = weak.Make(ts)
	}
	together(len(forgotten), forget) // on other stacks than this one
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+5 { // those that have done their work end soon
		if time.Now().After(deadline) {
			t.Fatalf("100 sources at rest: %d goroutines, %d before them, want none each", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	alive := len(forgotten)
	for alive > 0 && time.Now().Before(deadline) {
		runtime.GC()
		alive = 0
		for _, ts := range forgotten {
			if ts.Value() != nil {
				alive++
			}
		}
	}
	if alive != 0 {
		t.Errorf("%d of 100 forgotten sources are still in memory, want none", alive)
	}
}

// T14
func TestCloseEndsWhatIsUnderWayAndNeverRevokes(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpRefresh, -1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box)
		token(t, ts)
		pass(12*time.Minute + time.Second) // the refresh hangs by now
		if n := box.Counts().Refreshes; n == 0 {
			t.Fatal("no refresh is under way: the test would show nothing")
		}
		if waited := took(func() { ts.Close() }); waited > time.Second {
			t.Errorf("Close took %v, want it to end the refresh", waited)
		}
		if _, err := ts.Token(); err != ErrClosed {
			t.Errorf("Token after Close: got %v, want ErrClosed", err)
		}
		if err := ts.Revoke(t.Context()); err != ErrClosed {
			t.Errorf("Revoke after Close: got %v, want ErrClosed", err)
		}
		if err := ts.Close(); err != nil {
			t.Errorf("a second Close: got %v, want nil", err)
		}
		if status := ts.Status(); !status.Closed || status.Live || !status.RefreshAt.IsZero() {
			t.Errorf("the status after Close is %+v, want it closed and nothing planned", status)
		}
		calls := box.Counts()
		pass(24 * time.Hour)
		expectCalls(t, box, calls.Creates, calls.Refreshes, 0)
	})
}

// T14
func TestCloseAnswersThoseWhoWait(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		box.Inject(sessiontest.OpCreate, -1, sessiontest.Fault{Hang: true})
		ts := newSource(t, box)
		answers := make(chan error, 10)
		for range cap(answers) {
			go func() { _, err := ts.Token(); answers <- err }()
		}
		pass(time.Second)
		ts.Close()
		for range cap(answers) {
			if err := <-answers; err != ErrClosed {
				t.Errorf("a caller who waited got %v, want ErrClosed", err)
			}
		}
	})
}

// T14, T6
func TestASourceClosedDuringARefreshHasNoSessionWhenItEnds(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		release := make(chan struct{})
		issuer := &issuerFuncs{}
		issuer.refresh = func(context.Context, Session) (Session, error) {
			<-release // whatever the context says
			return Session{Token: "late", ExpiresAt: time.Now().Add(time.Hour)}, nil
		}
		ts := newSourceOf(t, Config{Issuer: issuer})
		token(t, ts)
		pass(12 * time.Minute)
		if waited := took(func() { ts.Close() }); waited > 2*time.Second {
			t.Errorf("Close waited %v for a call that does not return, want a second or so", waited)
		}
		close(release)
		synctest.Wait()
		if s := ts.current.Load(); s != nil {
			t.Error("the closed source has a session again")
		}
	})
}
