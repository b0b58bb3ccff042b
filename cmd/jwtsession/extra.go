package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// extraVariable begins the variables with what a protocol wants by names of its
// own: JWTSESSION_EXTRA_TENANT has what stands for {tenant}.
const extraVariable = "JWTSESSION_EXTRA_"

// Where the value itself is not, it is in a file or comes from a command.
const (
	inFileSuffix    = "_FILE"
	byCommandSuffix = "_COMMAND"
)

// extraKey is a name as variables have it.
func extraKey(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// extraOfEnvironment are the variables that begin so, by the rest of their names.
// Only what a variable has itself may be empty, and no variable has a command.
func extraOfEnvironment() (map[string]setting, error) {
	all := map[string]setting{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		key, isExtra := strings.CutPrefix(name, extraVariable)
		switch {
		case !isExtra, strings.HasSuffix(key, byCommandSuffix):
		case value == "" && strings.HasSuffix(key, inFileSuffix):
			return nil, emptyVariable(name)
		default:
			all[key] = setting{value, name}
		}
	}
	return all, nil
}

// extraSource is where this place has what stands for the name; nil: nowhere.
func (s settings) extraSource(name string, stderr io.Writer) (*secretSource, error) {
	key := extraKey(name)
	value, isGiven := s.extra[key]
	file, inFile := s.extra[key+inFileSuffix]
	command, byCommand := s.extra[key+byCommandSuffix]
	switch what := "{" + name + "}"; {
	case isGiven && (inFile || byCommand), inFile && byCommand:
		return nil, fmt.Errorf("there is more than one %s in one place (%s and others): leave one", what, cmp.Or(value.from, file.from))
	case isGiven:
		return &secretSource{value.from, func(context.Context) (string, error) { return value.value, nil }}, nil
	case inFile:
		path := file.value
		if s.directory != "" {
			path = absolute(path, s.directory)
		}
		return neverEmpty(what, secretFromFile(what, path, file.from)), nil
	case byCommand:
		return neverEmpty(what, secretFromCommand(what, command.value, command.from, stderr)), nil
	}
	return nil, nil
}

// neverEmpty is a source in which nothing is a mistake.
func neverEmpty(what string, source *secretSource) *secretSource {
	return &secretSource{source.from, func(ctx context.Context) (string, error) {
		value, err := source.read(ctx)
		if err == nil && value == "" {
			err = fmt.Errorf("what is there for %s (%s) is empty", what, source.from)
		}
		return value, err
	}}
}

// findExtra finds where all is that the protocol wants by names of its own. What
// stands beside another e-mail address is another account's.
func (a *account) findExtra(places []settings) error {
	a.extra = map[string]*secretSource{}
	for _, place := range places {
		if err := place.checkExtra(a.protocol); err != nil {
			return err
		}
		if email := place.values[emailSetting].value; email != "" && email != a.email.value {
			continue
		}
		for _, name := range a.protocol.extra() {
			source, err := place.extraSource(name, a.person.prompt)
			if err != nil {
				return err
			}
			if a.extra[name] == nil && source != nil {
				a.extra[name] = source
			}
		}
	}
	return nil
}

// checkExtra finds a name of a profile that its own protocol does not have.
func (s settings) checkExtra(p protocol) error {
	if s.directory == "" || s.values[protocolSetting] != p.name {
		return nil
	}
	known := map[string]bool{}
	for _, name := range p.extra() {
		for _, suffix := range []string{"", inFileSuffix, byCommandSuffix} {
			known[extraKey(name)+suffix] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.extra)) {
		if known[key] {
			continue
		}
		advice := "it wants nothing by a name of its own"
		if names := p.extra(); len(names) > 0 {
			advice = "it wants " + inWords(names)
		}
		if near := nearest(strings.ToLower(key), p.extra()); near != "" {
			advice = "did you mean " + near + "?"
		}
		return fmt.Errorf("the protocol %s has no {%s} (%s): %s", p.name.value, strings.ToLower(key), s.extra[key].from, advice)
	}
	return nil
}

// retrieveExtra reads all that the protocol wants by names of its own.
func (a *account) retrieveExtra(ctx context.Context, email string) (map[string]string, error) {
	var all map[string]string
	for _, name := range a.protocol.extra() {
		value, err := a.readExtra(ctx, email, name)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
		a.noteOddity(name, value)
	}
	return all, nil
}

func (a *account) readExtra(ctx context.Context, email, name string) (string, error) {
	if source := a.extra[name]; source != nil {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		return source.read(ctx)
	}
	value, err := loadExtra(ctx, a.baseURL.value, email, name)
	if err == nil {
		return value, nil
	}
	ways := fmt.Sprintf("the protocol %s (%s) wants {%s}: set %s, or %s below [NAME.extra] of a profile, or store it with: jwtsession login",
		a.protocol.name.value, a.protocol.name.from, name, extraVariable+extraKey(name), name)
	if errors.Is(err, errNoLogin) {
		return "", errors.New(ways)
	}
	return "", fmt.Errorf("%s (%w)", ways, err)
}

// extraFrom says where each is from that the protocol wants by a name of its own.
func (a *account) extraFrom(name string) string {
	if source := a.extra[name]; source != nil {
		return source.from
	}
	return "keyring"
}
