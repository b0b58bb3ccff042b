package jwtsession

import (
	"bytes"
	"errors"

	"github.com/jwtsession/jwtsession/internal/core"
	"github.com/jwtsession/jwtsession/internal/sealing"
	"github.com/jwtsession/jwtsession/internal/sharing"
)

// shared is a source's use of its Config.Cache, and what its account's entry is
// sealed with.
type shared struct {
	*sharing.Sharing
	key      []byte // Config.CacheKey
	place    string // the base URL
	identity func(Credentials) (name, secret string)
}

// newShared returns nil without a cache.
func newShared(config Config, own *Client, host string) *shared {
	if config.Cache == nil {
		return nil
	}
	sh := &shared{
		Sharing: &sharing.Sharing{Store: config.Cache, Host: host, Refusal: toldToOthers, Error: toldByOthers},
		key:     bytes.Clone(config.CacheKey),
	}
	switch {
	case own != nil:
		sh.place, sh.identity = own.baseURL, own.identity
	case config.Credentials != nil:
		sh.place, sh.identity = config.BaseURL+" "+config.Account, (&Client{}).identity
	default:
		sh.Know(core.Fingerprint{}, func() *sealing.Sealer { return sealing.FromKey(sh.key, "account", config.Account) })
	}
	return sh
}

// sealer derives what seals the entry of an account, and names it (C2, O4).
func (sh *shared) sealer(c Credentials) *sealing.Sealer {
	name, secret := sh.identity(c)
	if sh.key != nil {
		return sealing.FromKey(sh.key, "credentials", sh.place, name, secret)
	}
	return sealing.FromPassword(sh.place, name, secret)
}

// toldToOthers is what other sources are told of a server's error, and nil of one
// that is not the server's.
func toldToOthers(err error) *sharing.Refusal {
	var api *APIError
	if !errors.As(err, &api) {
		return nil
	}
	return &sharing.Refusal{Op: api.Op, Host: api.Host, StatusCode: api.StatusCode, Type: api.Type, Message: api.Message}
}

// toldByOthers is the error that another source was told. The first version left
// the operation out: it shared refusals of sign-ins only.
func toldByOthers(r *sharing.Refusal) error {
	op := r.Op
	if op == "" {
		op = string(opCreate)
	}
	return &APIError{Op: op, Host: r.Host, StatusCode: r.StatusCode, Type: r.Type, Message: r.Message, RetryAfter: r.RetryAfter}
}
