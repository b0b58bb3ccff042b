//go:build unix

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// readmeBlock is the README's piece of a language that has this text in it.
func readmeBlock(t *testing.T, language, text string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(block[1], text) {
			return block[1]
		}
	}
	t.Fatalf("the README has no %s with %q", language, text)
	return ""
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// The lines are run as they stand, but for the port, which somebody may have.
func TestTheREADMEsLinesForOtherAPIsWork(t *testing.T) {
	needCurl(t)
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	script := readmeBlock(t, "sh", "jwtsession protocol try")
	address := freeAddress(t)
	script = strings.Replace(script, "jwtsession serve ", "jwtsession serve --addr "+address+" ", 1)
	script = strings.ReplaceAll(script, "127.0.0.1:8787", address)
	b := boxAt(t, "")
	cmd := exec.Command("sh", "-e", "-c", script+"\nkill $!")
	cmd.Dir = t.TempDir()
	cmd.Env = withoutEmpty(append(append(os.Environ(), b.environment...), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "JWTSESSION_BASE_URL=", "JWTSESSION_EMAIL=", "JWTSESSION_PASSWORD="))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	code, stdout, stderr := finish(t, cmd)
	if code != exitOK || stderr != "" {
		t.Errorf("got code %d, %q and\n%s", code, stderr, stdout)
	}
	for _, want := range []string{"\npocketbase ", `"email":"clerk@example.com"`, "3  Log out", "Nothing is missing."} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got no %q in\n%s", want, stdout)
		}
	}
}

func TestTheREADMEsProfileSignsIn(t *testing.T) {
	content := readmeBlock(t, "toml", "[work.protocol]")
	setHermetic(t)
	writeProfiles(t, content)
	profiles, _, err := loadProfiles()
	if err != nil {
		t.Fatal(err)
	}
	p := *profiles["work"].protocol
	server := sessiontest.NewServer(sessiontest.WithProtocol(p), sessiontest.WithExtra(map[string]string{"tenant": "lab"}), sessiontest.Strict(t))
	defer server.Close()
	b := boxAt(t, server.URL).config(t, content)
	cmd := b.command(t, "api", "GET", "/me", "--profile", "work", "--base-url", server.URL, "--password-stdin")
	cmd.Stdin = strings.NewReader(sessiontest.Password)
	if code, stdout, stderr := finish(t, cmd); code != exitOK || !strings.Contains(stdout, sessiontest.Email) {
		t.Errorf("got code %d, %q and %q, want the resource", code, stdout, stderr)
	}
}
