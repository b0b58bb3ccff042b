package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	addr            string
	email, password string
	life            time.Duration
	latency         time.Duration
	skew            time.Duration
	tls             bool
	keyFile         string
	faults          faultList
	protocol        string
	rotation        bool
	ownLife         bool // the life was given
}

func newServeCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API in a box on a loopback port",
		Long: `Serve a session API in a box, for tests by hand and for clients in any language.

It signs its user in (POST /v1/session), refreshes the session (GET) and ends
all sessions of the user (DELETE), as PacerPro's API does. Every other path
below /v1/ is a protected resource, which tells who carries a live token, and
answers 401 without one. It keeps nothing, and its tokens die with it.

With --protocol it speaks that of another API, to the letter: what is not as it
is described is answered with a 400.

Each call gets a line: what came, and how it was answered. Tokens are not shown.

A fault makes calls go wrong, in the order given: OPERATION:FAULT[:CALLS].
  OPERATION  create, refresh, revoke, session (these three), resource
  FAULT      one or more of these, with commas between:
             a status (503), retry-after=SECONDS, delay=DURATION, hang, drop,
             truncate, garbage (the answer is no JSON), expired (the new token
             is), same-expiry (the new token expires when the old one does)
  CALLS      how many calls, 1 if it is not given, "all" for no end`,
		Example: `  jwtsession serve --token-life 30s --latency 300ms
  jwtsession serve --fault refresh:503:3 --fault create:429,retry-after=2
  jwtsession serve --protocol gin-jwt --rotation`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.ownLife = cmd.Flags().Changed("token-life")
			return serve(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8787", "loopback `address` to listen at; port 0 takes any that is free")
	flags.StringVar(&o.email, "email", sessiontest.Email, "the user's e-mail `address`")
	flags.StringVar(&o.password, "password", sessiontest.Password, "the user's `password`")
	flags.DurationVar(&o.life, "token-life", 15*time.Minute, "how long tokens live, at least 1s; expiry has whole seconds")
	flags.DurationVar(&o.latency, "latency", 0, "how long each session call takes")
	flags.DurationVar(&o.skew, "clock-skew", 0, "how far the server's clock is ahead of this machine's")
	flags.BoolVar(&o.tls, "tls", false, "serve HTTPS, with a certificate that nobody trusts")
	flags.StringVar(&o.keyFile, "signing-key-file", "", "sign the tokens (HS256) with the content of this `file`, for clients that verify them")
	flags.StringVar(&o.protocol, "protocol", "pacerpro", "speak the protocol of this `name`: pocketbase, for instance")
	cmd.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions(protocolNames(), cobra.ShellCompDirectiveNoFileComp))
	flags.BoolVar(&o.rotation, "rotation", false, "refresh tokens are good once; a second use of one ends the session")
	flags.Var(&o.faults, "fault", "make calls go wrong as this `fault` says, see above; may be repeated")
	return cmd
}

// serve serves until it is stopped.
func serve(ctx context.Context, o serveOptions, out io.Writer) error {
	if err := o.validate(); err != nil {
		return &usageError{err}
	}
	ctx, stop := untilStopped(ctx)
	defer stop()

	calls := log.New(out, "", log.Ltime|log.Lmicroseconds)
	options := o.server(func(c sessiontest.Call) { calls.Print(describeCall(c)) })
	if o.keyFile != "" {
		key, err := os.ReadFile(o.keyFile)
		switch {
		case err != nil:
			return &usageError{fmt.Errorf("read the signing key (--signing-key-file): %w", err)}
		case len(key) == 0:
			return &usageError{errors.New("the signing key (--signing-key-file) is empty")}
		}
		options = append(options, sessiontest.WithSigningKey(key))
	}
	box, err := sessiontest.Start(options...)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --addr", err)
	}
	defer box.Close()
	for _, f := range o.faults {
		box.Inject(f.op, f.calls, f.fault)
	}
	io.WriteString(out, o.greeting(box.URL))

	<-ctx.Done()
	box.Close()
	_, err = fmt.Fprintln(out, "stopped")
	return err
}

