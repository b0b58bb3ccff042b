package main

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/protocols"
)

// protocol is how an account's API hands out sessions.
type protocol struct {
	name      setting             // of one that a profile describes, that profile's table
	described jwtsession.Protocol // zero: PacerPro's
	isNamed   bool                // and not described in a file
	*exchange.Exchange
}

const pacerPro = "pacerpro"

// protocolOf is the protocol of the first place that has one.
func protocolOf(places []settings) (protocol, error) {
	for _, place := range places {
		if name := place.values[protocolSetting]; name.value != "" {
			if place.described != nil {
				return newProtocol(name, *place.described)
			}
			return protocolByName(name)
		}
	}
	return protocolByName(setting{pacerPro, "default"})
}

func protocolByName(name setting) (protocol, error) {
	described, found := protocols.ByName(name.value)
	if !found {
		advice := "see jwtsession protocols"
		if near := nearest(name.value, protocolNames()); near != "" {
			advice = "did you mean " + near + "?"
		}
		return protocol{}, fmt.Errorf("there is no protocol %q (%s): %s", name.value, name.from, advice)
	}
	p, err := newProtocol(name, described)
	p.isNamed = true
	return p, err
}

func newProtocol(name setting, described jwtsession.Protocol) (protocol, error) {
	p := protocol{name: name, described: described}
	text := described
	if p.isPacerPros() {
		text = exchange.PacerPro
	}
	var err error
	p.Exchange, err = exchange.Parse(text)
	return p, err
}

// isPacerPros reports whether the protocol is that of the default API.
func (p protocol) isPacerPros() bool { return reflect.ValueOf(p.described).IsZero() }

// wants reports whether the protocol asks for something of the credentials.
func (p protocol) wants(name string) bool { return slices.Contains(p.Needs(), name) }

// extra are the names of what it wants besides the account, the password and a
// one-time code.
func (p protocol) extra() []string {
	return slices.DeleteFunc(p.Needs(), func(name string) bool {
		return name == exchange.Email || name == exchange.Password || name == exchange.Code
	})
}

// requests are those that the protocol has.
func (p protocol) requests() []*exchange.Request {
	return slices.DeleteFunc([]*exchange.Request{p.SignIn, p.Refresh, p.LogOut}, func(r *exchange.Request) bool { return r == nil })
}

// paths are the protocol's own, below the base URL, with the placeholders in them.
func (p protocol) paths() (all []string) {
	for _, r := range p.requests() {
		all = append(all, r.Path())
	}
	return all
}

// shownPath is a request's path as it may be shown: that of a session call as it is
// described, since what is filled in may be secret.
func (a *account) shownPath(req *http.Request) string {
	base := a.url().EscapedPath()
	if path, isBelow := strings.CutPrefix(req.URL.EscapedPath(), base); isBelow {
		for _, r := range a.protocol.requests() {
			if r.IsFor(req.Method, path) {
				return base + r.Path()
			}
		}
	}
	return req.URL.Path
}
