//go:build unix

// Package redistest starts real Redis servers, for tests.
package redistest

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

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server process of a test's own. It ends with the test.
type Server struct {
	t            testing.TB
	path, config string
	arguments    []string
	Options      redis.Options // how to reach it as its administrator
	process      *exec.Cmd
	output       bytes.Buffer
}

// Start starts a server on a socket, with lines added to its configuration.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	socket := filepath.Join(ShortDir(t), "socket")
	return StartAt(t, redis.Options{Network: "unix", Addr: socket},
		append([]string{"port 0", "unixsocket " + socket}, lines...)...)
}

// StartAt starts a server whose configuration is lines, and which is
// reached with options. Lines about a sentinel make it one.
func StartAt(t testing.TB, options redis.Options, lines ...string) *Server {
	t.Helper()
	path := Require(t)
	dir := ShortDir(t)
	s := &Server{t: t, path: path, config: filepath.Join(dir, "redis.conf"), Options: options}
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
		s.Kill()
		if t.Failed() && s.output.Len() > 0 {
			t.Logf("redis-server said:\n%s", s.output.Bytes())
		}
	})
	s.Start()
	return s
}

// Start returns when the server answers.
func (s *Server) Start() {
	s.t.Helper()
	s.process = exec.Command(s.path, append([]string{s.config}, s.arguments...)...)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := redis.NewClient(&s.Options)
	defer client.Close()
	WaitFor(s.t, "redis-server to answer", func() bool {
		return client.Ping(s.t.Context()).Err() == nil
	})
}

// ShortDir is t.TempDir with a path that is short enough for a socket in it.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Signal sends the server a signal.
func (s *Server) Signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatalf("signal %v to redis-server: %v", signal, err)
	}
}

// Kill ends the server at once. Start starts it again.
func (s *Server) Kill() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

// Client returns a client of the server, made as most programs make theirs:
// with go-redis' defaults.
func (s *Server) Client(t testing.TB) *redis.Client {
	options := s.Options
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// FreePort returns a TCP port below those that systems hand out, which is free
// as is the one 10,000 above it.
func FreePort(t testing.TB) int {
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
	listener, err := net.Listen("tcp", Loopback(port))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// Loopback is the address of a port of this machine.
func Loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