// server is what the API in a box is to be like.
func (o serveOptions) server(observe func(sessiontest.Call)) []sessiontest.Option {
	options := []sessiontest.Option{
		sessiontest.WithAddr(o.addr),
		sessiontest.WithUser(o.email, o.password),
		sessiontest.WithTokenLife(o.life),
		sessiontest.WithLatency(o.latency),
		sessiontest.WithClockSkew(o.skew),
		sessiontest.WithObserver(observe),
	}
	if p, found := protocols.ByName(o.protocol); found {
		options = append(options, sessiontest.WithProtocol(p))
	}
	if o.ownLife { // and not the protocol's
		options = append(options, sessiontest.WithTokenLife(o.life))
	}
	if o.rotation {
		options = append(options, sessiontest.WithReuseDetection())
	}
	if o.tls {
		options = append(options, sessiontest.WithTLS())
	}
	return options
}

func (o serveOptions) validate() error {
	host, _, err := net.SplitHostPort(o.addr)
	described, found := protocols.ByName(o.protocol)
	switch {
	case err != nil:
		return fmt.Errorf("--addr is %q: give a host and a port, such as 127.0.0.1:8787", o.addr)
	case host != "localhost" && !net.ParseIP(host).IsLoopback():
		return fmt.Errorf("--addr is %q: the API in a box is for this machine alone, so give a loopback address, such as 127.0.0.1", o.addr)
	case o.email == "" || o.password == "":
		return errors.New("the user needs an --email and a --password")
	case o.life < time.Second:
		return fmt.Errorf("--token-life is %v: give at least 1s", o.life)
	case !found:
		return fmt.Errorf("--protocol is %q: give one of %s", o.protocol, strings.Join(protocolNames(), ", "))
	case o.rotation && len(described.Keep) == 0:
		return errors.New("--rotation is for a --protocol with refresh tokens, such as gin-jwt")
	case o.latency < 0:
		return fmt.Errorf("--latency is %v: give zero or more", o.latency)
	}
	return nil
}

// greeting is what a person needs to know to call the server.
func (o serveOptions) greeting(base string) string {
	if p, _ := protocols.ByName(o.protocol); p.SignIn != "" {
		return o.described(p, base)
	}
	curl := "curl -sS"
	if o.tls {
		curl = "curl -sSk"
	}
	credentials, _ := json.Marshal(struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}{o.email, o.password})
	session := shellQuote(base + "/session")
	var b strings.Builder
	fmt.Fprintf(&b, "The API in a box is at %s\n", base)
	fmt.Fprintf(&b, "  e-mail    %s\n  password  %s\n\n", o.email, o.password)
	fmt.Fprintf(&b, "Sign in, then use the jwtToken of the answer to refresh and to log out:\n")
	fmt.Fprintf(&b, "  %s -d %s -H 'Content-Type: application/json' %s\n", curl, shellQuote(string(credentials)), session)
	fmt.Fprintf(&b, "  %s -H \"Authorization: Bearer $TOKEN\" %s\n", curl, session)
	fmt.Fprintf(&b, "  %s -H \"Authorization: Bearer $TOKEN\" -X DELETE %s\n\n", curl, session)
	fmt.Fprintf(&b, "Ctrl-C stops it. Calls:\n")
	return b.String()
}

// described is the greeting where the protocol is described: its requests.
func (o serveOptions) described(p jwtsession.Protocol, base string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The API in a box is at %s\n", base)
	fmt.Fprintf(&b, "  protocol  %s\n  e-mail    %s\n  password  %s\n", o.protocol, o.email, o.password)
	for _, request := range []struct{ what, text string }{{"sign in", p.SignIn}, {"refresh", p.Refresh}, {"log out", p.LogOut}} {
		if request.text != "" {
			fmt.Fprintf(&b, "\nTo %s, below that:\n  %s\n", request.what, strings.ReplaceAll(request.text, "\n", "\n  "))
		}
	}
	fmt.Fprintf(&b, "\nCtrl-C stops it. Calls:\n")
	return b.String()
}

func protocolNames() (names []string) {
	for name := range protocols.All() {
		names = append(names, name)
	}
	return names
}

// shellQuote makes one word of a text for a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// describeCall is the line that a call gets.
func describeCall(c sessiontest.Call) string {
	answer := "no answer"
	if c.Status != 0 {
		answer = fmt.Sprintf("%d %s", c.Status, http.StatusText(c.Status))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %-14s %-22s %6d ms  %s", printable(c.Method), printable(c.Path), answer, c.Duration.Milliseconds(), c.Op)
	if c.Email != "" {
		fmt.Fprintf(&b, "  %s", printable(c.Email))
	}
	if c.Fault {
		b.WriteString("  (fault)")
	}
	return b.String()
}

// printable keeps what a caller sent from steering the terminal.
func printable(s string) string {
	return cmp.Or(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s), "-")
}
