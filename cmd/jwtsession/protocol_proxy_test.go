//go:build !windows

package main

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// said waits for a line of a program that has this text in it.
func said(t *testing.T, lines <-chan string, text string) string {
	t.Helper()
	var before []string
	for timeout := time.After(patience); ; {
		select {
		case line, more := <-lines:
			if strings.Contains(line, text) {
				return line
			}
			if before = append(before, line); !more {
				t.Fatalf("the output ended without %q; got:\n%s", text, strings.Join(before, "\n"))
			}
		case <-timeout:
			t.Fatalf("waited %v for a line with %q; got:\n%s", patience, text, strings.Join(before, "\n"))
		}
	}
}

// P3: the paths are those of the protocol, with whatever stands where a placeholder
// is; and the proxy that was started for a protocol stays with it.
func TestTheProxyRefusesItsProtocolsOwnPathsAndAnotherProtocol(t *testing.T) {
	server, b := byName(t, "redfish", nil)
	b = b.with("JWTSESSION_PROTOCOL=")
	const config = "[default]\nprotocol = 'redfish'\n"
	b = b.config(t, config)
	cmd := b.command(t, "proxy", "--listen", "127.0.0.1:0")
	output, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = other, other
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	other.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		output.Close()
	})
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	_, base, _ := strings.Cut(said(t, lines, "The proxy is at "), "The proxy is at ")
	base, _, _ = strings.Cut(base, ",")
	for path, want := range map[string]int{
		"/me": 200, "/session": 200, "/redfish/v1/SessionService": 200, "/redfish/v1/SessionService/Sessions/7/more": 200,
		"/redfish/v1/SessionService/Sessions": 403, "/redfish/v1/sessionservice/Sessions/": 403,
		"/redfish/v1/SessionService/Sessions/7": 403, "/redfish/v1/SessionService/%53essions/any": 403,
	} {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
	}
	if got := server.Counts(); got.Creates != 1 || got.Refreshes != 0 || got.Revokes != 0 {
		t.Errorf("got %+v, want one sign-in and nothing of the clients'", got)
	}
	home := b.environment[len(b.environment)-2] // as config has it
	path := filepath.Join(strings.TrimPrefix(home, "XDG_CONFIG_HOME="), "jwtsession", "config.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(config, "redfish", "vcenter")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	said(t, lines, "the protocol is now vcenter (profile default), and another one than it was")
	if res, err := http.Get(base + "/me"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: got %v and %v, want the session that there was", res, err)
	}
}
