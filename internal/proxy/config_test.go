package proxy

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatContradictsItselfOrIsNotSafeIsAnErrorThatSaysWhatToGive(t *testing.T) {
	const short = "123456789012345"
	remote := func(c *Config) {
		c.Address, c.AllowRemote, c.CertFile, c.KeyFile, c.Secret = "0.0.0.0:0", true, "cert", "key", short+"6"
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // "": no error
	}{
		"nothing":                         {func(*Config) {}, ""},
		"a secret of 15 bytes":            {func(c *Config) { c.Secret = short }, "has 15 bytes: give at least 16"},
		"a secret of 16":                  {func(c *Config) { c.Secret = short + "6" }, ""},
		"a secret of the first and last":  {func(c *Config) { c.Secret = strings.Repeat("!~", 8) }, ""},
		"a secret with a space":           {func(c *Config) { c.Secret = short + " " }, "visible ASCII"},
		"a secret with a DEL":             {func(c *Config) { c.Secret = short + "\x7f" }, "visible ASCII"},
		"a secret with a letter of two":   {func(c *Config) { c.Secret = short + "\u00e4" }, "visible ASCII"},
		"a certificate without its key":   {func(c *Config) { c.CertFile = "cert" }, "give both"},
		"a key without its certificate":   {func(c *Config) { c.KeyFile = "key" }, "give both"},
		"fewer connections than none":     {func(c *Config) { c.MaxConnections = -1 }, "is -1: give one or more"},
		"less than no time to drain":      {func(c *Config) { c.Drain = -1 }, "give zero or more"},
		"less than no time for the API":   {func(c *Config) { c.UpstreamTimeout = -1 }, "give zero or more"},
		"a socket without a path":         {func(c *Config) { c.Address = "unix:" }, "without a path"},
		"a socket":                        {func(c *Config) { c.Address = "unix:/tmp/s" }, ""},
		"a socket for other machines":     {func(c *Config) { remote(c); c.Address = "unix:/tmp/s" }, "for this machine alone"},
		"no port":                         {func(c *Config) { c.Address = "localhost" }, "give a host and a port"},
		"this machine, by its name":       {func(c *Config) { c.Address = "localhost:0" }, ""},
		"this machine, by its address":    {func(c *Config) { c.Address = "127.0.0.2:0" }, ""},
		"this machine, in IPv6":           {func(c *Config) { c.Address = "[::1]:0" }, ""},
		"all interfaces":                  {func(c *Config) { c.Address = ":0" }, "other machines could reach"},
		"another machine's name":          {func(c *Config) { c.Address = "example.com:0" }, "other machines could reach"},
		"other machines":                  {remote, ""},
		"other machines without TLS":      {func(c *Config) { remote(c); c.CertFile, c.KeyFile = "", "" }, "need TLS"},
		"other machines without a secret": {func(c *Config) { remote(c); c.Secret = "" }, "need a secret"},
		"a further host":                  {func(c *Config) { c.Hosts = []string{"api"} }, "needs a client secret or TLS"},
		"a further host with a secret":    {func(c *Config) { c.Hosts, c.Secret = []string{"api"}, short+"6" }, ""},
		"a further host with TLS":         {func(c *Config) { c.Hosts, c.CertFile, c.KeyFile = []string{"api"}, "cert", "key" }, ""},
	} {
		var config Config
		c.change(&config)
		expectError(t, name, config.Validate(), c.want)
	}
}

// expectError compares an error with what it is to say; "" stands for none.
func expectError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || !strings.Contains(fmt.Sprint(err), want) && want != "" {
		t.Errorf("%s: got error %v, want %q", what, err, want)
	}
}

// A name begins paths, of which those below /-/ are the proxy's own, and has to
// mean the same in every reading of them.
func TestTheNamesOfSeveralAPIsCanBeginPaths(t *testing.T) {
	for name, want := range map[string]string{
		"work": "", "Lab-2": "", "a_b": "", "_": "", "--": "",
		"": "give letters", "-": "give letters", "a.b": "give letters", "a/b": "give letters", "a b": "give letters", "a%41": "give letters", "\u00e4": "give letters",
		"other": "give each its own name",
	} {
		expectError(t, fmt.Sprintf("%q of two", name), ValidateNames([]string{"other", name}), want)
	}
	expectError(t, "none", ValidateNames(nil), "no APIs")
	expectError(t, "one without a name", ValidateNames([]string{""}), "")
}

func TestAURLOfAnAPIHasASchemeAHostAndNothingButAPath(t *testing.T) {
	for base, usable := range map[string]bool{
		"https://api.example.com": true, "http://127.0.0.1:1/v1": true,
		"https://api.example.com/%zz": false, "https:///v1": false, "api.example.com": false, "": false,
		"https://user@api.example.com": false, "https://api.example.com/v1?x": false, "https://api.example.com/v1#x": false, "ftp://api.example.com": false,
	} {
		want := ""
		if !usable {
			want = "give one like https://"
		}
		_, err := parseBase(base)
		expectError(t, base, err, want)
	}
}
