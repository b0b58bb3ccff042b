package main

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestATextInADescriptionIsReadAsItWasWritten(t *testing.T) {
	for _, text := range []string{
		"", "plain", `{"email":"{email}"}`, "POST /x\n\n{\"a\": 1}", "it's", `it's "so"`, "lines,\nit's \"so\"", "three ''' and\na line",
		"ends with '\n'", "\nbegins with a line", `a\b`, "tab\tand\rreturn", "bell\a and \x7f", "<&> \u2028 ü 漢",
	} {
		var read struct{ Text string }
		written := "text = " + quoteTOML(text) + "\n"
		if _, err := toml.Decode(written, &read); err != nil || read.Text != text {
			t.Errorf("%q was written as %s: got %q and error %v", text, written, read.Text, err)
		}
	}
}

// O2: what is not as it should be is never left out.
func TestAMistakeInADescriptionsTableIsOneLineThatNamesTheKey(t *testing.T) {
	const good = "sign_in = 'POST /l?u={email}'\ntoken = 't'\n"
	for _, c := range []struct{ line, want string }{
		{"keep = 'refresh'", "keep is no table: write keep = { NAME = "},
		{"keep = ['refresh']", "keep is no table"},
		{"keep = 5", "keep is no table"},
		{"keep = true", "keep is no table"},
		{"keep = [{ refresh = 'r' }]", "keep is no table"},
		{"keep = { refresh = 5 }", "keep.refresh is no text: write it in quotes"},
		{"keep = { refresh = { a = 'b' } }", "keep.refresh is no text"},
		{"keep.refresh = ['r']", "keep.refresh is no text"},
		{"send = 'X-A: {token}'", `send is no list of texts: write send = ["X-Auth-Token: {token}"]`},
		{"send = ['X-A: {token}', 1]", "send is no list of texts"},
		{"send = { X-A = '{token}' }", "send is no list of texts"},
		{"rejects = 401", "rejects is no list of whole numbers: write rejects = [401, 419]"},
		{"rejects = ['401']", "rejects is no list of whole numbers"},
		{"rejects = [401.5]", "rejects is no list of whole numbers"},
		{"refresh = 5", "refresh is no text: write it in quotes"},
		{"log_out = ['DELETE /l']", "log_out is no text"},
		{"expires_in = 7200", "expires_in is no text"},
		{"expires_at = 1979-05-27", "expires_at is no text"},
		{"renewable_for = 24", "renewable_for is no text"},
		{"Token = 'x'", "nothing is called KEYToken: did you mean token?"},
		{"TOKEN = 'x'", "nothing is called KEYTOKEN: did you mean token?"},
		{"Keep = { refresh = 'r' }", "nothing is called KEYKeep: did you mean keep?"},
		{"expire_in = '2h'", "nothing is called KEYexpire_in: did you mean expires_in?"},
	} {
		setHermetic(t)
		t.Setenv("JWTSESSION_BASE_URL", "https://api.example.com")
		t.Setenv("JWTSESSION_EMAIL", "clerk@example.com")
		t.Setenv("JWTSESSION_PASSWORD", "hunter2")
		file := descriptionFile(t, good+c.line+"\n")
		writeProfiles(t, "[lab.protocol]\n"+good+c.line+"\n")
		for _, place := range []struct{ args, key string }{{"protocol try " + file, ""}, {"status --profile lab", "lab.protocol."}} {
			code, _, stderr := commandLine(t, strings.Fields(place.args)...)
			want := strings.ReplaceAll(c.want, "KEY", place.key)
			if want == c.want {
				want = ": " + place.key + want
			}
			if code != exitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%s, %s: got code %d and %q, want %d and one line with %q", c.line, place.args, code, stderr, exitUsage, want)
			}
		}
	}
}

// A profile may be all in tables of its own, in keys with dots as well.
func TestATableNeedsNoHeadOfItsOwn(t *testing.T) {
	for _, config := range []string{
		"[lab.protocol]\nsign_in = 'POST /l'\ntoken = 't'\n[lab.protocol.keep]\nrefresh = 'r'\n[lab.extra]\n",
		"lab.protocol.sign_in = 'POST /l'\nlab.protocol.token = 't'\nlab.protocol.keep.refresh = 'r'",
		"[lab]\nprotocol = { sign_in = 'POST /l', token = 't', keep = { refresh = 'r' } }\n",
	} {
		setHermetic(t)
		writeProfiles(t, config)
		profiles, _, err := loadProfiles()
		if err != nil {
			t.Errorf("%s: got error %v, want a profile", config, err)
			continue
		}
		if p := profiles["lab"].protocol; p == nil || p.Token != "t" || p.Keep["refresh"] != "r" {
			t.Errorf("%s: got the protocol %+v, want its token at t and what it keeps", config, p)
		}
	}
}
