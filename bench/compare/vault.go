package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	vault "github.com/hashicorp/vault/api"
)

var vaultSecrets = vault.Secret{Auth: &vault.SecretAuth{ClientToken: canary}, Data: map[string]any{"password": canary}}

// openVault is the loop that the documentation of LifetimeWatcher has: sign in,
// watch, and begin again when the watcher is done.
func openVault(a api) (*contender, error) {
	config := vault.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address, config.HttpClient = a.url, &http.Client{Transport: vaultSpeaker{a}}
	client, err := vault.NewClient(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var current atomic.Pointer[string]
	signedIn, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for first := true; ctx.Err() == nil; {
			token, expiry, err := a.signIn(ctx)
			if err != nil {
				sleep(ctx, time.Second)
				continue
			}
			current.Store(&token)
			if first {
				first = false
				close(signedIn)
			}
			watch(ctx, client, token, expiry, &current)
		}
	}()
	token := func(ctx context.Context) (string, error) {
		select {
		case <-signedIn:
			return *current.Load(), nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return &contender{token: token, do: withHeader(a.plain(), token), close: func() { cancel(); <-ended }}, nil
}

// watch returns when the watcher has done what it can.
func watch(ctx context.Context, client *vault.Client, token string, expiry time.Time, current *atomic.Pointer[string]) {
	watcher, err := client.NewLifetimeWatcher(&vault.LifetimeWatcherInput{Secret: lease(token, expiry)})
	if err != nil {
		return
	}
	var done = make(chan struct{})
	go func() { defer close(done); watcher.Start() }()
	defer func() { watcher.Stop(); <-done }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-watcher.DoneCh():
			return
		case renewed := <-watcher.RenewCh():
			current.Store(&renewed.Secret.Auth.ClientToken)
		}
	}
}

func lease(token string, expiry time.Time) *vault.Secret {
	return &vault.Secret{Auth: &vault.SecretAuth{ClientToken: token, LeaseDuration: int(time.Until(expiry).Seconds()), Renewable: true}}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// vaultSpeaker makes a refresh of the API of what Vault's client asks for: to renew
// its own token.
type vaultSpeaker struct{ api }

func (v vaultSpeaker) RoundTrip(req *http.Request) (*http.Response, error) {
	own, err := http.NewRequestWithContext(req.Context(), http.MethodGet, v.url+"/session", nil)
	if err != nil {
		return nil, err
	}
	own.Header.Set("Authorization", "Bearer "+req.Header.Get("X-Vault-Token"))
	token, expiry, err := v.session(own)
	answer, status := any(lease(token, expiry)), http.StatusOK
	if err != nil {
		answer, status = map[string][]string{"errors": {"permission denied"}}, http.StatusForbidden
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    req,
	}, nil
}
