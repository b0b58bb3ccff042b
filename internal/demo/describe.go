package demo

import (
	"errors"
	"fmt"
	"time"

	"github.com/jwtsession/jwtsession"
)

// describe says what happened to a session of the library's.
func describe(e jwtsession.Event) (Tone, string) {
	left := seconds(time.Until(e.ExpiresAt))
	switch e.Kind {
	case jwtsession.EventSignedIn:
		return Good, "signed in: the token lives " + left
	case jwtsession.EventRefreshed:
		return Good, "refreshed: the new token lives " + left
	case jwtsession.EventAdopted:
		return Good, "adopted: the token of another process lives " + left
	case jwtsession.EventRefreshFailed:
		return Trouble, fmt.Sprintf("refresh failed: %s; again in %s, %s of life left", reason(e.Err), seconds(e.RetryIn), left)
	case jwtsession.EventRejected:
		return Trouble, "token rejected: a request got a 401"
	case jwtsession.EventRevoked:
		return Trouble, "logged out: every token is revoked"
	case jwtsession.EventCacheFailed:
		return Trouble, fmt.Sprintf("cache failed: %s", reason(e.Err))
	}
	return Bad, fmt.Sprintf("%s: %s", e.Kind, reason(e.Err))
}

// reason is the short form of an error: the status, if it has one.
func reason(err error) string {
	var api *jwtsession.APIError
	switch {
	case errors.As(err, &api):
		return fmt.Sprint(api.StatusCode)
	case err == nil:
		return "for no reason given"
	}
	return err.Error()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", max(d, 0).Seconds()) }
