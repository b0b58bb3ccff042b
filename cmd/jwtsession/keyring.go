package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/jwtsession/jwtsession"
)

// The keyring has, for each API that somebody has logged in to, the password of
// each e-mail address, what else its protocol wants of it, and which address was
// the last.
const lastLogin = "last login"

// longestKeyringCall leaves a person the time to unlock the keyring.
const longestKeyringCall = 30 * time.Second

// errNoLogin means that the keyring works and has nothing of the kind.
var errNoLogin = errors.New("the keyring has no login")

func keyringService(baseURL string) string { return "jwtsession " + baseURL }

// loadLogin returns what login has stored: for this e-mail address, or for the
// last one if that is empty.
func loadLogin(ctx context.Context, baseURL, email string) (jwtsession.Credentials, error) {
	service := keyringService(baseURL)
	if email == "" {
		var err error
		if email, err = askKeyring(ctx, func() (string, error) { return keyring.Get(service, lastLogin) }); err != nil {
			return jwtsession.Credentials{}, err
		}
	}
	password, err := askKeyring(ctx, func() (string, error) { return keyring.Get(service, email) })
	if email == nameless {
		email = ""
	}
	return jwtsession.Credentials{Email: email, Password: password}, err
}

// nameless stands for an account without an e-mail address.
const nameless = "no address"

// loadExtra returns what login has stored for the account by this name.
func loadExtra(ctx context.Context, baseURL, email, name string) (string, error) {
	return askKeyring(ctx, func() (string, error) { return keyring.Get(keyringService(baseURL), extraOf(name, email)) })
}

func extraOf(name, email string) string { return name + " of " + cmp.Or(email, nameless) }

// storeLogin stores a login, as the last one.
func storeLogin(ctx context.Context, baseURL string, c jwtsession.Credentials) error {
	service, user := keyringService(baseURL), cmp.Or(c.Email, nameless)
	_, err := askKeyring(ctx, func() (string, error) {
		for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
			if err := keyring.Set(service, extraOf(name, c.Email), c.Extra[name]); err != nil {
				return "", err
			}
		}
		return "", errors.Join(keyring.Set(service, user, c.Password), keyring.Set(service, lastLogin, user))
	})
	return err
}

// forgetLogin removes a login. That there is none is no error.
func forgetLogin(ctx context.Context, baseURL string, c jwtsession.Credentials) error {
	service, email := keyringService(baseURL), cmp.Or(c.Email, nameless)
	_, err := askKeyring(ctx, func() (string, error) {
		for name := range c.Extra {
			if err := keyring.Delete(service, extraOf(name, c.Email)); err != nil && !errors.Is(err, keyring.ErrNotFound) {
				return "", err
			}
		}
		if last, err := keyring.Get(service, lastLogin); err == nil && last == email {
			if err := keyring.Delete(service, lastLogin); err != nil {
				return "", err
			}
		}
		return "", keyring.Delete(service, email)
	})
	if errors.Is(err, errNoLogin) {
		return nil
	}
	return err
}

// askKeyring bounds a call to the keyring, which takes no context and may hang.
func askKeyring(ctx context.Context, call func() (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longestKeyringCall)
	defer cancel()
	type outcome struct {
		text string
		err  error
	}
	answered := make(chan outcome, 1)
	go func() {
		o := outcome{err: errors.New("its answer was not understood")}
		defer func() {
			_ = recover() // the package takes answers for what it expects
			answered <- o
		}()
		o.text, o.err = call()
	}()
	select {
	case o := <-answered:
		if errors.Is(o.err, keyring.ErrNotFound) {
			return "", errNoLogin
		}
		if o.err != nil {
			return "", &localError{explainKeyring(o.err)}
		}
		return o.text, nil
	case <-ctx.Done():
		return "", &localError{fmt.Errorf("the keyring has not answered: %w", ctx.Err())}
	}
}
