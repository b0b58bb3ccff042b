package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jwtsession/jwtsession"
)

// setting is a value, and where it comes from, in words.
type setting struct{ value, from string }

// or returns s, or other if s has no value.
func (s setting) or(other setting) setting {
	if s.value != "" {
		return s
	}
	return other
}

// settingName names a setting as profiles have it. Its flag and its variable are
// named after it: base_url, --base-url and JWTSESSION_BASE_URL.
type settingName string

const (
	baseURLSetting      settingName = "base_url"
	emailSetting        settingName = "email"
	passwordFileSetting settingName = "password_file"
	cacheSetting        settingName = "cache"
	cacheDirSetting     settingName = "cache_dir"
	cacheKeyFileSetting settingName = "cache_key_file"
	caFileSetting       settingName = "ca_file"
	clientCertSetting   settingName = "client_cert"
	clientKeySetting    settingName = "client_key"
	protocolSetting     settingName = "protocol"
	codeFileSetting     settingName = "code_file"

	// The commands have no variable: an environment should run nothing.
	passwordCommandSetting settingName = "password_command"
	codeCommandSetting     settingName = "code_command"
)

func (n settingName) flag() string     { return strings.ReplaceAll(string(n), "_", "-") }
func (n settingName) variable() string { return "JWTSESSION_" + strings.ToUpper(string(n)) }

// isPath reports whether the setting names a file or a directory.
func (n settingName) isPath() bool {
	switch n {
	case baseURLSetting, protocolSetting, emailSetting, cacheSetting, passwordCommandSetting, codeCommandSetting:
		return false
	}
	return true
}

// settingFlag is a setting, and what the help of its flag says.
type settingFlag struct {
	name  settingName
	usage string
}

// settingFlags are all settings.
var settingFlags = []settingFlag{
	{baseURLSetting, "the API's base `URL` (default " + jwtsession.DefaultBaseURL + ")"},
	{protocolSetting, "the protocol of this `name`, see jwtsession protocols (default " + pacerPro + ")"},
	{emailSetting, "the account's e-mail `address`, or what else names it"},
	{caFileSetting, "trust the authorities in this PEM `file`, and no others"},
	{clientCertSetting, "show the API the certificate in this PEM `file`"},
	{clientKeySetting, "the `file` of the certificate's key (default that of the certificate)"},
	{passwordFileSetting, "read the password from this `file`, anew at each sign-in"},
	{passwordCommandSetting, "read the password from the output of this shell `command`, anew at each sign-in"},
	{codeFileSetting, "read the one-time code from this `file`, if a sign-in needs one"},
	{codeCommandSetting, "read the one-time code from the output of this shell `command`"},
	{cacheSetting, "the `store` of the session: file, none, keyring, or redis://HOST:PORT (default file)"},
	{cacheDirSetting, "the `directory` of the file cache (default jwtsession in the user's cache directory)"},
	{cacheKeyFileSetting, "seal the cache with the key in this `file`, 32 bytes or their base64, and not with the password"},
}

// loginFlags are how many of settingFlags login has as well.
const loginFlags = 6

// settings are what one place has to say about an account.
type settings struct {
	values         map[settingName]setting
	described      *jwtsession.Protocol // that a profile has in place of a protocol's name
	password, code *secretSource        // nil: none
	extra          map[string]setting   // by the names that variables have
	directory      string               // that a profile's files are relative to; empty: it is no profile
}

// accountFlags are the flags of the commands that need an account.
type accountFlags struct {
	profile       string
	newProfile    string // is to be made; no other is used
	passwordStdin bool
	description   string // the file with the protocol; empty: none
	timeout       time.Duration
	verbose       bool
}

// defaultTimeout is shorter than the library's: somebody looks at the screen.
const defaultTimeout = 10 * time.Second

