package main

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// speaking is a server that speaks a protocol strictly, and commands that use it.
func speaking(t *testing.T, p jwtsession.Protocol, extra map[string]string, options ...sessiontest.Option) (*sessiontest.Server, *box) {
	t.Helper()
	server := sessiontest.NewServer(append([]sessiontest.Option{sessiontest.WithProtocol(p), sessiontest.WithExtra(extra), sessiontest.Strict(t)}, options...)...)
	t.Cleanup(server.Close)
	b := boxAt(t, server.URL)
	for name, value := range extra {
		b = b.with(extraVariable + extraKey(name) + "=" + value)
	}
	return server, b
}

// byName is speaking, for a protocol that has a name.
func byName(t *testing.T, name string, extra map[string]string, options ...sessiontest.Option) (*sessiontest.Server, *box) {
	t.Helper()
	p, found := protocols.ByName(name)
	if !found {
		t.Fatalf("there is no protocol %s", name)
	}
	server, b := speaking(t, p, extra, options...)
	return server, b.with("JWTSESSION_PROTOCOL=" + name)
}

// get requests the server's resource with header lines, as curl -H @- does.
func get(t *testing.T, server *sessiontest.Server, lines string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		req.Header.Add(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestEveryCommandWorksWhateverTheProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		extra     map[string]string
		options   []sessiontest.Option
		headers   []string // that a request needs
		nameless  bool
		rejection int // after the log-out; zero: there is none
	}{
		"oauth2-client-credentials": {extra: map[string]string{"scope": ""}, headers: []string{"Authorization: Bearer "}, rejection: 401},
		"oauth2-password": {
			extra: map[string]string{"client_id": "an id", "client_secret": "a client's secret", "scope": "offline_access"}, options: []sessiontest.Option{sessiontest.WithReuseDetection()},
			headers: []string{"Authorization: Bearer "}, rejection: 401},
		"pocketbase": {headers: []string{"Authorization: Bearer "}},
		"proxmox":    {headers: []string{"Cookie: PVEAuthCookie=", "Csrfpreventiontoken: "}},
		"redfish":    {headers: []string{"X-Auth-Token: "}, rejection: 401},
		"pi-hole":    {headers: []string{"X-Ftl-Sid: "}, nameless: true, rejection: 401},
		"supabase":   {extra: map[string]string{"apikey": "an-anon-key"}, headers: []string{"Apikey: an-anon-key", "Authorization: Bearer "}, rejection: 401},
		"jellyfin":   {extra: map[string]string{"device_id": "a device"}, headers: []string{`Authorization: MediaBrowser Token="`}, rejection: 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, b := byName(t, name, c.extra, c.options...)
			if c.nameless {
				b = b.with("JWTSESSION_EMAIL=")
			}
			run := func(args ...string) string {
				t.Helper()
				code, stdout, stderr := b.run(t, args...)
				if code != exitOK || stderr != "" {
					t.Fatalf("%q: got code %d and stderr %q, want %d and none", args, code, stderr, exitOK)
				}
				return stdout
			}
			if text := run("status"); !strings.Contains(text, "there is no session in the cache") || server.Counts().Creates != 0 {
				t.Errorf("status before the sign-in: got\n%s\nand %+v", text, server.Counts())
			}
			token := strings.TrimSpace(run("token"))
			header := run("token", "--output", "header")
			lines := strings.Split(strings.TrimSpace(header), "\n")
			if len(lines) != len(c.headers) || get(t, server, header) != http.StatusOK {
				t.Errorf("token --output header: got %d lines, want %q, and a request that is signed in", len(lines), c.headers)
			}
			for i, want := range c.headers {
				if i < len(lines) && !strings.HasPrefix(lines[i], want) {
					t.Errorf("token --output header: line %d is not %q…", i, want)
				}
			}
			if got := run("api", "GET", "/me"); !strings.Contains(got, sessiontest.Email) {
				t.Errorf("api: got %q, want the resource", got)
			}
			if runtime.GOOS != "windows" {
				environment := run("exec", "--", "env")
				for _, want := range []string{"JWTSESSION_TOKEN=" + token, "JWTSESSION_PROTOCOL=" + name, "JWTSESSION_BASE_URL=" + server.URL} {
					if !slices.Contains(strings.Split(environment, "\n"), want) {
						t.Errorf("exec: got no %s…", want[:20])
					}
				}
				for _, secret := range []string{"JWTSESSION_PASSWORD", extraVariable} {
					if strings.Contains(environment, secret) {
						t.Errorf("exec: the command has %s in its environment", secret)
					}
				}
			}
			status := run("status")
			flat := strings.Join(strings.Fields(status), " ")
			for _, want := range []string{"protocol " + name + " (JWTSESSION_PROTOCOL)", "session live"} {
				if !strings.Contains(flat, want) {
					t.Errorf("status: got no %q in\n%s", want, status)
				}
			}
			for name := range c.extra {
				if want := "from " + extraVariable + extraKey(name); !strings.Contains(status, want) {
					t.Errorf("status: got no %q in\n%s", want, status)
				}
			}
			for _, secret := range append(slices.Collect(maps.Values(c.extra)), sessiontest.Password, token) {
				if secret != "" && strings.Contains(status, secret) {
					t.Error("status: a secret is in it")
				}
			}
			if counts := server.Counts(); counts.Creates != 1 || counts.Refreshes != 0 {
				t.Errorf("got %+v, want one sign-in for all", counts)
			}
			want, status2 := "the session has ended, for all that share it", c.rejection
			if c.rejection == 0 {
				want, status2 = "has no log-out: the API was not called", http.StatusOK
			}
			if text := run("logout", "--yes"); !strings.Contains(text, want) || get(t, server, header) != status2 {
				t.Errorf("logout: got %q, want %q, and %d to a request afterwards", text, want, status2)
			}
			if text := run("status"); !strings.Contains(text, "there is no session in the cache") {
				t.Errorf("status after the log-out: got\n%s", text)
			}
		})
	}
}

