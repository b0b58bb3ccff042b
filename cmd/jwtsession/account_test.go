package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/zalando/go-keyring"

	"github.com/jwtsession/jwtsession"
)

// writeProfiles writes the configuration file, and files beside it.
func writeProfiles(t *testing.T, content string, files ...string) {
	t.Helper()
	path, err := configurationFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Base(path), content)
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// resolveFlags is the account that a command line makes.
func resolveFlags(t *testing.T, stdin string, args ...string) (*account, error) {
	t.Helper()
	var flags accountFlags
	var a *account
	cmd := &cobra.Command{Use: "test", SilenceUsage: true, SilenceErrors: true, RunE: func(cmd *cobra.Command, _ []string) (err error) {
		a, err = flags.resolve(cmd)
		return err
	}}
	flags.register(cmd)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetArgs(args)
	return a, cmd.Execute()
}

const testProfiles = `
[default]
email = "default@example.com"
password_file = "default.password"
base_url = "https://default.example.com/v1"
cache = "none"

[work]
email = "work@example.com"
password_command = "echo from-work"
base_url = "https://work.example.com/v1/"

[nameless]
password_file = "default.password"
`

// The one order of precedence, as the root's help has it.
func TestEachSettingComesFromTheFirstPlaceThatHasIt(t *testing.T) {
	const none = "no credentials"
	login := jwtsession.Credentials{Email: "login@example.com", Password: "from-keyring"}
	for name, c := range map[string]struct {
		args         string
		environment  string // NAME=VALUE, with spaces between
		hasProfiles  bool
		hasLogin     bool
		email        string
		password     string
		passwordFrom string
		baseURL      string
		cache        string
	}{
		"nothing": {password: none, passwordFrom: "keyring", baseURL: jwtsession.DefaultBaseURL, cache: "file"},
		"the keyring": {
			hasLogin: true, email: login.Email, password: "from-keyring", passwordFrom: "keyring", baseURL: jwtsession.DefaultBaseURL, cache: "file"},
		"the default profile before the keyring": {
			hasProfiles: true, hasLogin: true,
			email: "default@example.com", password: "from-file", passwordFrom: "password_file", baseURL: "https://default.example.com/v1", cache: "none"},
		"a profile of the environment in place of the default one": {
			environment: "JWTSESSION_PROFILE=work", hasProfiles: true,
			email: "work@example.com", password: "from-work", passwordFrom: "password_command of profile work", baseURL: "https://work.example.com/v1", cache: "file"},
		"the environment before the profile that it names": {
			environment: "JWTSESSION_PROFILE=work JWTSESSION_EMAIL=env@example.com JWTSESSION_PASSWORD=from-env JWTSESSION_BASE_URL=https://env.example.com", hasProfiles: true,
			email: "env@example.com", password: "from-env", passwordFrom: passwordVariable, baseURL: "https://env.example.com", cache: "file"},
		"a profile of the flags before the environment": {
			args: "--profile work", environment: "JWTSESSION_PROFILE=default JWTSESSION_EMAIL=env@example.com JWTSESSION_PASSWORD=from-env JWTSESSION_BASE_URL=https://env.example.com", hasProfiles: true,
			email: "work@example.com", password: "from-work", passwordFrom: "password_command of profile work", baseURL: "https://work.example.com/v1", cache: "file"},
		"the flags before a profile of the flags": {
			args: "--profile work --email flag@example.com --password-stdin --base-url https://flag.example.com --cache none", hasProfiles: true,
			email: "flag@example.com", password: "from-stdin", passwordFrom: "standard input", baseURL: "https://flag.example.com", cache: "none"},
		"an e-mail address of the flags, and not the password of another": {
			args: "--email flag@example.com", environment: "JWTSESSION_EMAIL=env@example.com JWTSESSION_PASSWORD=from-env", hasProfiles: true,
			email: "flag@example.com", password: none, passwordFrom: "keyring", baseURL: "https://default.example.com/v1", cache: "none"},
		"an e-mail address of the flags with a password that names none": {
			args: "--email flag@example.com", environment: "JWTSESSION_PASSWORD=from-env",
			email: "flag@example.com", password: "from-env", passwordFrom: passwordVariable, baseURL: jwtsession.DefaultBaseURL, cache: "file"},
		"the keyring's password of an e-mail address": {
			args: "--email login@example.com", hasLogin: true,
			email: login.Email, password: "from-keyring", passwordFrom: "keyring", baseURL: jwtsession.DefaultBaseURL, cache: "file"},
		"the keyring has no password of this address": {
			args: "--email other@example.com", hasLogin: true,
			email: "other@example.com", password: none, passwordFrom: "keyring", baseURL: jwtsession.DefaultBaseURL, cache: "file"},
		"the keyring has no password of this API": {
			args: "--base-url https://other.example.com", hasLogin: true,
			password: none, passwordFrom: "keyring", baseURL: "https://other.example.com", cache: "file"},
		"a password without an e-mail address": {
			environment: "JWTSESSION_PASSWORD=from-env", hasLogin: true,
			password: none, passwordFrom: passwordVariable, baseURL: jwtsession.DefaultBaseURL, cache: "file"},
	} {
		t.Run(name, func(t *testing.T) {
			setHermetic(t)
			keyring.MockInit()
			if c.hasLogin {
				if err := storeLogin(t.Context(), jwtsession.DefaultBaseURL, login); err != nil {
					t.Fatal(err)
				}
			}
			if c.hasProfiles {
				writeProfiles(t, testProfiles, "default.password", "from-file\n")
			}
			for _, variable := range strings.Fields(c.environment) {
				name, value, _ := strings.Cut(variable, "=")
				t.Setenv(name, value)
			}
			a, err := resolveFlags(t, "from-stdin\r\n", strings.Fields(c.args)...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Retrieve(t.Context())
			if c.password == none {
				if exitCode(err) != exitUsage {
					t.Errorf("got error %v, want one of no credentials", err)
				}
			} else if err != nil || got.Password != c.password || got.Email != c.email {
				t.Errorf("got %s with the password %q and error %v, want %s with %q", got.Email, got.Password, err, c.email, c.password)
			}
			if !strings.HasPrefix(a.passwordFrom(), c.passwordFrom) || a.baseURL.value != c.baseURL || a.cache.value != c.cache {
				t.Errorf("got the password from %q, %s and cache %s; want %q, %s and %s", a.passwordFrom(), a.baseURL.value, a.cache.value, c.passwordFrom, c.baseURL, c.cache)
			}
		})
	}
}

func TestARotatedPasswordIsReadAnew(t *testing.T) {
	setHermetic(t)
	path := filepath.Join(t.TempDir(), "password")
	for name, args := range map[string][]string{
		"a file":    {"--password-file", path},
		"a command": {"--password-command", "cat '" + path + "'"},
	} {
		a, err := resolveFlags(t, "", append(args, "--email", "clerk@example.com")...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"the first", " the second\n"} {
			if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := a.Retrieve(t.Context()); err != nil || got.Password != want {
				t.Errorf("%s: got %q and error %v, want %q", name, got.Password, err, want)
			}
		}
	}
	a, err := resolveFlags(t, "once\n", "--password-stdin", "--email", "clerk@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := a.Retrieve(t.Context()); err != nil || got.Password != "once" {
			t.Errorf("standard input: got %q and error %v, want what was there at first", got.Password, err)
		}
	}
}

