package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
)

// account is whom to sign in, and where. It asks for the credentials anew each
// time, so that a rotated password is picked up, and is safe for concurrent use.
type account struct {
	baseURL  setting
	email    setting         // empty: what the keyring has
	password *passwordSource // nil: what the keyring has
	profile  setting         // the profile in use, and its file; empty: none
	cache    setting         // file, none, keyring or a redis URL
	cacheDir string          // empty: the default
	timeout  time.Duration   // of one sign-in
	store    store           // that cache names
}

// setting is a value, and where it comes from, in words.
type setting struct{ value, from string }

// or returns s, or other if s has no value.
func (s setting) or(other setting) setting {
	if s.value != "" {
		return s
	}
	return other
}

// settings are what one place has to say about an account.
type settings struct {
	baseURL, email, cache setting
	password              *passwordSource // nil: none
}

// accountFlags are the flags of the commands that need an account.
type accountFlags struct {
	baseURL, profile, email       string
	passwordFile, passwordCommand string
	passwordStdin                 bool
	cache, cacheDir               string
	timeout                       time.Duration
}

// defaultTimeout is shorter than the library's: somebody looks at the screen.
const defaultTimeout = 10 * time.Second

func (f *accountFlags) register(cmd *cobra.Command) {
	f.registerAPI(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.passwordFile, "password-file", "", "read the password from this `file`, anew at each sign-in")
	flags.StringVar(&f.passwordCommand, "password-command", "", "read the password from the output of this shell `command`, anew at each sign-in")
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "password-file", "password-command")
	flags.StringVar(&f.cache, "cache", "", "the `store` of the session: file, none, keyring, or redis://HOST:PORT (default file)")
	flags.StringVar(&f.cacheDir, "cache-dir", "", "the `directory` of the file cache (default jwtsession in the user's cache directory)")
	cmd.RegisterFlagCompletionFunc("cache", cobra.FixedCompletions([]string{"file", "none", "keyring", "redis://"}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	cmd.MarkFlagDirname("cache-dir")
}

// registerAPI registers the flags that login has as well.
func (f *accountFlags) registerAPI(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.baseURL, "base-url", "", "the API's base `URL` (default "+jwtsession.DefaultBaseURL+")")
	flags.StringVar(&f.profile, "profile", "", "use the profile of this `name`")
	flags.StringVar(&f.email, "email", "", "the account's e-mail `address`")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.DurationVar(&f.timeout, "timeout", defaultTimeout, "how long a sign-in may take, retries included")
	cmd.RegisterFlagCompletionFunc("profile", completeProfiles)
	for _, name := range []string{"base-url", "email"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// settings are what the flags have to say.
func (f *accountFlags) settings(cmd *cobra.Command) (settings, error) {
	s := settings{
		baseURL: setting{f.baseURL, "--base-url"},
		email:   setting{f.email, "--email"},
		cache:   setting{f.cache, "--cache"},
	}
	switch {
	case f.passwordStdin:
		if isTerminal(cmd.InOrStdin()) {
			return s, errors.New("--password-stdin reads from a pipe or a file, and standard input is a terminal: use jwtsession login there")
		}
		s.password = passwordFromInput(cmd.InOrStdin())
	case f.passwordFile != "":
		s.password = passwordFromFile(f.passwordFile, "--password-file "+f.passwordFile)
	case f.passwordCommand != "":
		s.password = passwordFromCommand(f.passwordCommand, "--password-command", cmd.ErrOrStderr())
	}
	return s, nil
}

// environment is what the environment has to say.
func environment() settings {
	s := settings{
		baseURL: setting{os.Getenv(baseURLVariable), baseURLVariable},
		email:   setting{os.Getenv(emailVariable), emailVariable},
	}
	if os.Getenv(passwordVariable) != "" {
		s.password = &passwordSource{passwordVariable, func(context.Context) (string, error) {
			return os.Getenv(passwordVariable), nil
		}}
	}
	return s
}

const (
	baseURLVariable       = "JWTSESSION_BASE_URL"
	emailVariable         = "JWTSESSION_EMAIL"
	passwordVariable      = "JWTSESSION_PASSWORD"
	profileVariable       = "JWTSESSION_PROFILE"
	redisPasswordVariable = "JWTSESSION_REDIS_PASSWORD"
)

// precedence is the one order in which an account's settings are looked for. The
// root's help has it.
const precedence = `The API, the e-mail address, the password and the cache each come from the
first of these that has one. "jwtsession status" shows which that was.
  1  the flags: --base-url, --email, --cache, and one of --password-stdin,
     --password-file and --password-command
  2  the profile that --profile names
  3  the environment: JWTSESSION_BASE_URL, JWTSESSION_EMAIL,
     JWTSESSION_PASSWORD
  4  the profile that JWTSESSION_PROFILE names, else the one named default
  5  for the credentials: the keyring, where "jwtsession login" puts them
  6  for the API: PacerPro's, https://api.pacerpro.com/v1; for the cache: file
A password beside an e-mail address is for that address alone. No flag takes a
password as its value: every process could read it.`

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
	profile, name, err := findProfile(f.profile, cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	places := []settings{flagged, environment(), profile}
	if f.profile != "" {
		places = []settings{flagged, profile, environment()}
	}

	a := &account{profile: name, cacheDir: f.cacheDir, timeout: f.timeout}
	for _, place := range places {
		a.baseURL = a.baseURL.or(place.baseURL)
		a.email = a.email.or(place.email)
		a.cache = a.cache.or(place.cache)
	}
	for _, place := range places {
		if place.email.value == "" || place.email.value == a.email.value {
			a.password = firstPassword(a.password, place.password)
		}
	}
	a.baseURL = a.baseURL.or(setting{jwtsession.DefaultBaseURL, "default"})
	if _, err := jwtsession.NewClient(a.baseURL.value, nil, nil); err != nil {
		return nil, fmt.Errorf("%w (%s)", err, a.baseURL.from)
	}
	a.baseURL.value = strings.TrimRight(a.baseURL.value, "/")
	a.cache = a.cache.or(setting{"file", "default"})
	if a.store, err = parseStore(a.cache, a.cacheDir); err != nil {
		return nil, err
	}
	return a, nil
}

func firstPassword(sources ...*passwordSource) *passwordSource {
	for _, s := range sources {
		if s != nil {
			return s
		}
	}
	return nil
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

// open returns the account's token source, and what closes it and its cache. The
// changes are made to its Config before it is opened.
func (a *account) open(ctx context.Context, changes ...func(*jwtsession.Config)) (*jwtsession.TokenSource, func(), error) {
	cache, closeCache, err := a.store.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	config := jwtsession.Config{
		BaseURL:     a.baseURL.value,
		Credentials: a,
		Cache:       cache,
		Timeout:     a.timeout,
	}
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
