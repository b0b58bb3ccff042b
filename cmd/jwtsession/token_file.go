package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
)

// askAgain is how long keepFresh waits before it asks the source again that had
// no token. The source decides when the API is asked.
const askAgain = time.Second

// keepFresh writes the account's token into a file, and each that takes its
// place, until it is stopped.
func (a *account) keepFresh(cmd *cobra.Command, file string) error {
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	if _, err := a.Retrieve(ctx); err != nil {
		return err
	}
	if err := a.beginByHand(ctx); err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	ts, closeAll, err := a.open(ctx, func(c *jwtsession.Config) {
		c.OnEvent = func(jwtsession.Event) {
			select {
			case changed <- struct{}{}:
			default: // it will be looked at anyway
			}
		}
	}, a.warnOfCache(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer closeAll()
	written, told := "", ""
	for ctx.Err() == nil {
		token, err := ts.TokenContext(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && token.AccessToken != written:
			if err := replaceFile(file, token.AccessToken); err != nil {
				return &localError{fmt.Errorf("write the token (--write): %w", err)}
			}
			if written == "" {
				fmt.Fprintf(cmd.OutOrStdout(), "The token is in %s\n", file)
				tellSystemd("READY=1")
			}
			written, told = token.AccessToken, ""
		case err != nil && written == "":
			return a.explain(err)
		case err != nil && err.Error() != told:
			told = err.Error()
			fmt.Fprintln(cmd.ErrOrStderr(), "jwtsession: warning: there is no live token:", oneLine(a.explain(err)))
		}
		waitForChange(ctx, changed, token)
	}
	return nil
}

// waitForChange returns when something has happened to the session, when the
// token has expired, or soon if there is none.
func waitForChange(ctx context.Context, changed <-chan struct{}, token *oauth2.Token) {
	var expired <-chan time.Time // never, if nobody knows
	if token == nil {
		expired = time.After(askAgain)
	} else if !token.Expiry.IsZero() {
		expired = time.After(max(time.Until(token.Expiry), askAgain))
	}
	select {
	case <-changed:
	case <-expired:
	case <-ctx.Done():
	}
}

// replaceFile has the file hold the content and nothing else. Who reads it sees
// the old content or the new one.
func replaceFile(name, content string) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temporary.Name())
		}
	}()
	_, err = io.WriteString(temporary, content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}

// execCredential is what kubectl reads from a program that signs it in.
type execCredential struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     struct {
		Token               string `json:"token"`
		ExpirationTimestamp string `json:"expirationTimestamp,omitempty"`
	} `json:"status"`
}

// execCredentialOf is of the version that kubectl asks for in the environment.
func execCredentialOf(token *oauth2.Token) execCredential {
	c := execCredential{APIVersion: "client.authentication.k8s.io/v1", Kind: "ExecCredential"}
	var asked execCredential
	if err := json.Unmarshal([]byte(os.Getenv("KUBERNETES_EXEC_INFO")), &asked); err == nil && strings.HasPrefix(asked.APIVersion, "client.authentication.k8s.io/") {
		c.APIVersion = asked.APIVersion
	}
	c.Status.Token = token.AccessToken
	if !token.Expiry.IsZero() {
		c.Status.ExpirationTimestamp = token.Expiry.UTC().Format(time.RFC3339)
	}
	return c
}
