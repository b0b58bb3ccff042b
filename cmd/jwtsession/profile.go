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
type profile struct {
	Email           string `toml:"email"`
	BaseURL         string `toml:"base_url"`
	PasswordCommand string `toml:"password_command"`
	PasswordFile    string `toml:"password_file"`
	Cache           string `toml:"cache"`
}

const defaultProfile = "default"

// profilesHelp tells where profiles are, and what is in them.
const profilesHelp = `Profiles are the tables of jwtsession/config.toml in the user's configuration
directory: ~/.config, on macOS ~/Library/Application Support, on Windows
%AppData%. All of their keys may be left out.
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
	known, err := toml.DecodeFile(path, &profiles)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, path, nil
	}
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return nil, path, fmt.Errorf("read the profiles: %w", err)
	}
	if err != nil {
		return nil, path, fmt.Errorf("%s: %w; profiles are tables such as [work], see jwtsession --help", path, err)
	}
	unknown := known.Undecoded()
	switch {
	case len(unknown) == 0:
		return profiles, path, nil
	case unknown[0][len(unknown[0])-1] == "password":
		return nil, path, fmt.Errorf("%s has a password in it: take it out, and use password_command, password_file or jwtsession login", path)
	}
	return nil, path, fmt.Errorf("%s: nothing is called %s: a profile has email, base_url, password_command, password_file and cache", path, unknown[0])
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
	case p.PasswordFile != "" && p.PasswordCommand != "":
		return settings{}, setting{}, fmt.Errorf("profile %q in %s has both password_file and password_command: leave one", name.value, path)
	}
	return p.settings("profile "+name.value, filepath.Dir(path), stderr), setting{name.value, path}, nil
}

// settings are what the profile has to say. Its file names are relative to
// directory.
func (p profile) settings(from, directory string, stderr io.Writer) settings {
	s := settings{
		baseURL: setting{p.BaseURL, from},
		email:   setting{p.Email, from},
		cache:   setting{p.Cache, from},
	}
	switch {
	case p.PasswordFile != "":
		path := p.PasswordFile
		if rest, inHome := strings.CutPrefix(path, "~/"); inHome {
			home, _ := os.UserHomeDir()
			path = filepath.Join(home, rest)
		} else if !filepath.IsAbs(path) {
			path = filepath.Join(directory, path)
		}
		s.password = passwordFromFile(path, "password_file "+path+" of "+from)
	case p.PasswordCommand != "":
		s.password = passwordFromCommand(p.PasswordCommand, "password_command of "+from, stderr)
	}
	return s
}

func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	profiles, _, _ := loadProfiles()
	return slices.Sorted(maps.Keys(profiles)), cobra.ShellCompDirectiveNoFileComp
}
