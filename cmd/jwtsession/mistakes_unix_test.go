//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// An empty value is what a script has whose secret is not there: taking it for
// none would send the password to another API.
func TestAnEmptyValueIsAMistakeAndNoDefault(t *testing.T) {
	b := newBox(t)
	variables := []string{passwordVariable, codeVariable, profileVariable, redisPasswordVariable, clientSecretVariable}
	for _, s := range settingFlags {
		if s.name != passwordCommandSetting && s.name != codeCommandSetting {
			variables = append(variables, s.name.variable())
		}
		code, _, stderr := b.run(t, "token", "--"+s.name.flag(), "")
		if want := "jwtsession: --" + s.name.flag() + " is empty: "; code != exitUsage || !strings.HasPrefix(stderr, want) {
			t.Errorf("--%s: got code %d and %q, want %d and %q", s.name.flag(), code, stderr, exitUsage, want)
		}
	}
	for _, variable := range variables {
		cmd := b.command(t, "token")
		cmd.Env = append(cmd.Env, variable+"=")
		code, _, stderr := finish(t, cmd)
		if want := "jwtsession: " + variable + " is set, and empty: "; code != exitUsage || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: got code %d and %q, want %d and %q", variable, code, stderr, exitUsage, want)
		}
	}
	setHermetic(t)
	writeProfiles(t, "[default]\nbase_url = ''\n")
	if code, _, stderr := commandLine(t, "token"); code != exitUsage || !strings.Contains(stderr, "default.base_url is empty") {
		t.Errorf("a profile: got code %d and %q, want %d and which key is empty", code, stderr, exitUsage)
	}
	b.wantCalls(t, map[sessiontest.Op]int{})
}

// Who can write into one of these says what the command runs, or whom it signs
// in, or under which key.
func TestAFileThatOthersCanChangeIsRefused(t *testing.T) {
	b := newBox(t)
	home := t.TempDir()
	b = b.with("HOME="+home, "XDG_CONFIG_HOME="+home, "JWTSESSION_PASSWORD=")
	config := filepath.Join(home, "jwtsession", "config.toml")
	if err := os.Mkdir(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	password, key := filepath.Join(home, "password"), filepath.Join(home, "key")
	for _, c := range []struct {
		config, password, key os.FileMode
		refused               string
	}{
		{0o644, 0o644, 0o644, ""},
		{0o600, 0o400, 0o600, ""},
		{0o620, 0o600, 0o600, config},
		{0o602, 0o600, 0o600, config},
		{0o600, 0o664, 0o600, password},
		{0o600, 0o606, 0o600, password},
		{0o600, 0o600, 0o660, key},
	} {
		for _, name := range []string{config, password, key} {
			os.Remove(name)
		}
		write(config, "[default]\npassword_file = '"+password+"'\ncache_key_file = '"+key+"'\n", c.config)
		write(password, sessiontest.Password+"\n", c.password)
		write(key, strings.Repeat("k", cacheKeySize), c.key)
		code, stdout, stderr := b.run(t, "token")
		if c.refused == "" {
			if code != exitOK {
				t.Errorf("%+v: got code %d and %q, want a token", c, code, stderr)
			}
			continue
		}
		if want := "run chmod go-w '" + c.refused + "'"; code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%+v: got code %d, %d bytes on stdout and %q, want %d, none and %q", c, code, len(stdout), stderr, exitUsage, want)
		}
	}
	os.Remove(config)
	if code, _, stderr := b.run(t, "token", "--password-file", filepath.Join(home, "none")); code != exitUsage || !strings.Contains(stderr, "no such file") {
		t.Errorf("a file that is not there: got code %d and %q, want %d", code, stderr, exitUsage)
	}
}
