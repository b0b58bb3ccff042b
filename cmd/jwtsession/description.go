package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

// description is a Protocol as a file has it.
type description struct {
	SignIn       string            `toml:"sign_in"`
	Refresh      string            `toml:"refresh"`
	LogOut       string            `toml:"log_out"`
	Token        string            `toml:"token"`
	ExpiresAt    string            `toml:"expires_at"`
	ExpiresIn    string            `toml:"expires_in"`
	RenewableFor string            `toml:"renewable_for"`
	Send         []string          `toml:"send"`
	Rejects      []int             `toml:"rejects"`
	Keep         map[string]string `toml:"keep"`
}

// descriptionKeys are the keys of a description.
var descriptionKeys = []string{"sign_in", "refresh", "log_out", "token", "expires_at", "expires_in", "renewable_for", "send", "rejects", "keep"}

// fileWords has the library's words for what a description has as the file has them.
var fileWords = strings.NewReplacer(
	"Protocol.SignIn", "sign_in", "Protocol.Refresh", "refresh", "Protocol.LogOut", "log_out", "Protocol.Token", "token",
	"Protocol.ExpiresAt", "expires_at", "Protocol.ExpiresIn", "expires_in", "Protocol.RenewableFor", "renewable_for",
	"Protocol.Send", "send", "Protocol.Rejects", "rejects", "Protocol.Keep", "keep", "BaseURL's", "that of the base URL",
)

// protocol is what the description says. Its errors begin with the key.
func (d description) protocol() (jwtsession.Protocol, error) {
	p := jwtsession.Protocol{
		SignIn: d.SignIn, Refresh: d.Refresh, LogOut: d.LogOut, Token: d.Token, ExpiresAt: d.ExpiresAt, ExpiresIn: d.ExpiresIn,
		Keep: d.Keep, Send: d.Send, Rejects: d.Rejects,
	}
	if d.RenewableFor != "" {
		life, err := time.ParseDuration(d.RenewableFor)
		if err != nil {
			return p, fmt.Errorf(`renewable_for: %q is no duration: give one like "24h"`, d.RenewableFor)
		}
		p.RenewableFor = life
	}
	if _, err := exchange.Parse(p); err != nil {
		return p, fmt.Errorf("%s", fileWords.Replace(err.Error()))
	}
	return p, nil
}

// describe is a protocol as a file has it.
func describe(p jwtsession.Protocol) description {
	d := description{
		SignIn: p.SignIn, Refresh: p.Refresh, LogOut: p.LogOut, Token: p.Token, ExpiresAt: p.ExpiresAt, ExpiresIn: p.ExpiresIn,
		Keep: p.Keep, Send: p.Send, Rejects: p.Rejects,
	}
	if p.RenewableFor > 0 {
		d.RenewableFor = p.RenewableFor.String()
	}
	return d
}

// String is the description as TOML, to be pasted below the line with a table's
// name.
func (d description) String() string {
	var b strings.Builder
	write := func(key, value string) { fmt.Fprintf(&b, "%s = %s\n", key, value) }
	for _, text := range []struct{ key, value string }{
		{"sign_in", d.SignIn}, {"refresh", d.Refresh}, {"log_out", d.LogOut}, {"token", d.Token}, {"expires_at", d.ExpiresAt},
		{"expires_in", d.ExpiresIn}, {"renewable_for", d.RenewableFor},
	} {
		if text.value != "" {
			write(text.key, quoteTOML(text.value))
		}
	}
	if len(d.Keep) > 0 {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(d.Keep)) {
			all = append(all, quoteTOML(name)+" = "+quoteTOML(d.Keep[name]))
		}
		write("keep", "{ "+strings.Join(all, ", ")+" }")
	}
	if len(d.Send) > 0 {
		var all []string
		for _, line := range d.Send {
			all = append(all, quoteTOML(line))
		}
		write("send", "["+strings.Join(all, ", ")+"]")
	}
	if len(d.Rejects) > 0 {
		write("rejects", strings.ReplaceAll(fmt.Sprint(d.Rejects), " ", ", "))
	}
	return b.String()
}

// quoteTOML is a text as TOML has it: as it is, where it has lines or quotes and
// nothing stands against that.
func quoteTOML(s string) string {
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f })
	switch {
	case plain && strings.Contains(s, "\n") && !strings.Contains(s+"'", "'''"):
		return "'''\n" + s + "'''"
	case plain && strings.Contains(s, `"`) && !strings.ContainsAny(s, "'\n"):
		return "'" + s + "'"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b) // all of whose escapes TOML has, too
	encoder.SetEscapeHTML(false)
	encoder.Encode(s)
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

// readDescription reads a file with a description and nothing else.
func readDescription(path string) (jwtsession.Protocol, error) {
	content, err := readFile(path)
	if err != nil {
		return jwtsession.Protocol{}, fmt.Errorf("read the description: %w", err)
	}
	var d description
	read, err := toml.Decode(string(content), &d)
	if err == nil {
		err = unknownKey(read.Undecoded(), descriptionKeys)
	}
	var p jwtsession.Protocol
	if err == nil {
		p, err = d.protocol()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return p, err
}

// unknownKey is the error of keys that nobody has read: of the first, if there is
// one.
func unknownKey(unread []toml.Key, known []string) error {
	if len(unread) == 0 {
		return nil
	}
	advice := "there are " + inWords(known)
	if near := nearest(unread[0][len(unread[0])-1], known); near != "" {
		advice = "did you mean " + near + "?"
	}
	return fmt.Errorf("nothing is called %s: %s", unread[0], advice)
}
