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
	SignIn, Refresh, LogOut, Token, ExpiresAt, ExpiresIn, RenewableFor string

	Send    []string
	Rejects []int
	Keep    map[string]string
}

// descriptionKeys are the keys of a description.
var descriptionKeys = []string{"sign_in", "refresh", "log_out", "token", "expires_at", "expires_in", "renewable_for", "send", "rejects", "keep"}

// descriptionIn reads a description from a table, which is at a key.
func descriptionIn(t table, at toml.Key) (d description, err error) {
	texts := map[string]*string{
		"sign_in": &d.SignIn, "refresh": &d.Refresh, "log_out": &d.LogOut, "token": &d.Token, "expires_at": &d.ExpiresAt,
		"expires_in": &d.ExpiresIn, "renewable_for": &d.RenewableFor,
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		key, value, fits := below(at, name), t[name], true
		switch text := texts[name]; {
		case text != nil:
			*text, err = textAt(value, key)
		case name == "keep":
			d.Keep, err = textsAt(value, key)
		case name == "send":
			if d.Send, fits = listOf[string](value); !fits {
				err = fmt.Errorf(`%s is no list of texts: write send = ["X-Auth-Token: {token}"]`, key)
			}
		case name == "rejects":
			var statuses []int64
			if statuses, fits = listOf[int64](value); !fits {
				err = fmt.Errorf("%s is no list of whole numbers: write rejects = [401, 419]", key)
			}
			for _, status := range statuses {
				d.Rejects = append(d.Rejects, int(status))
			}
		default:
			err = unknownKey(key, descriptionKeys)
		}
		if err != nil {
			return d, err
		}
	}
	return d, nil
}

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
	t, err := parseTOML(string(content))
	if err == nil {
		d, err = descriptionIn(t, nil)
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
