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
	"syscall"
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
	secretFile string
}

func newProxyCommand() *cobra.Command {
	var flags accountFlags
	var o proxyOptions
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Sign in every request that any client sends through it",
		Long: `Be the API, signed in: pass on every request, with a live token.

A client in any language calls the proxy in place of the API, and needs neither
credentials nor an idea of sessions. The session is kept fresh, with or without
requests; a request that meets a revoked token is sent again with a new one, if
it has no body or one of at most 1 MiB whose length was announced.

Who reaches the proxy is signed in. So it listens on the loopback interface, or
at a Unix socket that its owner alone can use; for other machines it needs
--allow-remote, --tls-cert, --tls-key and a secret, which its clients send in
the header Jwtsession-Secret. Give the secret in a file, or in the environment:
JWTSESSION_CLIENT_SECRET. These are refused:
  a Host header that is not the proxy's, which a web page could send by way of
  DNS; pages of other sites (Origin, Sec-Fetch-Site); CONNECT, TRACE and targets
  elsewhere; a path with "..", in any spelling; calls of the session API, which
  would end the session of all clients.
The client's Authorization header, cookies of both sides, X-Forwarded-For and
its like, and upgrades to other protocols do not pass.

The proxy's own paths are
  /-/healthz  200 while it runs
  /-/readyz   200 while it is signed in, else 503
  /-/metrics  for Prometheus
What goes wrong on the way is answered with 502, 503 or 504, and one line of
JSON in the shape of the API's own errors.

SIGTERM and Ctrl-C end it once the requests under way are answered. SIGHUP has
it look for the account again and sign in anew; the present session goes on
until that has worked. systemd is told when it listens (Type=notify).`,
		Example: `  jwtsession proxy &
  curl http://127.0.0.1:8888/...

  jwtsession proxy --listen unix:$XDG_RUNTIME_DIR/api.sock &
  curl --unix-socket $XDG_RUNTIME_DIR/api.sock http://localhost/...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runProxy(cmd, &flags, o) },
	}
	flags.register(cmd)
	set := cmd.Flags()
	set.StringVar(&o.Address, "listen", proxy.DefaultAddress, "loopback `address` to listen at, or unix: and a path; port 0 takes any that is free")
	set.BoolVar(&o.AllowRemote, "allow-remote", false, "let --listen be an address that other machines reach")
	set.StringVar(&o.CertFile, "tls-cert", "", "serve HTTPS with the certificate in this PEM `file`")
	set.StringVar(&o.KeyFile, "tls-key", "", "the `file` of the certificate's key")
	set.StringVar(&o.secretFile, "client-secret-file", "", "answer only clients that send the secret in this `file`")
	set.StringSliceVar(&o.Hosts, "allow-host", nil, "answer to this `host` as well, with any port or with HOST:PORT; may be repeated")
	set.StringSliceVar(&o.Origins, "allow-origin", nil, "answer web pages of this `origin`, such as http://localhost:3000; may be repeated")
	set.BoolVar(&o.KeepAuthorization, "keep-authorization", false, "pass on a client's own Authorization in place of the token")
	set.BoolVar(&o.KeepCookies, "keep-cookies", false, "pass on cookies, both ways")
	set.IntVar(&o.MaxConnections, "max-connections", proxy.DefaultMaxConnections, "how many `clients` may be connected; more have to wait")
	set.DurationVar(&o.Drain, "drain", proxy.DefaultDrain, "how long to wait for requests under way when it is to end")
	for _, name := range []string{"listen", "allow-host", "allow-origin", "max-connections", "drain"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	return cmd
}

// runProxy serves until it is stopped.
func runProxy(cmd *cobra.Command, flags *accountFlags, o proxyOptions) error {
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	account, err := flags.resolve(cmd)
	if err != nil {
		return err
	}
	secret, err := clientSecret(o.secretFile)
	if err != nil {
		return &usageError{err}
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	o.BaseURL, o.Secret, o.Metrics, o.Logger = account.baseURL.value, secret, proxy.NewMetrics(), logger
	o.Transport = account.trust.apply(proxy.NewTransport())
	if err := o.validate(); err != nil {
		return &usageError{fmt.Errorf("%w: see jwtsession proxy --help", err)}
	}
	if _, err := account.Retrieve(ctx); err != nil { // without credentials it would sign nobody in
		return err
	}
	running := &signedInProxy{account: account, metrics: o.Metrics, logger: logger}
	if o.Source, running.closeSource, err = account.open(ctx, running.watch); err != nil {
		return err
	}
	defer func() { running.closeSource() }()
	if running.Proxy, err = proxy.Listen(o.Config); err != nil {
		return err
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		running.reloadAt(ctx, hangups, cmd, flags)
	}()
	defer func() {
		stop()
		<-done
	}()
	fmt.Fprintf(cmd.OutOrStdout(), "The proxy is at %s, for the API at %s\n", running.URL(), account.baseURL.value)
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

// signedInProxy is a proxy, and the account that it is signed in to.
type signedInProxy struct {
	*proxy.Proxy
	account     *account
	closeSource func()
	metrics     *proxy.Metrics
	logger      *slog.Logger
}

// watch has the log, the metrics and systemd hear of what happens to a session.
func (p *signedInProxy) watch(config *jwtsession.Config) {
	config.Logger = p.logger
	config.OnEvent = func(e jwtsession.Event) {
		p.metrics.Observe(e)
		tellSystemd("STATUS=" + string(e.Kind))
	}
}

// reloadAt looks for the account again at each signal, until ctx ends.
func (p *signedInProxy) reloadAt(ctx context.Context, signals <-chan os.Signal, cmd *cobra.Command, flags *accountFlags) {
	for {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		if err := p.reload(ctx, cmd, flags); err != nil {
			p.logger.Warn("jwtsession: the account was not read again, the present one stays", "error", oneLine(err))
			continue
		}
		p.logger.Info("jwtsession: the account was read again")
	}
}

// reload signs in to the account as the flags, the profile and the keyring have
// it now. The present session stays if that fails. The source is a new one, so
// that it remembers no refusal.
func (p *signedInProxy) reload(ctx context.Context, cmd *cobra.Command, flags *accountFlags) error {
	account := p.account
	if !flags.passwordStdin { // which cannot be read twice
		var err error
		if account, err = flags.resolve(cmd); err != nil {
			return err
		}
	}
	if account.baseURL.value != p.account.baseURL.value {
		return fmt.Errorf("the API is now %s (%s): start the proxy anew for another API", account.baseURL.value, account.baseURL.from)
	}
	source, closeSource, err := account.open(ctx, p.watch)
	if err != nil {
		return err
	}
	if _, err := source.TokenContext(ctx); err != nil {
		closeSource()
		return account.explain(err)
	}
	p.Replace(source)
	time.AfterFunc(retireAfter, p.closeSource)
	p.account, p.closeSource = account, closeSource
	return nil
}
