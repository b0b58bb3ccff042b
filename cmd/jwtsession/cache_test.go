package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// redisServer starts a real Redis that wants a password, and returns its address.
func redisServer(t *testing.T, password string) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed: --cache redis:// was not tried")
		}
		t.Skip("redis-server is not installed: --cache redis:// was not tried")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	server := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--requirepass", password, "--save", "", "--dir", t.TempDir())
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	for scanner := bufio.NewScanner(output); scanner.Scan(); {
		if strings.Contains(scanner.Text(), "Ready to accept connections") {
			return address
		}
	}
	t.Fatalf("redis-server at port %s ended before it was ready", port)
	return ""
}

func TestMachinesShareASessionThroughRedis(t *testing.T) {
	url := "redis://" + redisServer(t, "hunter2")
	b := newBox(t).with("JWTSESSION_REDIS_PASSWORD=hunter2")
	first := b.token(t, "--cache", url)
	elsewhere := b.with(hermetic(t)[:7]...) // another home, and so no files in common
	if elsewhere.token(t, "--cache", url) != first {
		t.Error("from another home: got another token, want the one in Redis")
	}
	if _, text, _ := elsewhere.run(t, "status", "--cache", url); !strings.Contains(text, "cache     redis, "+url+" (--cache)\n") || !strings.Contains(text, "session   live") || strings.Contains(text, "hunter2") {
		t.Errorf("status: got\n%s\nwant the session in Redis, and no password", text)
	}
	// A cache that fails costs sharing, never the token, and is told in one line.
	code, stdout, stderr := b.with("JWTSESSION_REDIS_PASSWORD=wrong").run(t, "token", "--cache", url)
	if code != exitOK || strings.Count(stdout, ".") != 2 || !strings.HasPrefix(stderr, "jwtsession: warning: the cache is done without") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a wrong password: got code %d, %d bytes and stderr %q, want a token and one line of warning", code, len(stdout), stderr)
	}
	b.wantCalls(t, map[sessiontest.Op]int{sessiontest.OpCreate: 2})
}