func (f *accountFlags) register(cmd *cobra.Command) {
	f.registerAPI(cmd)
	flags := cmd.Flags()
	for _, s := range settingFlags[loginFlags:] {
		flags.String(s.name.flag(), "", s.usage)
	}
	cmd.MarkFlagsMutuallyExclusive("password-stdin", passwordFileSetting.flag(), passwordCommandSetting.flag())
	cmd.MarkFlagsMutuallyExclusive(codeFileSetting.flag(), codeCommandSetting.flag())
	cmd.RegisterFlagCompletionFunc("cache", cobra.FixedCompletions([]string{"file", "none", "keyring", "redis://"}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	cmd.MarkFlagDirname("cache-dir")
}

// registerAPI registers the flags that login has as well.
func (f *accountFlags) registerAPI(cmd *cobra.Command) {
	flags := cmd.Flags()
	for _, s := range settingFlags[:loginFlags] {
		flags.String(s.name.flag(), "", s.usage)
	}
	flags.StringVar(&f.profile, "profile", "", "use the profile of this `name`")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.DurationVar(&f.timeout, "timeout", defaultTimeout, "how long a sign-in may take, retries included")
	flags.BoolVar(&f.verbose, "verbose", false, "tell of each session call on stderr: method, path, status and time")
	cmd.RegisterFlagCompletionFunc("profile", completeProfiles)
	cmd.RegisterFlagCompletionFunc(protocolSetting.flag(), cobra.FixedCompletions(protocolNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []settingName{baseURLSetting, emailSetting} {
		cmd.RegisterFlagCompletionFunc(name.flag(), cobra.NoFileCompletions)
	}
}

// settings are what the flags have to say.
func (f *accountFlags) settings(cmd *cobra.Command) (settings, error) {
	s := settings{values: map[settingName]setting{}}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		for _, known := range settingFlags {
			if flag.Name == known.name.flag() {
				s.values[known.name] = setting{flag.Value.String(), "--" + flag.Name}
			}
		}
	})
	s.findSecrets(cmd.ErrOrStderr())
	if f.description != "" {
		if name := s.values[protocolSetting]; name.value != "" {
			return s, fmt.Errorf("there is a file with a description, and %s as well: leave one", name.from)
		}
		p, err := readDescription(f.description)
		if err != nil {
			return s, err
		}
		s.values[protocolSetting], s.described = setting{f.description, "a file"}, &p
	}
	if f.passwordStdin {
		if isTerminal(cmd.InOrStdin()) {
			return s, errors.New("--password-stdin reads from a pipe or a file, and standard input is a terminal: use jwtsession login there")
		}
		s.password = passwordFromInput(cmd.InOrStdin())
	}
	return s, nil
}

// findSecrets takes the password and the one-time code from the files and the
// commands that the settings name.
func (s *settings) findSecrets(stderr io.Writer) {
	of := func(what string, file, command settingName) *secretSource {
		if path := s.values[file]; path.value != "" {
			return secretFromFile(what, path.value, path.toldOf(file))
		}
		if line := s.values[command]; line.value != "" {
			return secretFromCommand(what, line.value, line.toldOf(command), stderr)
		}
		return nil
	}
	s.password = of(thePassword, passwordFileSetting, passwordCommandSetting)
	s.code = of("the one-time code", codeFileSetting, codeCommandSetting)
}

// toldOf says where the setting of the name is from, and which file it is.
func (s setting) toldOf(name settingName) string {
	file := ""
	if name.isPath() {
		file = " " + s.value
	}
	switch s.from {
	case name.variable():
		return s.from
	case "--" + name.flag():
		return s.from + file
	}
	return string(name) + file + " of " + s.from
}

const (
	codeVariable          = "JWTSESSION_CODE"
	passwordVariable      = "JWTSESSION_PASSWORD"
	profileVariable       = "JWTSESSION_PROFILE"
	redisPasswordVariable = "JWTSESSION_REDIS_PASSWORD"
)

// environment is what the environment has to say. A variable that is set has a
// value: an empty one is a secret that was not there, or a mistyped name, and
// what would stand in for it is another account.
func environment() (settings, error) {
	s := settings{values: map[settingName]setting{}}
	for _, variable := range []string{passwordVariable, codeVariable, profileVariable, redisPasswordVariable, clientSecretVariable} {
		if value, isSet := os.LookupEnv(variable); isSet && value == "" {
			return s, emptyVariable(variable)
		}
	}
	for _, known := range settingFlags {
		variable := known.name.variable()
		value, isSet := os.LookupEnv(variable)
		switch {
		case !isSet || known.name == passwordCommandSetting || known.name == codeCommandSetting:
		case value == "":
			return s, emptyVariable(variable)
		default:
			s.values[known.name] = setting{value, variable}
		}
	}
	var err error
	if s.extra, err = extraOfEnvironment(); err != nil {
		return s, err
	}
	s.findSecrets(nil) // there are no commands
	for _, secret := range []struct {
		variable string
		file     settingName
		source   **secretSource
	}{{passwordVariable, passwordFileSetting, &s.password}, {codeVariable, codeFileSetting, &s.code}} {
		value, isSet := os.LookupEnv(secret.variable)
		switch {
		case isSet && *secret.source != nil:
			return s, fmt.Errorf("%s and %s are both set: unset one", secret.variable, secret.file.variable())
		case isSet:
			*secret.source = &secretSource{secret.variable, func(context.Context) (string, error) { return value, nil }}
		}
	}
	return s, nil
}

func emptyVariable(name string) error {
	return fmt.Errorf("%s is set, and empty: give it a value, or unset it", name)
}

// emptyFlag finds a flag that was given an empty text, as a script's unset
// variable does. It takes no default's place.
func emptyFlag(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Value.Type() == "string" && flag.Value.String() == "" {
			err = fmt.Errorf("--%s is empty: give it a value, or leave it out", flag.Name)
		}
	})
	return err
}

// precedence is the one order in which an account's settings are looked for. The
// root's help has it.
const precedence = `The API, its protocol, the e-mail address, the password, the cache and the files
for TLS each come from the first of these that has one. "jwtsession status"
shows which that was. An empty value is a mistake.
  1  the flags: --base-url, --protocol, --email, --cache, --cache-dir,
     --cache-key-file, --ca-file, --client-cert, --client-key, and one of
     --password-stdin, --password-file and --password-command
  2  the profile that --profile names
  3  the environment: JWTSESSION_BASE_URL, JWTSESSION_PROTOCOL,
     JWTSESSION_EMAIL and so on, and JWTSESSION_PASSWORD or
     JWTSESSION_PASSWORD_FILE
  4  the profile that JWTSESSION_PROFILE names, else the one named default
  5  for the credentials: the keyring, where "jwtsession login" puts them
  6  for the API: PacerPro's, https://api.pacerpro.com/v1; for the cache: file
A password beside an e-mail address is for that address alone. No flag takes a
password as its value: every process could read it.

What a protocol wants by names of its own, such as a tenant or a client's
secret, is in JWTSESSION_EXTRA_TENANT, JWTSESSION_EXTRA_TENANT_FILE, or below
[NAME.extra] of a profile, and the keyring has it as well; it may be empty. A
one-time code is read or asked for when there is a sign-in that needs one:
--code-file, --code-command, JWTSESSION_CODE, JWTSESSION_CODE_FILE, code_file or
code_command of a profile, or else at the terminal.`
