package keyringcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	system "github.com/zalando/go-keyring"
)

// account is what the keyring calls the user of the secret. There is one key for
// all directories of a service, so that a directory may have several names.
const account = "cache-key"

// keyring is what the store needs of one. Get returns an error that Is
// [system.ErrNotFound] if there is no such secret.
type keyring interface {
	Get(service, account string) (string, error)
	Set(service, account, text string) error
}

// systemKeyring is that of the operating system.
type systemKeyring struct{}

func (systemKeyring) Get(service, account string) (string, error) {
	return system.Get(service, account)
}

func (systemKeyring) Set(service, account, text string) error {
	return system.Set(service, account, text)
}

// secretToOpen returns the key that this process has, or the one that the keyring
// has. That there is none makes an entry unusable.
func (c *Cache) secretToOpen(ctx context.Context) (*secret, error) {
	s, err := c.obtain(ctx, c.readSecret)
	if errors.Is(err, errNoSecret) {
		return nil, &unusableError{fmt.Errorf("cannot be opened: %w, %s", err, c.place())}
	}
	return s, err
}

// secretToSeal is secretToOpen, but creates a key where there is none.
func (c *Cache) secretToSeal(ctx context.Context) (*secret, error) {
	return c.obtain(ctx, func() (*secret, error) {
		s, err := c.readSecret()
		if errors.Is(err, errNoSecret) {
			return c.createSecret()
		}
		return s, err
	})
}

// obtain returns the key that this process has, or else what operation finds. The
// operation does not end when the caller leaves, and what it finds is kept all
// the same.
func (c *Cache) obtain(ctx context.Context, operation func() (*secret, error)) (*secret, error) {
	if s := c.secret.Load(); s != nil {
		return s, nil
	}
	s, err := c.calls.run(ctx, c.timeout, func() (*secret, error) {
		if s := c.secret.Load(); s != nil {
			return s, nil
		}
		s, err := operation()
		if err == nil {
			c.secret.Store(s)
		}
		return s, err
	})
	if _, isSilent := errors.AsType[*noAnswerError](err); isSilent {
		return nil, c.unavailable("obtain the key", err)
	}
	return s, err
}

func (c *Cache) readSecret() (*secret, error) {
	text, err := c.keyring.Get(c.service, account)
	if errors.Is(err, system.ErrNotFound) {
		return nil, errNoSecret
	}
	if err != nil {
		return nil, c.unavailable("read the key", err)
	}
	return parseSecret(text)
}

// createSecret puts a new key into the keyring, unless somebody else did so
// meanwhile: the lease makes the processes that share the directory take turns,
// for as long as the keyring takes. Whatever the keyring has afterwards is the
// key, which settles the matter between processes with different directories.
func (c *Cache) createSecret() (*secret, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	turn, err := c.files.Lock(ctx, creationName)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, c.unavailable("wait until another process has created the key", err)
	}
	if err != nil {
		return nil, fmt.Errorf("keyringcache: create the key in the keyring: %w", err)
	}
	defer func() { _ = turn.Unlock() }() // the lease ends by itself as well

	if s, err := c.readSecret(); !errors.Is(err, errNoSecret) {
		return s, err
	}
	if err := c.keyring.Set(c.service, account, newSecret()); err != nil {
		return nil, c.unavailable("create the key", err)
	}
	s, err := c.readSecret()
	if errors.Is(err, errNoSecret) {
		return nil, c.unavailable("read the key that was just created", err)
	}
	return s, err
}

// unavailable says what was tried, where, what came back, and what to do.
func (c *Cache) unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s %s: %w; %s; or use the store of package filecache", ErrUnavailable, what, c.place(), err, advice())
}

func (c *Cache) place() string {
	return fmt.Sprintf("under the service %q and the account %q in %s", c.service, account, keyringName())
}

func keyringName() string {
	switch runtime.GOOS {
	case "darwin":
		return "the macOS Keychain"
	case "windows":
		return "the Windows Credential Manager"
	}
	if bus := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); bus != "" {
		return "the Secret Service on the session bus " + bus
	}
	return "the Secret Service on the session bus (DBUS_SESSION_BUS_ADDRESS is not set)"
}

func advice() string {
	switch runtime.GOOS {
	case "darwin":
		return "unlock the login keychain and allow security(1) to use the item"
	case "windows":
		return "run as a user who is logged on"
	}
	return "start a session bus and a Secret Service such as gnome-keyring, and unlock its default keyring"
}
