package demo

import (
	"context"
	"net/http"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// settled is how long after a session all processes have it: their refreshes
// fall due within a second.
const settled = 1500 * time.Millisecond

// theAPI is the name of what all processes call.
const theAPI = "the API"

// play lets the misfortunes happen, each to another session. It returns whether
// all of them have.
func (f *Fleet) play(ctx context.Context) bool {
	return f.next(ctx) &&
		f.suffer(ctx) && f.next(ctx) &&
		f.lose(ctx) && f.next(ctx) &&
		f.logOut() && f.next(ctx) && // by a sign-in
		f.next(ctx)
}

// next waits for the next session, and until all processes have it.
func (f *Fleet) next(ctx context.Context) bool {
	select {
	case <-f.sessions:
	case <-ctx.Done():
		return false
	}
	ok := sleep(ctx, settled)
	for len(f.sessions) > 0 {
		<-f.sessions // one that was not needed
	}
	return ok
}

// suffer takes the session endpoints away while the refreshes fall due, until the
// token has as little left as in a Demo.
func (f *Fleet) suffer(ctx context.Context) bool {
	var expiry time.Time
	for _, p := range f.fleet() {
		if latest := p.heard(); latest.ExpiresAt.After(expiry) {
			expiry = latest.ExpiresAt
		}
	}
	if !sleep(ctx, time.Until(expiry)-outage-recovery) {
		return false
	}
	// The cause is told before it has an effect, here and below.
	f.report(theAPI, Trouble, "away: the session endpoints answer 503 for 2 s")
	f.box.Heal()
	f.box.Inject(sessiontest.OpSession, -1, sessiontest.Fault{Status: http.StatusServiceUnavailable})
	for end := time.Now().Add(outage); time.Now().Before(end); {
		f.mark(markAway)
		if !sleep(ctx, min(time.Until(end), Duration/cells/2)) {
			return false
		}
	}
	f.report(theAPI, Neutral, "back: the session endpoints are in order")
	inOrder(f.box)
	return true
}

// lose kills the next process that refreshes, in the midst of that, and starts
// another one in its place.
func (f *Fleet) lose(ctx context.Context) bool {
	select {
	case p := <-f.refreshing:
		f.report(p.name, Trouble, "killed: a SIGKILL in the midst of its refresh; another one takes its place")
		p.kill()
		if err := f.replace(p); err != nil {
			f.fail(err)
			return false
		}
		return true
	case <-ctx.Done():
		return false
	}
}

// logOut has one process end all sessions of the account.
func (f *Fleet) logOut() bool {
	p := f.fleet()[0]
	f.report(p.name, Trouble, "logs out: the API will end the tokens of all processes")
	f.mark(markRevoked)
	p.logOut()
	return true
}
