package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
)

func newProfilesCommand() *cobra.Command {
	output := choice{value: "text", of: []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "List the profiles",
		Long: `List the profiles, and what is in them. The one in use without --profile has a
star: the one that JWTSESSION_PROFILE names, or else the one named default.

` + profilesHelp,
		Example: `  jwtsession login --profile work
  jwtsession profiles`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			profiles, path, err := loadProfiles()
			if err != nil {
				return &usageError{err}
			}
			if output.value == "json" {
				shown := map[string]map[string]any{}
				for name, p := range profiles {
					shown[name] = p.shown()
				}
				return printJSON(cmd.OutOrStdout(), shown)
			}
			if len(profiles) == 0 {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "There are none in %s\n", path)
				return err
			}
			used := cmp.Or(os.Getenv(profileVariable), defaultProfile)
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, name := range slices.Sorted(maps.Keys(profiles)) {
				star := " "
				if name == used {
					star = "*"
				}
				p := profiles[name]
				fmt.Fprintf(table, "%s %s\t%s\t%s\t%s\n", star, printable(name), printable(p.values[emailSetting]),
					printable(withoutPassword(cmp.Or(p.values[baseURLSetting], jwtsession.DefaultBaseURL))), p.passwordFrom())
			}
			return table.Flush()
		},
	}
	output.register(cmd, "the list")
	return cmd
}

// passwordFrom says which key of the profile has the password's place.
func (p profile) passwordFrom() string {
	for _, name := range []settingName{passwordFileSetting, passwordCommandSetting} {
		if p.values[name] != "" {
			return string(name)
		}
	}
	return "keyring or environment"
}

// shown is what the profile has, but for what may be secret.
func (p profile) shown() map[string]any {
	all := map[string]any{}
	for name, value := range p.values {
		all[string(name)] = value
		if name == baseURLSetting || name == cacheSetting {
			all[string(name)] = withoutPassword(value)
		}
	}
	if p.extra != nil {
		all[string(extraTable)] = slices.Sorted(maps.Keys(p.extra))
	}
	return all
}

// withoutPassword is a URL, or a word in its place, as it may be shown: no command
// takes one with a password in it, but it is listed.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "no URL"
	}
	return u.Redacted()
}

// addProfile writes a new profile at the end of the file, whose other content
// stays as it is.
func addProfile(name string, p profile) (path string, err error) {
	path, err = configurationFile()
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	var b strings.Builder
	b.Write(content)
	if len(content) > 0 {
		b.WriteString("\n")
	}
	if err := toml.NewEncoder(&b).Encode(map[string]map[settingName]string{name: p.values}); err != nil {
		return path, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return path, err
	}
	return path, replaceFile(path, b.String())
}
