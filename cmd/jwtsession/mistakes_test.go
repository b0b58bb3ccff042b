package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// A newcomer's first mistakes, with the built program against serve as another
// process: one line, and it is the one that helps.
func TestEachOfANewcomersMistakesGetsTheLineThatHelps(t *testing.T) {
	t.Parallel()
	plain := newBox(t)
	secure := newBox(t, "--tls")
	secureAddress := strings.TrimPrefix(secure.base, "https://")
	plainAddress := strings.TrimPrefix(plain.base, "http://")
	for name, c := range map[string]struct {
		box         *box
		environment []string
		code        int
		want        []string
	}{
		"no credentials": {plain, []string{"JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD="}, exitUsage,
			[]string{"set JWTSESSION_EMAIL and JWTSESSION_PASSWORD or JWTSESSION_PASSWORD_FILE, or write a profile"}},
		"no password": {plain, []string{"JWTSESSION_PASSWORD="}, exitUsage,
			[]string{"there is no password for clerk@example.com (JWTSESSION_EMAIL): set JWTSESSION_PASSWORD"}},
		"a wrong password": {plain, []string{"JWTSESSION_PASSWORD=wrong"}, exitRejected,
			[]string{"401", "check the e-mail address and the password", "the password that of JWTSESSION_PASSWORD"}},
		"a wrong path": {plain, []string{"JWTSESSION_BASE_URL=http://" + strings.TrimSuffix(plainAddress, "/v1") + "/v2"}, exitFailure,
			[]string{"404", "check the base URL", "; it is http://", "/v2 (JWTSESSION_BASE_URL)"}},
		"a path too much": {plain, []string{"JWTSESSION_BASE_URL=http://" + plainAddress + "/session/"}, exitRejected,
			[]string{"401", "the path of a sign-in is added to the base URL, http://", "(JWTSESSION_BASE_URL): leave it out there"}},
		"a URL without a scheme": {plain, []string{"JWTSESSION_BASE_URL=api.example.com/v1"}, exitUsage,
			[]string{"give one like https://", "(JWTSESSION_BASE_URL)"}},
		"an unknown host": {plain, []string{"JWTSESSION_BASE_URL=https://no-such-host.invalid/v1"}, exitUnreachable,
			[]string{"lookup no-such-host.invalid", "check the network and the base URL, https://no-such-host.invalid/v1 (JWTSESSION_BASE_URL)"}},
		"no network, or nobody there": {plain, []string{"JWTSESSION_BASE_URL=http://127.0.0.1:1/v1"}, exitUnreachable,
			[]string{"connection refused", "check the network and the base URL"}},
		"http to another machine": {plain, []string{"JWTSESSION_BASE_URL=http://api.example.com/v1"}, exitUsage,
			[]string{"in the clear: use https", "(JWTSESSION_BASE_URL)"}},
		"http in place of https": {secure, []string{"JWTSESSION_BASE_URL=http://" + secureAddress}, exitFailure,
			[]string{"the API speaks https: put https:// into the base URL, http://"}},
		"https in place of http": {plain, []string{"JWTSESSION_BASE_URL=https://" + plainAddress}, exitFailure,
			[]string{"the server speaks no https: check the base URL, https://"}},
		"a certificate that nobody trusts": {secure, nil, exitUnreachable,
			[]string{"certificate", "--ca-file"}},
		"a clock off by a day": {newBox(t, "--clock-skew", "-25h"), nil, exitFailure,
			[]string{"has expired already: compare the clocks of both machines"}},
		"a server that answers with something else": {newBox(t, "--fault", "create:200,garbage:all"), nil, exitFailure,
			[]string{"is not a session", "check the base URL"}},
		"an outage": {newBox(t, "--fault", "create:503:all"), nil, exitUnreachable,
			[]string{"503 Service Unavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range [][]string{{"token", "--timeout", "5s"}, {"exec", "--timeout", "5s", "--", "true"}} {
				code, stdout, stderr := c.box.with(c.environment...).run(t, command...)
				if code != c.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "jwtsession: ") {
					t.Errorf("%s: got code %d, %d bytes on stdout and stderr %q, want %d, none and one line", command[0], code, len(stdout), stderr, c.code)
				}
				for _, want := range c.want {
					if !strings.Contains(stderr, want) {
						t.Errorf("%s: got %q, want %q in it", command[0], stderr, want)
					}
				}
				if strings.Contains(stderr, sessiontest.Password) {
					t.Errorf("%s: the password is in the line", command[0])
				}
			}
		})
	}
}

// What no server on this machine can be made to do.
func TestACertificateThatIsNotValidNowPointsToTheClock(t *testing.T) {
	a := &account{baseURL: setting{"https://api.example.com/v1", "--base-url"}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, "check this machine's clock, which says "},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "api.example.com"}, "check the base URL, https://api.example.com/v1 (--base-url)"},
	} {
		if got := a.explain(fmt.Errorf("sign in: %w", c.err)); got == nil || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%T: got %v, want %q in it", c.err, got, c.want)
		}
	}
	if got := a.explain(nil); got != nil {
		t.Errorf("no error: got %v, want none", got)
	}
}

func TestTheShellsCompleteCommandsAndValues(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default", "zsh": "#compdef jwtsession", "fish": "complete -c jwtsession", "powershell": "Register-ArgumentCompleter",
	} {
		if code, stdout, stderr := commandLine(t, "completion", shell); code != exitOK || !strings.Contains(stdout, want) || stderr != "" {
			t.Errorf("completion %s: got code %d, %d bytes and stderr %q, want a script with %q", shell, code, len(stdout), stderr, want)
		}
	}
	setHermetic(t)
	writeProfiles(t, testProfiles)
	for args, want := range map[string]string{
		"tok":               "token\t",
		"token --output ":   "text\njson\nheader\n",
		"serve --protocol ": "cisco-aci\n",
		"status -o ":        "text\njson\n",
		"token --cache ":    "file\nnone\nkeyring\nredis://\n",
		"exec --profile ":   "default\nnameless\nwork\n",
		"logout --base-u":   "--base-url\t",
		"token --base-url ": ":4\n", // nothing, and no file names
	} {
		if _, stdout, _ := commandLine(t, append([]string{"__complete"}, strings.Split(args, " ")...)...); !strings.HasPrefix(stdout, want) {
			t.Errorf("%q: got %q, want %q", args, stdout, want)
		}
	}
}

func TestAnArgumentTooManyOrTooFewIsNamed(t *testing.T) {
	for args, want := range map[string]string{
		"login clerk@example.com": `jwtsession login takes no arguments, and was given "clerk@example.com"`,
		"token now":               `jwtsession token takes no arguments, and was given "now"`,
		"cache clear all":         `jwtsession cache clear takes no arguments, and was given "all"`,
		"exec":                    "the command is missing: give it after --, as in jwtsession exec -- ./report.py",
		"api":                     "the method or the path is missing: give METHOD and PATH",
		"api /matters":            "the method or the path is missing: give METHOD and PATH",
		"api GET /matters a=b":    `"a=b" is too many: give METHOD and PATH, as in jwtsession api GET /matters, and fields with -f`,
	} {
		if code, stdout, stderr := commandLine(t, strings.Fields(args)...); code != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "jwtsession: "+want) {
			t.Errorf("%s: got code %d, %q and %q, want %d and %q", args, code, stdout, stderr, exitUsage, want)
		}
	}
}
