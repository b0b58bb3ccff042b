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
)

// profile is a table of the configuration file: an account by a name.
type profile map[settingName]string

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
  cache = "keyring"`

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
	if _, err = toml.NewDecoder(file).Decode(&profiles); err != nil {
		return nil, path, fmt.Errorf("%s: %w; %s", path, err, advice)
	}
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		if profiles[name] == nil { // what the decoder makes of a value
			return nil, path, fmt.Errorf("%s: %s is no profile; %s", path, name, advice)
		}
		if err := profiles[name].validate(name); err != nil {
			return nil, path, fmt.Errorf("%s: %w", path, err)
		}
	}
	return profiles, path, nil
}

func (p profile) validate(name string) error {
	for _, key := range slices.Sorted(maps.Keys(p)) {
		switch {
		case key == "password":
			return errors.New("it has a password in it: take it out, and use password_command, password_file or jwtsession login")
		case !slices.ContainsFunc(settingFlags, func(s settingFlag) bool { return s.name == key }):
			return fmt.Errorf("nothing is called %s.%s: a profile has %s", name, key, inWords(profileKeys()))
		case p[key] == "":
			return fmt.Errorf("%s.%s is empty: give it a value, or take it out", name, key)
		}
	}
	return nil
}

func profileKeys() (keys []string) {
	for _, s := range settingFlags {
		keys = append(keys, string(s.name))
	}
	return keys
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
	case p[passwordFileSetting] != "" && p[passwordCommandSetting] != "":
		return settings{}, setting{}, fmt.Errorf("profile %q in %s has both password_file and password_command: leave one", name.value, path)
	}
	return p.settings("profile "+name.value, filepath.Dir(path), stderr), setting{name.value, path}, nil
}

// settings are what the profile has to say. Its file names are relative to
// directory.
func (p profile) settings(from, directory string, stderr io.Writer) settings {
	s := settings{values: map[settingName]setting{}}
	for name, value := range p {
		if name.isPath() {
			value = absolute(value, directory)
		}
		s.values[name] = setting{value, from}
	}
	file, command := s.values[passwordFileSetting].value, s.values[passwordCommandSetting].value
	switch {
	case file != "":
		s.password = passwordFromFile(file, "password_file "+file+" of "+from)
	case command != "":
		s.password = passwordFromCommand(command, "password_command of "+from, stderr)
	}
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