// config is the configuration file of a box.
func (b *box) config(t *testing.T, content string, files ...string) *box {
	t.Helper()
	directory := t.TempDir()
	path := filepath.Join(directory, "jwtsession")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	files = append(files, "config.toml", content)
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(path, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.with("XDG_CONFIG_HOME="+directory, "AppData="+directory)
}

// tenants is a protocol of nobody's, with all that a description may have.
const tenants = `
sign_in = """
POST /{tenant}/login
X-Client: {client-secret}

{"user": "{email}", "password": "{password}"}"""
refresh = """
POST /{tenant}/refresh

{"refresh": "{refresh}"}"""
log_out = """
DELETE /login/{id}
Cookie: SID={token}"""
token = "data.token"
expires_in = "data.life ms"
keep = { refresh = "data.refresh", id = "header:X-Id", csrf = "cookie:csrf" }
renewable_for = "24h"
send = ["Cookie: SID={token}", "X-CSRF: {csrf}"]
rejects = [401, 419]
`

func tenantsProtocol(t *testing.T) jwtsession.Protocol {
	t.Helper()
	read, err := parseTOML(tenants)
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProtocol(read, nil)
	if err != nil {
		t.Fatal(err)
	}
	return *p
}

func TestAWrongDescriptionOrAWrongNameIsOneLineThatNamesIt(t *testing.T) {
	const lab = "[lab]\nbase_url = 'https://lab.example.com'\nemail = 'e'\npassword_file = 'p'\n"
	const login = "[lab.protocol]\nsign_in = 'POST /l?u={email}'\ntoken = 't'\n"
	for _, c := range []struct{ config, args, want string }{
		{lab + "protocol = 'pocketbass'", "", `there is no protocol "pocketbass" (profile lab): did you mean pocketbase?`},
		{lab + "protocol = 7", "", "lab.protocol is no text: write it in quotes"},
		{lab + login + "expire_in = '2h'", "", "nothing is called lab.protocol.expire_in: did you mean expires_in?"},
		{lab + login + "expires_in = '-2h'", "", "lab.protocol.expires_in: -2h0m0s is no life"},
		{lab + login + "renewable_for = 'soon'", "", `lab.protocol.renewable_for: "soon" is no duration`},
		{lab + login + "refresh = 'POST /r?t={tokn}'", "", "lab.protocol.refresh: unknown placeholder {tokn}: did you mean {token}?"},
		{lab + "[lab.protocol]\ntoken = 't'", "", "lab.protocol.sign_in: there is none"},
		{lab + "[lab.protocol]\nsign_in = 'POST /l'", "", "lab.protocol.token: there is none"},
		{lab + login + "[lab.extra]\ntenant = 'hunter2'", "", "has no {tenant} (extra.tenant of profile lab): it wants nothing by a name of its own"},
		{lab + "protocol = 'supabase'\n[lab.extra]\napikye = 'hunter2'", "", "has no {apikye} (extra.apikye of profile lab): did you mean apikey?"},
		{lab + "protocol = 'supabase'\n[lab.extra]\napikey = 'hunter2'\napikey_file = 'x'", "", "more than one {apikey}"},
		{lab + "protocol = 'supabase'\n[lab.extra]\napikey_file = '/dev/null'", "", "what is there for {apikey} (extra.apikey_file of profile lab) is empty"},
		{lab + "protocol = 'supabase'\n[lab.extra]\n'a b' = 'hunter2'", "", `lab.extra."a b" can stand for no placeholder: give it letters, digits, - and _, and a letter first`},
		{lab + "protocol = 'supabase'\n[lab.extra]\n1a = 'hunter2'", "", "lab.extra.1a can stand for no placeholder"},
		{lab + "protocol = 'supabase'\n[lab.extra]\n'' = 'hunter2'", "", `lab.extra."" can stand for no placeholder`},
		{lab + "protocol = 'supabase'\n[lab.extra]\napikey = 'hunter2'\nApiKey = 'b'", "", "lab.extra.ApiKey and lab.extra.apikey are one name: leave one"},
		{lab + "protocol = 'supabase'\n[lab.extra]\nApiKey_File = 'hunter2'\napikey-file = 'b'", "", "are one name: leave one"},
		{lab + "protocol = 'supabase'\n[lab.extra]\napikey = 7", "", "lab.extra.apikey is no text"},
		{lab + "protocol = 'supabase'\nextra = 'hunter2'", "", "lab.extra is no table"},
		{lab + "protocol = 'supabase'", "", "wants {apikey}: set JWTSESSION_EXTRA_APIKEY, or apikey below [NAME.extra]"},
		{lab + "protocol = 'supabase'\n[lab.extra]\napikey = 'hunter2'", "--email another", "wants {apikey}: set JWTSESSION_EXTRA_APIKEY"},
		{lab + "code_file = 'a'\ncode_command = 'b'", "", "both code_file and code_command"},
		{lab + "protocl = 'supabase'", "", "nothing is called lab.protocl: did you mean protocol?"},
		{"", "--protocol pocketbase --base-url https://e.example.com --email e", "there is no password for e (--email)"},
		{"", "--protocol pocketbase", "the protocol pocketbase (--protocol) needs the URL of its API: give --base-url"},
		{"", "--protocol nothing-like-it", "see jwtsession protocols"},
		{"", "--protocol home-assistant --base-url https://e.example.com", "wants {client_id}: set JWTSESSION_EXTRA_CLIENT_ID"},
		{"", "--protocol strapi --base-url http://e.example.com", "use https (--base-url)"},
	} {
		setHermetic(t)
		writeProfiles(t, c.config, "p", "hunter2")
		args := append([]string{"token"}, strings.Fields(c.args)...)
		if c.config != "" {
			t.Setenv(passwordVariable, "hunter2")
			args = append(args, "--profile", "lab")
		}
		code, stdout, stderr := commandLine(t, args...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s%s: got code %d and %q, want %d and one line with %q", c.config, c.args, code, stderr, exitUsage, c.want)
		}
	}
}

func TestTheListOfProtocolsSaysWhatEachWants(t *testing.T) {
	code, list, stderr := commandLine(t, "protocols")
	if code != exitOK || stderr != "" || strings.Count(list, "\n") != len(protocolNames())+1 {
		t.Errorf("got code %d, %q and\n%s\nwant a line for each", code, stderr, list)
	}
	for _, want := range []string{
		"\npocketbase                 with the token        none     email, password\n",
		"\nsupabase                   with a refresh token  yes      email, password, apikey\n",
		"\npi-hole                    with the token        yes      password\n",
		"\nstrapi                     by signing in         none     email, password\n",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("got no %q in\n%s", want, list)
		}
	}
	if code, _, stderr := commandLine(t, "protocols", "pocketbass"); code != exitUsage || !strings.Contains(stderr, "did you mean pocketbase?") {
		t.Errorf("a name that there is not: got code %d and %q", code, stderr)
	}
}

// What protocols shows of one can be pasted, and is the same protocol.
func TestEveryProtocolIsShownAsAProfileMayHaveIt(t *testing.T) {
	for name, p := range protocols.All() {
		code, text, stderr := commandLine(t, "protocols", name)
		if code != exitOK {
			t.Errorf("%s: got code %d and %q", name, code, stderr)
		}
		setHermetic(t)
		writeProfiles(t, "[lab.protocol]\n"+text)
		profiles, _, err := loadProfiles()
		if err != nil {
			t.Errorf("%s: %v, in\n%s", name, err, text)
			continue
		}
		if got := profiles["lab"].protocol; name != pacerPro && !reflect.DeepEqual(*got, p) {
			t.Errorf("%s: got %+v, want %+v", name, *got, p)
		}
	}
}
