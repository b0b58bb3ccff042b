package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/bench/command"
	"github.com/jwtsession/jwtsession/internal/proxy"
)

const (
	// roleVariable tells a child of this program what it is to be.
	roleVariable = "LOAD_ROLE"
	baseVariable = "LOAD_BASE_URL"

	tokenLife   = 4 * time.Second
	staticToken = "the-bare-proxy's-token" // which never expires
)

// stage is the API and the proxies, each a process.
type stage struct {
	proxy, bare string // their URLs
	nginx       string
	directory   string
	children    []*exec.Cmd
}

func newStage(ctx context.Context) (_ *stage, err error) {
	s := &stage{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.directory, err = os.MkdirTemp("", "jwtsession-load-"); err != nil {
		return nil, err
	}
	binary, err := command.Build(ctx, s.directory)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	api, err := s.start(ctx, exec.CommandContext(ctx, self), roleVariable+"=api")
	if err != nil {
		return nil, err
	}
	base := api + "/v1"
	if s.bare, err = s.start(ctx, exec.CommandContext(ctx, self), roleVariable+"=bare", baseVariable+"="+base); err != nil {
		return nil, err
	}
	if s.nginx, err = s.startNginx(ctx, api); err != nil {
		return nil, err
	}
	s.proxy, err = s.start(ctx, exec.CommandContext(ctx, binary, "proxy", "--listen", "127.0.0.1:0", "--cache", "none"),
		"JWTSESSION_BASE_URL="+base, "JWTSESSION_EMAIL=clerk@example.com", "JWTSESSION_PASSWORD=anything", "HOME="+s.directory)
	return s, err
}

// start starts a child and returns the first URL that it prints.
func (s *stage) start(ctx context.Context, cmd *exec.Cmd, environment ...string) (string, error) {
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stderr = os.Stderr
	if strings.Contains(cmd.Path, "jwtsession") {
		cmd.Stderr = nil // a line for each refresh
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.children = append(s.children, cmd)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	at := strings.Index(line, "http://")
	if at < 0 {
		return "", fmt.Errorf("%s said %q in place of its URL: %w", filepath.Base(cmd.Path), line, err)
	}
	return strings.TrimRight(strings.Fields(line[at:])[0], ","), nil
}

// nginxConfiguration does for one fixed token what the proxy does for a session.
const nginxConfiguration = `
worker_processes auto;
error_log stderr error;
pid DIRECTORY/nginx.pid;
daemon off;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path DIRECTORY/body; proxy_temp_path DIRECTORY/proxy; fastcgi_temp_path DIRECTORY/fastcgi;
	uwsgi_temp_path DIRECTORY/uwsgi; scgi_temp_path DIRECTORY/scgi;
	upstream api { server API; keepalive 1024; keepalive_requests 1000000; }
	server {
		listen LISTEN;
		keepalive_requests 1000000;
		location / {
			proxy_pass http://api/v1/;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Authorization "Bearer TOKEN";
		}
	}
}
`

// startNginx starts nginx at a port that was free before.
func (s *stage) startNginx(ctx context.Context, api string) (string, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return "", fmt.Errorf("nginx is not installed: the proxy is measured beside it: %w", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	at := free.Addr().String()
	free.Close()
	file := filepath.Join(s.directory, "nginx.conf")
	configuration := strings.NewReplacer("DIRECTORY", s.directory, "API", strings.TrimPrefix(api, "http://"), "LISTEN", at, "TOKEN", staticToken).Replace(nginxConfiguration)
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return "", err
	}
	if err := os.Chmod(s.directory, 0o755); err != nil { // its workers are another user's
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, "-p", s.directory, "-c", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends its workers
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.children = append(s.children, cmd)
	for range 100 {
		if res, err := http.Get("http://" + at + "/me"); err == nil {
			res.Body.Close()
			return "http://" + at, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", errors.New("nginx did not answer")
}

func (s *stage) close() {
	for _, child := range s.children {
		child.Cancel()
		child.Wait()
	}
	os.RemoveAll(s.directory)
}

// playRole is the program as a child of itself. It returns if it is none.
func playRole() {
	var handler http.Handler
	switch os.Getenv(roleVariable) {
	case "":
		return
	case "api":
		handler = newAPI()
	case "bare":
		handler = bareProxy(os.Getenv(baseVariable))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	http.Serve(listener, handler)
	os.Exit(1)
}

// bareProxy is what the proxy is compared with: it does the least that an API
// with a token needs.
func bareProxy(base string) http.Handler {
	target, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	return &httputil.ReverseProxy{
		Transport: proxy.NewTransport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Set("Authorization", "Bearer "+staticToken)
		},
		ErrorLog: log.New(io.Discard, "", 0), // of the requests under way when a turn ends
	}
}

// api is an API that costs little itself, so that the proxies show.
type api struct {
	mu     sync.RWMutex
	issued map[string]time.Time // tokens, and when they expire
}

func newAPI() http.Handler {
	a := &api{issued: map[string]time.Time{staticToken: time.Now().Add(24 * time.Hour)}}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/session", a.session)
	mux.HandleFunc("/v1/me", a.resource)
	return mux
}

func (a *api) session(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	expiry := time.Now().Add(tokenLife)
	token := fmt.Sprintf("token-%d", len(a.issued))
	a.issued[token] = expiry
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jwtToken":%q,"expiresAt":%q}`, token, expiry.UTC().Format(time.RFC3339Nano))
}

var answer = []byte(`{"id":1,"runs":[` + strings.Repeat(`{"distance":10000,"seconds":2400},`, 30) + `{}]}`)

func (a *api) resource(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.mu.RLock()
	expiry := a.issued[token]
	a.mu.RUnlock()
	if time.Now().After(expiry) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(answer)
}