func TestAPasswordThatCannotBeReadIsAnErrorThatSaysWhy(t *testing.T) {
	setHermetic(t)
	t.Setenv(passwordVariable, "a secret")
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, longestPassword+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--password-file", "/no/such/file"}, "no such file"},
		{[]string{"--password-file", os.DevNull}, "is empty"},
		{[]string{"--password-file", large}, "longer than 65536 bytes"},
		{[]string{"--password-command", "exit 3"}, "exit status 3"},
		{[]string{"--password-command", "true"}, "is empty"},
		{[]string{"--password-command", `printf %s "$JWTSESSION_PASSWORD"`}, "is empty"},
		{[]string{"--password-stdin"}, "is empty"},
	} {
		a, err := resolveFlags(t, "", append(c.args, "--email", "clerk@example.com")...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want one with %q", c.args, err, c.want)
		}
	}
	a, err := resolveFlags(t, "", "--password-command", "sleep 60", "--email", "clerk@example.com")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Retrieve(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--timeout") {
		t.Errorf("a command that takes too long: got error %v, want one that names --timeout", err)
	}
}

func TestAWrongConfigurationIsAnErrorThatSaysWhatToChange(t *testing.T) {
	for _, c := range []struct {
		profiles, args, want string
	}{
		{"", "--profile work", `no profile "work" (--profile): `},
		{testProfiles, "--profile werk", "has default, nameless, work"},
		{"[work", "", "profiles are tables such as [work]"},
		{`email = "clerk@example.com"`, "", "profiles are tables such as [work]"},
		{"[work]\npassword = 'hunter2'", "", "has a password in it: take it out"},
		{"[work]\npassword = hunter2", "", `line 2 (last key "work.password"): this is no value: texts stand in quotes`},
		{"[work.extra]\npin = 123_\nkey = [\nhunter2]", "", `line 2 (last key "work.extra.pin"): this is no value`},
		{"[work.extra]\nkey = [\n\n  hunter2]", "", `this is no value`},
		{"[work]\nemail = 'a", "", "unexpected EOF"},
		{"[work]\nemail = 'a'\nemail = 'b'", "", `line 3 (last key "work.email"): work.email is there twice`},
		{"[work]\nemail = 'a'\n[work]\ncache = 'none'", "", "line 3: work is there twice"},
		{"[work]\n[work.extra]\npin = 'hunter2'\npin = 'hunter2'", "", "work.extra.pin is there twice"},
		{"[work]\nprotocol = 'strapi'\n[work.protocol]\ntoken = 't'", "", "work.protocol is there twice"},
		{"[work]\nextra.pin = 'hunter2'\nextra.pin.x = 'hunter2'", "", "work.extra.pin is there twice"},
		{"[work]\nextra = { pin = 'hunter2', pin = 'b' }", "", "work.extra.pin is there twice"},
		{"[[work]]\nemail = 'a'\n[work]\nemail = 'b'", "", "work is there twice"},
		{"[work]\nemail = 'a'\n[[work]]\nemail = 'b'", "", "work is there twice"},
		{"[work]\nbase-url = 'https://example.com'", "", "nothing is called work.base-url"},
		{"[default]\npassword_file = 'a'\npassword_command = 'b'", "", "both password_file and password_command"},
		{"[default]\nbase_url = 'http://example.com'", "", "use https (profile default)"},
		{"[default]\ncache = 'disk'", "", "no such cache (profile default)"},
		{"", "--cache redis://user:hunter2@localhost", "JWTSESSION_REDIS_PASSWORD"},
		{"", "--cache redis://localhost/x/y", "(--cache)"},
		{"", "--cache none --cache-dir /tmp", "--cache-dir is for"},
		{"", "--base-url http://example.com", "use https (--base-url)"},
		{"", "--timeout 0s", "more than zero"},
		{"", "--password-stdin --password-file x", "none of the others can be"},
	} {
		setHermetic(t)
		writeProfiles(t, c.profiles)
		_, err := resolveFlags(t, "", strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %s: got error %v, want one with %q", c.profiles, c.args, err, c.want)
		}
	}
}

