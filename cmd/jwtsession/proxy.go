package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/proxy"
)

// clientSecretVariable has the secret that the proxy's clients must know.
const clientSecretVariable = "JWTSESSION_CLIENT_SECRET"

// retireAfter is how long the requests under way may go on using the source that
// a new one has taken the place of.
const retireAfter = time.Minute

// proxyOptions are the flags of proxy that are not the account's.
type proxyOptions struct {
	proxy.Config
	profiles             profileNames
	secretFile           string
	accessLog, logFormat string
}

// profileNames is --profile, which proxy takes more than once.
type profileNames []string

func (p *profileNames) Set(name string) error { *p = append(*p, name); return nil }
func (p *profileNames) String() string        { return strings.Join(*p, ",") }
func (p *profileNames) Type() string          { return "string" }

func newProxyCommand() *cobra.Command {
	var flags accountFlags
	var o proxyOptions
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Sign in every request that any client sends through it",
		Long: `Be the API, signed in. Who reaches the proxy is signed in by it: every program
on this machine, of every user, that can connect to its address; at a Unix
socket the programs of its owner alone; with a client secret those that know it.

A client in any language calls the proxy in place of the API, and needs neither
credentials nor an idea of sessions. The session is kept fresh, with or without
requests; a request that meets a revoked token is sent again with a new one, if
it has no body, or one of at most 1 MiB whose length was announced, or one of
which the API has read nothing (Expect: 100-continue). With --profile more than
once, each profile's API is below /NAME/.

The proxy listens on the loopback interface or at a Unix socket; for other
machines it needs --allow-remote, --tls-cert, --tls-key and a secret, and for
another name (--allow-host) a secret or TLS. Give the secret in a file, or in
the environment: JWTSESSION_CLIENT_SECRET. Clients send it as Authorization:
Bearer, which curl, fetch and most others leave out when a redirect leads to
another host (Python's urllib does not: have it follow none); or in the header
Jwtsession-Secret with --keep-authorization. These are refused:
  a Host header that is not the proxy's, which a web page could send by way of
  DNS; CONNECT, TRACE and targets elsewhere; a path with ".." and the paths of
  the protocol, whose calls would end the session of all clients, in any
  spelling
and, from who has not shown the secret,
  requests of web pages of other sites (Origin, Referer, Sec-Fetch-Site), and of
  what calls itself a browser (User-Agent: Mozilla/) without saying which site
  it asks for. Pages of an --allow-origin may ask, and read the answers.
These do not pass: the client's Authorization header, cookies of both sides,
X-Forwarded-For and its like, headers that override the path or the method, and
upgrades to other protocols, but for WebSockets with --allow-upgrade. gRPC
passes over HTTP/2, also without TLS. Pages among the answers have no scripts (a
sandboxing Content-Security-Policy), unless cookies are kept.

The proxy's own paths are
  /-/healthz  200 while it runs
  /-/readyz   200 while it is signed in, else 503
  /-/metrics  for Prometheus
What goes wrong on the way is answered with 502, 503 or 504, and one line of
JSON in the shape of the API's own errors, with a "code" to tell them apart.

SIGTERM and Ctrl-C end it once the requests under way are answered. SIGHUP has
it look for the account again and sign in anew, even if the credentials have
been refused before; the present session goes on until that has worked. It also
has the access log opened again. systemd is told when it listens (Type=notify).`,
		Example: `  jwtsession proxy &
  curl http://127.0.0.1:8888/...

  jwtsession proxy --listen unix:$XDG_RUNTIME_DIR/api.sock &
  curl --unix-socket $XDG_RUNTIME_DIR/api.sock http://localhost/...

  jwtsession proxy --profile work --profile lab &
  curl http://127.0.0.1:8888/work/...`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runProxy(cmd, &flags, o) },
	}
	flags.register(cmd)
	set := cmd.Flags()
	profile := set.Lookup("profile")
	profile.Value, profile.Usage = &o.profiles, "use the profile of this `name`; more than once: each API is below /NAME/"
	set.StringVar(&o.Address, "listen", proxy.DefaultAddress, "loopback `address` to listen at, or unix: and a path; port 0 takes any that is free")
	set.BoolVar(&o.AllowRemote, "allow-remote", false, "let --listen be an address that other machines reach")
	set.StringVar(&o.CertFile, "tls-cert", "", "serve HTTPS with the certificate in this PEM `file`")
	set.StringVar(&o.KeyFile, "tls-key", "", "the `file` of the certificate's key")
	set.StringVar(&o.secretFile, "client-secret-file", "", "answer only clients that send the secret in this `file`")
	set.StringSliceVar(&o.Hosts, "allow-host", nil, "answer to this `host` as well, with any port or with HOST:PORT; may be repeated")
	set.StringSliceVar(&o.Origins, "allow-origin", nil, "answer web pages of this `origin`, such as http://localhost:3000; may be repeated")
	set.BoolVar(&o.KeepAuthorization, "keep-authorization", false, "pass on a client's own Authorization in place of the token")
	set.BoolVar(&o.KeepCookies, "keep-cookies", false, "pass on cookies, both ways, but the session's own")
	set.BoolVar(&o.AllowUpgrade, "allow-upgrade", false, "let WebSockets pass")
	set.StringVar(&o.accessLog, "access-log", "", "append a line of JSON for each request to this `file`, - for standard output")
	set.StringVar(&o.logFormat, "log-format", "text", "the log's `format` on standard error: text or json")
	set.DurationVar(&o.UpstreamTimeout, "upstream-timeout", proxy.DefaultUpstreamTimeout, "how long the API may take to begin an answer")
	set.IntVar(&o.MaxConnections, "max-connections", proxy.DefaultMaxConnections, "how many `clients` may be connected; more take the places of idle ones")
	set.DurationVar(&o.Drain, "drain", proxy.DefaultDrain, "how long to wait for requests under way when it is to end")
	for _, name := range []string{"listen", "allow-host", "allow-origin", "max-connections", "drain", "upstream-timeout"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// runProxy serves until it is stopped.
func runProxy(cmd *cobra.Command, flags *accountFlags, o proxyOptions) error {
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, hangup)
	defer signal.Stop(hangups)

	o.Logger = newLogger(cmd.ErrOrStderr(), o.logFormat)
	accounts, err := o.accounts(cmd, flags)
	if err != nil {
		return err
	}
	if o.Secret, err = clientSecret(o.secretFile); err != nil {
		return &usageError{err}
	}
	if err := o.validate(); err != nil {
		return &usageError{fmt.Errorf("%w: see jwtsession proxy --help", err)}
	}
	log, err := openAccessLog(o.accessLog, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if log != nil {
		defer log.Close()
		o.AccessLog = proxy.NewAccessLog(log)
	}
	var names []string
	for _, a := range accounts {
		if _, err := a.Retrieve(ctx); err != nil { // without credentials it would sign nobody in
			return err
		}
		if err := a.beginByHand(ctx); err != nil {
			return err
		}
		names = append(names, a.name)
	}
	o.Metrics = proxy.NewMetrics(names...)
	running := &signedInProxy{accounts: accounts, metrics: o.Metrics, logger: o.Logger, accessLog: log}
	defer running.closeSources()
	for _, a := range accounts {
		if err := a.missingCache(); err != nil {
			o.Logger.Warn("jwtsession: the cache is done without", "error", oneLine(err))
		}
		source, closeSource, err := a.open(ctx, running.watch(a.name))
		if err != nil {
			return err
		}
		a.closeSource = closeSource
		o.APIs = append(o.APIs, proxy.API{
			Name: a.name, BaseURL: a.baseURL.value, Source: source, Transport: a.proxyTransport(),
			ProtocolPaths: a.protocol.paths(), SessionHeaders: a.protocol.Headers(), SessionCookies: a.protocol.Cookies(),
		})
	}
	if running.Proxy, err = proxy.Listen(o.Config); err != nil {
		return err
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		running.reloadAt(ctx, hangups, cmd)
	}()
	defer func() {
		stop()
		<-done
	}()
	for _, a := range accounts {
		below := ""
		if a.name != "" {
			below = "/" + a.name + "/"
		}
		fmt.Fprintf(o.greeted(cmd, log), "The proxy is at %s%s, for the API at %s\n", running.URL(), below, a.baseURL.value)
	}
	tellSystemd("READY=1")
	told := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(told)
		tellSystemd("STOPPING=1")
	})
	err = running.Serve(ctx)
	stop()
	<-told
	return err
}

