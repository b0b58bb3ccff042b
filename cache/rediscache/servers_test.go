//go:build unix

package rediscache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server process of the test's own.
type server struct {
	t            testing.TB
	path, config string
	arguments    []string
	options      redis.Options // how to reach it as its administrator
	process      *exec.Cmd
	output       bytes.Buffer
}

// startServer starts a server on a socket, with lines added to its configuration.
func startServer(t testing.TB, lines ...string) *server {
	t.Helper()
	socket := filepath.Join(shortDir(t), "socket")
	return startServerAt(t, redis.Options{Network: "unix", Addr: socket},
		append([]string{"port 0", "unixsocket " + socket}, lines...)...)
}

// startServerAt starts a server whose configuration is lines, and which is
// reached with options. Lines about a sentinel make it one.
func startServerAt(t testing.TB, options redis.Options, lines ...string) *server {
	t.Helper()
	path := requireRedisServer(t)
	dir := shortDir(t)
	s := &server{t: t, path: path, config: filepath.Join(dir, "redis.conf"), options: options}
	configuration := strings.Join(append(lines, "dir "+dir), "\n") + "\n"
	if strings.Contains(configuration, "sentinel ") {
		s.arguments = []string{"--sentinel"}
	} else {
		configuration += "save \"\"\n"
	}
	if err := os.WriteFile(s.config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() && s.output.Len() > 0 {
			t.Logf("redis-server said:\n%s", s.output.Bytes())
		}
	})
	s.start()
	return s
}

// start returns when the server answers.
func (s *server) start() {
	s.t.Helper()
	s.process = exec.Command(s.path, append([]string{s.config}, s.arguments...)...)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := redis.NewClient(&s.options)
	defer client.Close()
	waitFor(s.t, "redis-server to answer", func() bool {
		return client.Ping(s.t.Context()).Err() == nil
	})
}

// shortDir is t.TempDir with a path that is short enough for a socket in it.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (s *server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatalf("signal %v to redis-server: %v", signal, err)
	}
}

func (s *server) kill() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

// client returns a client of the server, made as most programs make theirs:
// with go-redis' defaults.
func (s *server) client(t testing.TB) *redis.Client {
	options := s.options
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// waitFor asks another process, which cannot tell when it is ready.
func waitFor(t testing.TB, what string, isReady func() bool) {
	t.Helper()
	for start := time.Now(); !isReady(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 15*time.Second {
			t.Fatalf("waited 15 s for %s", what)
		}
	}
}

// freePort returns a TCP port below those that systems hand out, which is free
// as is the one 10,000 above it.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(10_000)
		if isFree(port) && isFree(port+10_000) {
			return port
		}
	}
	t.Fatal("found no free port")
	return 0
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