// A service may have no home.
func TestWithoutAHomeTheCommandWorksWithoutACache(t *testing.T) {
	setHermetic(t)
	for _, name := range []string{"HOME", "USERPROFILE", "AppData", "LocalAppData", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, "")
	}
	a, err := resolveFlags(t, "")
	if err != nil || a.store.kind != "none" || !strings.Contains(a.store.name, "set HOME") {
		t.Errorf("got %+v and error %v, want no cache, and why", a, err)
	}
	if _, err := resolveFlags(t, "", "--cache", "file"); err == nil {
		t.Error("--cache file: got no error, want one")
	}
}

// X1: a URL that no command takes is listed all the same.
func TestTheListOfProfilesShowsNoPasswordInAURL(t *testing.T) {
	setHermetic(t)
	writeProfiles(t, "[work]\nbase_url = 'https://me:hunter2@example.com/'\ncache = 'redis://:hunter2@localhost'\n[lab]\nbase_url = 'https://me:hunter2@exa mple.com'\n")
	for _, output := range []string{"text", "json"} {
		var out strings.Builder
		if code := run(t.Context(), []string{"profiles", "--output", output}, nil, &out, io.Discard); code != exitOK || strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), "@example.com/") {
			t.Errorf("%s: got code %d and\n%s\nwant the URLs without their passwords", output, code, out.String())
		}
	}
}
