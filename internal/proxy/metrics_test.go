package proxy

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession"
)

// P8: what else happens to a session changes nothing about when the API is asked.
func TestWhenTheSessionAPIIsAskedAgainIsWhatItsLastFailureSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := NewMetrics("work", "lab")
		for _, c := range []struct {
			kind    jwtsession.EventKind
			retryIn time.Duration
			want    time.Duration
		}{
			{jwtsession.EventSignInFailed, time.Minute, time.Minute},
			{jwtsession.EventRejected, 0, time.Minute},
			{jwtsession.EventRefreshFailed, time.Hour, time.Hour},
			{jwtsession.EventRefreshed, 0, time.Hour},
			{jwtsession.EventSignInFailed, time.Second, time.Second},
		} {
			metrics.Observe("work", jwtsession.Event{Kind: c.kind, Time: time.Now(), RetryIn: c.retryIn})
			if got := metrics.sessions["work"].untilAttempt(); got != c.want {
				t.Errorf("after %v: got %v, want %v", c.kind, got, c.want)
			}
		}
		if got := metrics.sessions["lab"].untilAttempt(); got > 0 {
			t.Errorf("of another API: got %v, want nothing to wait for", got)
		}
	})
}
