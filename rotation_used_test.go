package jwtsession

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// refreshing has a refresh token that is used once, and nothing else.
var refreshing = Protocol{
	SignIn:       "POST /login\n\n" + `{"username": "{email}", "password": "{password}"}`,
	Refresh:      "POST /refresh\n\n" + `{"refresh_token": "{refresh}"}`,
	Token:        "access_token",
	ExpiresIn:    "expires_in",
	Keep:         map[string]string{"refresh": "refresh_token"},
	RenewableFor: time.Hour,
}

// O3: where no connection came about, the refresh token is as good as before; where
// one broke, the server may have taken it.
func TestARefreshTokenIsUsedAgainOnlyWhereItWasNotSent(t *testing.T) {
	for operation, creates := range map[string]int{"dial": 1, "read": 2, "write": 2} {
		withRotation(t, func(t *testing.T, server *rotation, open sources) {
			ts := open()
			token(t, ts)
			server.next("refresh", trouble{before: &net.OpError{Op: operation, Net: "tcp", Err: errors.New("refused")}})
			pass(time.Until(ts.Status().RefreshAt) + 5*time.Second)
			token(t, ts)
			if got, refreshes := server.count("create"), server.count("refresh"); got != creates || refreshes != 3-creates {
				t.Errorf("after a failed %s: %d sign-ins and %d refreshes, want %d and %d", operation, got, refreshes, creates, 3-creates)
			}
		})
	}
}

// O3: what is no session is an answer all the same: the server has taken the
// refresh token.
func TestARefreshTokenThatWasAnsweredWithNoSessionIsNotUsedAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, box *sessiontest.Server) {
		ts := newSource(t, box, func(c *Config) { c.Protocol = &refreshing })
		token(t, ts)
		box.Inject(sessiontest.OpRefresh, 1, sessiontest.Fault{Status: 200, Body: "<html>", ContentType: "text/html"})
		pass(time.Until(ts.Status().RefreshAt) + 5*time.Second)
		token(t, ts)
		expectCalls(t, box, 2, 1, 0)
	}, sessiontest.WithProtocol(refreshing), sessiontest.WithReuseDetection())
}
