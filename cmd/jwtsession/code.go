package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

// given are credentials that were read once, and the one-time code of the sign-in
// that turned out to need one.
type given struct {
	jwtsession.Credentials
	code atomic.Pointer[string]
}

// Retrieve gives a code once.
func (g *given) Retrieve(context.Context) (jwtsession.Credentials, error) {
	c := g.Credentials
	if code := g.code.Swap(nil); code != nil {
		c.OneTimeCode = *code
	}
	return c, nil
}

// tokenOf returns a source's token. If it turns out that there is a sign-in, and
// that it needs a one-time code, it gets one, and tries again.
func (a *account) tokenOf(ctx context.Context, ts *jwtsession.TokenSource, credentials *given) (*oauth2.Token, error) {
	token, err := ts.TokenContext(ctx)
	if !errors.Is(err, jwtsession.ErrOneTimeCode) {
		return token, err
	}
	code, err := a.oneTimeCode(ctx)
	if err != nil {
		return nil, err
	}
	credentials.code.Store(&code)
	return ts.TokenContext(ctx)
}

// oneTimeCode reads a code, or asks for one at the terminal.
func (a *account) oneTimeCode(ctx context.Context) (string, error) {
	var code string
	var err error
	switch {
	case a.code != nil:
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		code, err = a.code.read(ctx)
	case a.person.terminal != nil:
		code, err = a.person.askHidden("One-time code for " + a.host())
	default:
		err = a.noCode()
	}
	if err == nil && code == "" {
		err = errors.New("the one-time code is empty")
	}
	if err != nil {
		return "", &usageError{err}
	}
	return strings.TrimSpace(code), nil
}

// codeFrom says where the one-time code comes from.
func (a *account) codeFrom() string {
	if a.code == nil {
		return "the terminal"
	}
	return a.code.from
}

func (a *account) noCode() error {
	return fmt.Errorf("a sign-in at %s needs a one-time code: set JWTSESSION_CODE, or code_command in a profile, or run it on a terminal", a.host())
}

// retrieveWithCode is for who signs in again and again, and can ask nobody then.
func (a *account) retrieveWithCode(ctx context.Context) (jwtsession.Credentials, error) {
	c, err := a.Retrieve(ctx)
	if err == nil && a.code != nil && a.protocol.wants(exchange.Code) {
		c.OneTimeCode, err = a.oneTimeCode(ctx)
	}
	return c, err
}

// beginByHand leaves a session in the cache, for a program that goes on with it
// and can ask nobody for a one-time code.
func (a *account) beginByHand(ctx context.Context) error {
	if a.code != nil || !a.protocol.wants(exchange.Code) {
		return nil
	}
	if a.store.kind == "none" {
		return &usageError{fmt.Errorf("%w; without a cache there is no other way than the first two", a.noCode())}
	}
	_, err := a.liveToken(ctx, demand{}, a.person.prompt)
	return err
}

// person is somebody at a terminal, who can be asked.
type person struct {
	terminal *os.File // nil: nobody
	prompt   io.Writer
}

func newPerson(stdin any, prompt io.Writer) person {
	p := person{prompt: prompt}
	if isTerminal(stdin) {
		p.terminal = stdin.(*os.File)
	}
	return p
}

// ask asks for what may be seen.
func (p person) ask(what string) (string, error) {
	fmt.Fprintf(p.prompt, "%s: ", what)
	line, err := bufio.NewReader(p.terminal).ReadString('\n')
	if err != nil && line == "" {
		return "", fmt.Errorf("read what was asked for (%s): %w", what, err)
	}
	return strings.TrimSpace(line), nil
}

// askHidden asks for what the terminal does not show.
func (p person) askHidden(what string) (string, error) {
	prompt := func() { fmt.Fprintf(p.prompt, "%s: ", what) }
	prompt()
	line, err := readHidden(p.terminal, prompt)
	fmt.Fprintln(p.prompt)
	if err != nil {
		return "", fmt.Errorf("read what was asked for (%s): %w", what, err)
	}
	return string(line), nil
}
