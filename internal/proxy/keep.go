package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/jwtsession/jwtsession"
)

const (
	// lookEvery is how often the proxy looks whether it is signed in. Looking costs
	// nothing; how often the API is asked is the source's to decide.
	lookEvery = 5 * time.Second

	// lookWhenRefused is the same after the API refused the credentials: each look
	// asks the provider for them, which may run a program or open a keyring.
	lookWhenRefused = time.Minute
)

// keepSignedIn signs in at the start and whenever there is no live session,
// whether requests come or not: who waits for readiness sends none. While there
// is a session the source's own timer refreshes it.
func (t *target) keepSignedIn(ctx context.Context) {
	for {
		wait := lookEvery
		if source := t.source.Load(); !source.Status().Live {
			if _, err := source.TokenContext(ctx); errors.Is(err, jwtsession.ErrInvalidCredentials) {
				wait = lookWhenRefused
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
