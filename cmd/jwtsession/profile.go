package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
)

// profile is a table of the configuration file: an account by a name.
type profile struct {
	values   map[settingName]string
	protocol *jwtsession.Protocol // that [name.protocol] describes; nil: values has its name, or nothing
	extra    map[string]string    // that [name.extra] has
}

const defaultProfile = "default"

// profilesHelp tells where profiles are, and what is in them.
const profilesHelp = `Profiles are the tables of jwtsession/config.toml in the user's configuration
directory: ~/.config, on macOS ~/Library/Application Support, on Windows
%AppData%. All of their keys may be left out; they are named as the flags are.
"jwtsession login --profile NAME" makes one, "jwtsession profiles" lists them.
  [work]
  email = "clerk@example.com"
  base_url = "https://api.example.com/v1"
  password_command = "pass show work"  # or password_file = "work.password"
  cache = "keyring"
Another API than PacerPro's has its protocol there by name, or describes it in a
table of its own, which "jwtsession protocols NAME" shows for those that there
are, and "jwtsession protocol try" tries:
  [lab]
  base_url = "https://lab.example.com"
  protocol = "supabase"  # or a table [lab.protocol]
  [lab.extra]
  apikey_command = "pass show lab-key"  # or apikey = "..." or apikey_file`

// configurationFile returns the path of the file with the profiles.
func configurationFile() (string, error) {
	directory, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(directory, "jwtsession", "config.toml"), nil
}

// loadProfiles reads the file with the profiles; that there is none is no error.
func loadProfiles() (profiles map[string]profile, path string, err error) {
	path, err = configurationFile()
	if err != nil {
		return nil, "the user's configuration directory", nil // a service may have no home
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, path, nil
	}
	if err != nil {
		return nil, path, fmt.Errorf("read the profiles: %w", err)
	}
	defer file.Close()
	if err := refuseWritable(file); err != nil {
		return nil, path, fmt.Errorf("read the profiles: %w", err)
	}
	const advice = "profiles are tables such as [work], see jwtsession --help"
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, path, fmt.Errorf("read the profiles: %w", err)
	}
	tables, err := parseTOML(string(content))
	if err != nil {
		return nil, path, fmt.Errorf("%s: %w; %s", path, err, advice)
	}
	profiles = map[string]profile{}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		t, isTable := tables[name].(table)
		if !isTable {
			return nil, path, fmt.Errorf("%s: %s is no profile; %s", path, name, advice)
		}
		if profiles[name], err = readProfile(t, toml.Key{name}); err != nil {
			return nil, path, fmt.Errorf("%s: %w", path, err)
		}
	}
	return profiles, path, nil
}

// readProfile reads a profile's table, which is at a key.
func readProfile(t table, at toml.Key) (profile, error) {
	p := profile{values: map[settingName]string{}}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		var err error
		var text string
		setting, key, value := settingName(name), below(at, name), t[name]
		content, isTable := value.(table)
		switch {
		case setting == "password":
			err = errors.New("it has a password in it: take it out, and use password_command, password_file or jwtsession login")
		case setting == protocolSetting && isTable:
			p.protocol, err = readProtocol(content, key)
			text = "[" + key.String() + "]"
		case setting == extraTable && isTable:
			p.extra, err = extraIn(value, key)
		case setting == extraTable:
			err = fmt.Errorf("%s is no table: write [%s], and names and values below it", key, key)
		case !slices.ContainsFunc(settingFlags, func(s settingFlag) bool { return s.name == setting }):
			err = unknownKey(key, profileKeys())
		default:
			if text, err = textAt(value, key); err == nil && text == "" {
				err = fmt.Errorf("%s is empty: give it a value, or take it out", key)
			}
		}
		if err != nil {
			return p, err
		}
		if setting != extraTable {
			p.values[setting] = text
		}
	}
	return p, nil
}

// extraTable is the key of the table with what a protocol wants by names of its
// own.
const extraTable settingName = "extra"

// extraIn reads what stands for placeholders, each by a name that one may have,
// and that is not another one's by the rules for variables.
func extraIn(value any, at toml.Key) (map[string]string, error) {
	extra, err := textsAt(value, at)
	if err != nil {
		return nil, err
	}
	seen := map[string]toml.Key{}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		key := below(at, name)
		if !exchange.IsName(name) {
			return nil, fmt.Errorf("%s can stand for no placeholder: give it letters, digits, - and _, and a letter first", key)
		}
		if before := seen[extraKey(name)]; before != nil {
			return nil, fmt.Errorf("%s and %s are one name: leave one", before, key)
		}
		seen[extraKey(name)] = key
	}
	return extra, nil
}

// readProtocol reads a description in a profile.
func readProtocol(t table, at toml.Key) (*jwtsession.Protocol, error) {
	d, err := descriptionIn(t, at)
	if err != nil {
		return nil, err
	}
	p, err := d.protocol()
	if err != nil {
		return nil, fmt.Errorf("%s.%w", at, err)
	}
	return &p, nil
}

func profileKeys() (keys []string) {
	for _, s := range settingFlags {
		keys = append(keys, string(s.name))
	}
	return append(keys, string(extraTable))
}

// findProfile returns what the profile has to say that --profile or the
// environment names, or the one that is called default. Without any it is empty.
func findProfile(flag string, stderr io.Writer) (settings, setting, error) {
	profiles, path, err := loadProfiles()
	if err != nil {
		return settings{}, setting{}, err
	}
	name := setting{flag, "--profile"}.
		or(setting{os.Getenv(profileVariable), profileVariable}).
		or(setting{defaultProfile, "default"})
	p, found := profiles[name.value]
	switch {
	case !found && name.from == "default":
		return settings{}, setting{}, nil
	case !found && len(profiles) == 0:
		return settings{}, setting{}, fmt.Errorf("no profile %q (%s): %s has none", name.value, name.from, path)
	case !found:
		return settings{}, setting{}, fmt.Errorf("no profile %q (%s): %s has %s", name.value, name.from, path,
			strings.Join(slices.Sorted(maps.Keys(profiles)), ", "))
	}
	for _, two := range [][2]settingName{{passwordFileSetting, passwordCommandSetting}, {codeFileSetting, codeCommandSetting}} {
		if p.values[two[0]] != "" && p.values[two[1]] != "" {
			return settings{}, setting{}, fmt.Errorf("profile %q in %s has both %s and %s: leave one", name.value, path, two[0], two[1])
		}
	}
	return p.settings("profile "+name.value, filepath.Dir(path), stderr), setting{name.value, path}, nil
}

// settings are what the profile has to say. Its file names are relative to
// directory.
func (p profile) settings(from, directory string, stderr io.Writer) settings {
	s := settings{values: map[settingName]setting{}, described: p.protocol, extra: map[string]setting{}, directory: directory}
	for name, value := range p.values {
		if name.isPath() {
			value = absolute(value, directory)
		}
		s.values[name] = setting{value, from}
	}
	for name, value := range p.extra {
		s.extra[extraKey(name)] = setting{value, "extra." + name + " of " + from}
	}
	s.findSecrets(stderr)
	return s
}

// absolute is a path of a profile: ~ is the user's home.
func absolute(path, directory string) string {
	if rest, inHome := strings.CutPrefix(path, "~/"); inHome {
		home, _ := os.UserHomeDir()
		return filepath.Join(home, rest)
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(directory, path)
}

func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	profiles, _, _ := loadProfiles()
	return slices.Sorted(maps.Keys(profiles)), cobra.ShellCompDirectiveNoFileComp
}
