package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	if err := mustBeReplaceable(file); err != nil {
		return err
	}
	if _, err := a.Retrieve(ctx); err != nil {
		return err
	}
	if err := a.beginByHand(ctx); err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	var asked counter
	ts, closeAll, err := a.open(ctx, asked.countIn, func(c *jwtsession.Config) {
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
	written, complaint := "", complaint{out: cmd.ErrOrStderr()}
	for ctx.Err() == nil {
		token, err := ts.TokenContext(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && (token.AccessToken != written || isGone(file)):
			if err := replaceFile(file, token.AccessToken); err != nil {
				return &localError{fmt.Errorf("write the token (--write): %w", err)}
			}
			if written == "" {
				fmt.Fprintf(cmd.OutOrStdout(), "The token is in %s\n", file)
				tellSystemd("READY=1")
			}
			written, complaint.cause = token.AccessToken, ""
		case err != nil && written == "":
			return a.explainRemembered(err, &asked, askAgainByHand)
		case err != nil:
			complaint.of(err, a.explain(err))
		}
		waitForChange(ctx, changed, token)
	}
	return nil
}

// mustBeReplaceable is the error of a file that nobody can make, and of what is
// there and no file: a rename would put one in the place of a device, too, and who
// reads by way of a link would see nothing of it.
func mustBeReplaceable(file string) error {
	directory := filepath.Dir(file)
	if _, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
		return &usageError{fmt.Errorf("%s cannot be written (--write): make the directory %s", file, directory)}
	}
	info, err := os.Lstat(file)
	if err != nil || info.Mode().IsRegular() {
		return nil
	}
	kind := "a device, a pipe or a socket"
	switch {
	case info.IsDir():
		kind = "a directory"
	case info.Mode()&fs.ModeSymlink != 0:
		kind = "a symbolic link"
	}
	return &usageError{fmt.Errorf("%s is %s, and would be replaced (--write): name a file", file, kind)}
}

// complainAgain is how often the same is said again.
const complainAgain = time.Minute

// complaint says why there is no live token: when the reason is another one, and
// once in a while.
type complaint struct {
	out   io.Writer
	cause string // that was told last; empty: there is a token
	at    time.Time
}

// of complains of err, as it is explained. What is remembered says how old it is,
// so that its text is another one each time; what lies beneath it is the same.
func (c *complaint) of(err, explained error) {
	cause := err
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		cause = inner
	}
	if cause.Error() == c.cause && time.Since(c.at) < complainAgain {
		return
	}
	c.cause, c.at = cause.Error(), time.Now()
	fmt.Fprintln(c.out, "jwtsession: warning: there is no live token:", oneLine(explained))
}

// lookAgain is how often the file is looked for, which others may remove.
const lookAgain = 5 * time.Second

func isGone(file string) bool {
	_, err := os.Lstat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// waitForChange returns when something has happened to the session, when the
// token has expired, soon if there is none, and after a while.
func waitForChange(ctx context.Context, changed <-chan struct{}, token *oauth2.Token) {
	wait := lookAgain
	if token == nil {
		wait = askAgain
	} else if !token.Expiry.IsZero() {
		wait = min(wait, max(time.Until(token.Expiry), askAgain))
	}
	select {
	case <-changed:
	case <-time.After(wait):
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

// kubeconfig has kubectl sign in by this program. The version v1 wants to be told
// that nobody is to be asked.
const kubeconfig = `  users:
  - name: clerk
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: jwtsession
        args: [token, --output, exec-credential]
        interactiveMode: Never
`

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
