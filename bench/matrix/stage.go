package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stage is an API and a proxy to it, which is a process of its own.
type stage struct {
	sessions *httptest.Server // hands out tokens, and passes for the API while it is there
	proxy    *exec.Cmd
	url      string
	log      *logBuffer
	ended    chan struct{} // closed at the end
}

// logBuffer is the proxy's log, which is read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newStage starts both. The session goes on although the API is away: it is got
// before that.
func newStage(ctx context.Context, binary, directory string, st state) (*stage, error) {
	s := &stage{log: &logBuffer{}, ended: make(chan struct{})}
	resource := st.api(s)
	var issued atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/session", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jwtToken":"token-%d","expiresAt":%q}`, issued.Add(1), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	if resource != nil {
		mux.HandleFunc("/v1/runs", resource)
	}
	s.sessions = httptest.NewServer(mux)
	s.proxy = exec.CommandContext(ctx, binary, "proxy", "--listen", "127.0.0.1:0", "--cache", "none", "--upstream-timeout", "1s")
	s.proxy.Env = append(os.Environ(), "JWTSESSION_BASE_URL="+s.sessions.URL+"/v1", "JWTSESSION_EMAIL=clerk@example.com", "JWTSESSION_PASSWORD=anything", "HOME="+directory)
	s.proxy.Stderr = s.log
	stdout, err := s.proxy.StdoutPipe()
	if err != nil {
		return s, err
	}
	if err := s.proxy.Start(); err != nil {
		return s, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_, at, found := strings.Cut(line, "The proxy is at ")
	if !found {
		return s, fmt.Errorf("the proxy said %q in place of its URL: %w: %s", line, err, s.log)
	}
	s.url, _, _ = strings.Cut(at, ",")
	if err := s.awaitReady(ctx); err != nil {
		return s, err
	}
	if resource == nil {
		s.sessions.CloseClientConnections()
		s.sessions.Close()
	}
	return s, nil
}

func (s *stage) awaitReady(ctx context.Context) error {
	for range 100 {
		if res, err := http.Get(s.url + "/-/readyz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("the proxy was not ready: %s", s.log)
}

func (s *stage) close() {
	close(s.ended)
	if s.proxy != nil && s.proxy.Process != nil {
		s.proxy.Process.Kill()
		s.proxy.Wait()
	}
	s.sessions.CloseClientConnections()
	s.sessions.Close()
}

// panics counts those in the proxy's log.
func (s *stage) panics() int { return strings.Count(s.log.String(), "panic") }