// validate finds what is wrong with the flags before anything is opened.
func (o proxyOptions) validate() error {
	switch {
	case o.MaxConnections < 1:
		return fmt.Errorf("--max-connections is %d: give 1 or more", o.MaxConnections)
	case o.Drain <= 0:
		return fmt.Errorf("--drain is %v: give more than zero", o.Drain)
	case o.UpstreamTimeout <= 0:
		return fmt.Errorf("--upstream-timeout is %v: give more than zero", o.UpstreamTimeout)
	case o.logFormat != "text" && o.logFormat != "json":
		return fmt.Errorf("--log-format is %q: give text or json", o.logFormat)
	}
	return o.Validate()
}

// clientSecret reads the secret that the clients must know: from the file, or
// else from the environment.
func clientSecret(name string) (string, error) {
	if name == "" {
		return os.Getenv(clientSecretVariable), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read the client secret (--client-secret-file): %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, longestPassword))
	if err != nil {
		return "", fmt.Errorf("read the client secret (--client-secret-file): %w", err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", errors.New("the client secret (--client-secret-file) is empty")
	}
	return secret, nil
}

// accounts are whom to sign in: one, or one for each of several profiles.
func (o *proxyOptions) accounts(cmd *cobra.Command, flags *accountFlags) ([]*proxiedAccount, error) {
	if len(o.profiles) < 2 {
		a, err := (&proxiedAccount{flags: *flags, profile: o.profiles.String(), narrator: o.narrator("")}).resolve(cmd)
		return []*proxiedAccount{a}, err
	}
	if err := proxy.ValidateNames(o.profiles); err != nil {
		return nil, &usageError{err}
	}
	var all []*proxiedAccount
	for _, name := range []string{"base-url", "protocol", "email", "password-file", "password-command", "password-stdin", "code-file", "code-command"} {
		if cmd.Flags().Changed(name) {
			return nil, &usageError{fmt.Errorf("--%s is for one account, and there are %d profiles: put it into each profile", name, len(o.profiles))}
		}
	}
	for _, name := range o.profiles {
		a, err := (&proxiedAccount{flags: *flags, name: name, profile: name, narrator: o.narrator(name)}).resolve(cmd)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// proxiedAccount is an account that a proxy is signed in to.
type proxiedAccount struct {
	*account
	flags       accountFlags
	profile     string
	name        string    // that its paths begin with; empty: it is alone
	narrator    io.Writer // see proxyOptions.narrator
	closeSource func()    // nil: it is not open
}

// resolve returns the same, as the flags, the profile and the keyring have it now.
func (a *proxiedAccount) resolve(cmd *cobra.Command) (*proxiedAccount, error) {
	again := *a
	again.flags.profile = a.profile
	var err error
	again.account, err = again.flags.resolve(cmd)
	if err == nil && again.verbose != nil && a.narrator != nil {
		again.verbose = a.narrator
	}
	return &again, err
}

// signedInProxy is a proxy, and the accounts that it is signed in to.
type signedInProxy struct {
	*proxy.Proxy
	accounts  []*proxiedAccount
	metrics   *proxy.Metrics
	logger    *slog.Logger
	accessLog *accessLog
}

func (p *signedInProxy) closeSources() {
	for _, a := range p.accounts {
		if a.closeSource != nil {
			a.closeSource()
		}
	}
}

// watch has the log, the metrics and systemd hear of what happens to a session.
func (p *signedInProxy) watch(name string) func(*jwtsession.Config) {
	return func(config *jwtsession.Config) {
		config.Logger = loggerOf(p.logger, name)
		config.OnEvent = func(e jwtsession.Event) {
			p.metrics.Observe(name, e)
			tellSystemd("STATUS=" + strings.TrimSpace(name+" "+string(e.Kind)))
		}
	}
}

// reloadAt looks for the accounts again at each signal, until ctx ends.
func (p *signedInProxy) reloadAt(ctx context.Context, signals <-chan os.Signal, cmd *cobra.Command) {
	for {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		if err := p.accessLog.reopen(); err != nil {
			p.logger.Warn("jwtsession: the access log was not opened again, the present one stays", "error", oneLine(err))
		}
		for i, a := range p.accounts {
			logger := loggerOf(p.logger, a.name)
			newer, err := p.reload(ctx, cmd, a)
			if err != nil {
				logger.Warn("jwtsession: the account was not read again, the present one stays", "error", oneLine(err))
				continue
			}
			p.accounts[i] = newer
			logger.Info("jwtsession: the account was read again")
		}
	}
}

// reload signs in to an account as the flags, the profile and the keyring have it
// now. The present session stays if that fails. The source is a new one, and
// looks for nothing in the cache at first, so that no refusal is remembered.
func (p *signedInProxy) reload(ctx context.Context, cmd *cobra.Command, a *proxiedAccount) (*proxiedAccount, error) {
	newer := *a
	if !a.flags.passwordStdin { // which cannot be read twice
		again, err := a.resolve(cmd)
		if err != nil {
			return nil, err
		}
		newer = *again
	}
	if newer.baseURL.value != a.baseURL.value {
		return nil, fmt.Errorf("the API is now %s (%s): start the proxy anew for another API", newer.baseURL.value, newer.baseURL.from)
	}
	if newer.protocol.Identity() != a.protocol.Identity() {
		return nil, fmt.Errorf("the protocol is now %s (%s), and another one than it was: start the proxy anew for it", newer.protocol.name.value, newer.protocol.name.from)
	}
	source, closeSource, err := newer.open(ctx, p.watch(a.name), forgetful)
	if err != nil {
		return nil, err
	}
	if _, err := source.TokenContext(ctx); err != nil {
		closeSource()
		return nil, newer.explain(err)
	}
	p.Replace(a.name, source)
	time.AfterFunc(retireAfter, a.closeSource)
	newer.closeSource = closeSource
	return &newer, nil
}
