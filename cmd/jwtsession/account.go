package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
)

// account is whom to sign in, and where. It asks for the credentials anew each
// time, so that a rotated password is picked up, and is safe for concurrent use.
type account struct {
	baseURL      setting
	protocol     protocol
	email        setting                  // empty: what the keyring has
	password     *secretSource            // nil: what the keyring has
	extra        map[string]*secretSource // nil: what the keyring has
	code         *secretSource            // nil: whoever is at the terminal has it
	person       person
	profile      setting       // the profile in use, and its file; empty: none
	cache        setting       // file, none, keyring or a redis URL
	cacheDir     setting       // of the files; empty: the user's
	cacheKey     []byte        // nil: derived from the password
	timeout      time.Duration // of one sign-in, and of reading the password
	store        store         // that cache names
	trust        trust
	verbose      io.Writer // is told of each session call; nil: nobody
	cacheTrouble sync.Once // has been told
	entryTrouble sync.Once // of a single entry likewise
	oddities     sync.Map  // of what was read last, by the names that protocols have
}

// resolve finds out whom to sign in, and where. It makes no call, and reads no
// password.
func (f *accountFlags) resolve(cmd *cobra.Command) (*account, error) {
	a, err := f.account(cmd)
	if err != nil {
		return nil, &usageError{err}
	}
	return a, nil
}

func (f *accountFlags) account(cmd *cobra.Command) (*account, error) {
	if f.timeout <= 0 {
		return nil, fmt.Errorf("--timeout is %v: give more than zero", f.timeout)
	}
	flagged, err := f.settings(cmd)
	if err != nil {
		return nil, err
	}
	variables, err := environment()
	if err != nil {
		return nil, err
	}
	var profile settings
	var name setting
	if f.newProfile == "" {
		if profile, name, err = findProfile(f.profile, cmd.ErrOrStderr()); err != nil {
			return nil, err
		}
	}
	places := []settings{flagged, variables, profile}
	if f.profile != "" {
		places = []settings{flagged, profile, variables}
	}
	a := &account{profile: name, timeout: f.timeout, person: newPerson(cmd.InOrStdin(), cmd.ErrOrStderr())}
	if f.verbose {
		a.verbose = cmd.ErrOrStderr()
	}
	return a, a.fill(places)
}

// fill takes each setting from the first place that has it.
func (a *account) fill(places []settings) (err error) {
	first := func(name settingName) (found setting) {
		for _, place := range places {
			found = found.or(place.values[name])
		}
		return found
	}
	a.email = first(emailSetting)
	for _, place := range places {
		if email := place.values[emailSetting].value; email == "" || email == a.email.value {
			a.password = cmp.Or(a.password, place.password)
			a.code = cmp.Or(a.code, place.code)
		}
	}
	if a.protocol, err = protocolOf(places); err != nil {
		return err
	}
	if err := a.findExtra(places); err != nil {
		return err
	}
	a.baseURL = first(baseURLSetting).or(setting{jwtsession.DefaultBaseURL, "default"})
	if a.baseURL.from == "default" && !a.protocol.isPacerPros() {
		return fmt.Errorf("the protocol %s (%s) needs the URL of its API: give --base-url, or set JWTSESSION_BASE_URL", a.protocol.name.value, a.protocol.name.from)
	}
	if _, err := a.protocol.described.NewClient(a.baseURL.value, nil, nil); err != nil {
		return fmt.Errorf("%w (%s)", err, a.baseURL.from)
	}
	a.baseURL.value = strings.TrimRight(a.baseURL.value, "/")
	a.cache = first(cacheSetting).or(setting{"file", "default"})
	a.cacheDir = first(cacheDirSetting)
	if a.store, err = parseStore(a.cache, a.cacheDir); err != nil {
		return err
	}
	if a.cacheKey, err = readCacheKey(first(cacheKeyFileSetting)); err != nil {
		return err
	}
	a.trust, err = readTrust(first(caFileSetting), first(clientCertSetting), first(clientKeySetting))
	return err
}

// host names the API in messages.
func (a *account) host() string { return a.url().Host }

// origin is where the token may be sent.
func (a *account) origin() string { return a.url().Scheme + "://" + a.url().Host }

func (a *account) url() *url.URL {
	u, err := url.Parse(a.baseURL.value)
	if err != nil {
		panic("the base URL was checked: " + err.Error())
	}
	return u
}

// config says who signs in, how and where, and so whose entry of a cache is meant.
func (a *account) config() jwtsession.Config {
	return jwtsession.Config{
		BaseURL:     a.baseURL.value,
		Protocol:    &a.protocol.described,
		Credentials: jwtsession.CredentialsProviderFunc(a.retrieveWithCode),
		CacheKey:    a.cacheKey,
		Timeout:     a.timeout,
	}
}

// open returns the account's token source, and what closes it and its cache. The
// changes are made to its Config before it is opened.
func (a *account) open(ctx context.Context, changes ...func(*jwtsession.Config)) (*jwtsession.TokenSource, func(), error) {
	sessions, closeCache, err := a.store.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	config := a.config()
	config.Cache, config.HTTPClient = sessions, a.httpClient()
	for _, change := range changes {
		change(&config)
	}
	ts, err := jwtsession.New(config)
	if err != nil {
		closeCache()
		return nil, nil, &usageError{err}
	}
	return ts, func() { ts.Close(); closeCache() }, nil
}
