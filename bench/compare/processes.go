package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"time"

	"github.com/jwtsession/jwtsession/bench"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

const roleVariable = "JWTSESSION_COMPARE_ROLE"

// role is what a process of this program does that this program has started. It
// says that it is ready, and begins once its standard input is closed.
type role struct {
	Library   string
	URL       string
	Directory string // of a file cache; empty: none

	// Rotate is a session whose refresh token is used once; Idle is a number of
	// sources. Neither: one request is made.
	Rotate *rotation
	Idle   int
}

// play plays the role that the program has been started in, if it has.
func play() (played bool) {
	text := os.Getenv(roleVariable)
	if text == "" {
		return false
	}
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		panic(err)
	}
	lib := libraries[slices.IndexFunc(libraries, func(l library) bool { return l.name == r.Library })]
	answer, err := r.perform(lib)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
	return true
}

func (r role) perform(lib library) (answer string, err error) {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	switch {
	case r.Idle > 0:
		return restingCost(lib, r.Idle)
	case r.Rotate != nil:
		return rotate(lib, r)
	}
	a := api{url: r.URL, password: sessiontest.Password, client: &http.Client{Transport: http.DefaultTransport}}
	if r.Directory != "" {
		if a.store, err = filecache.New(r.Directory); err != nil {
			return "", err
		}
	}
	c, err := lib.open(a)
	if err != nil {
		return "", err
	}
	defer c.close()
	_, err = request(context.Background(), c.do, r.URL+"/me")
	return "", err
}

// start starts n processes in a role, has them begin all at once, and returns what
// they answer.
func start(r role, n int) (answers []string, err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	type process struct {
		command *exec.Cmd
		stdin   io.Closer
		stdout  *bufio.Reader
	}
	var all []process
	defer func() {
		for _, p := range all {
			p.command.Process.Kill()
			p.command.Wait()
		}
	}()
	for range n {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), roleVariable+"="+string(text))
		command.Stderr = os.Stderr
		stdin, inErr := command.StdinPipe()
		stdout, outErr := command.StdoutPipe()
		if err := errors.Join(inErr, outErr, command.Start()); err != nil {
			return nil, err
		}
		all = append(all, process{command, stdin, bufio.NewReader(stdout)})
	}
	for _, p := range all {
		if word, err := p.stdout.ReadString('\n'); err != nil {
			return nil, fmt.Errorf("a process said %q: %w", word, err)
		}
	}
	for _, p := range all {
		p.stdin.Close()
	}
	for _, p := range all {
		answer, err := io.ReadAll(p.stdout)
		if err := errors.Join(err, p.command.Wait()); err != nil {
			return nil, err
		}
		answers = append(answers, strings.TrimSpace(string(answer)))
	}
	return answers, nil
}

// fleetSignIns counts the session calls of so many processes that make a request
// each.
func fleetSignIns(processes int) func(library) (cell, error) {
	return func(lib library) (cell, error) {
		directory, err := os.MkdirTemp("", "compare")
		if err != nil {
			return cell{}, err
		}
		defer os.RemoveAll(directory)
		box := sessiontest.NewServer(sessiontest.WithTokenLife(hour), sessiontest.WithLatency(latency))
		defer box.Close()
		if _, err := start(role{Library: lib.name, URL: box.URL, Directory: directory + "/cache"}, processes); err != nil {
			return cell{}, err
		}
		return measured(float64(box.Counts().Creates)), nil
	}
}

// idle measures what a source at rest costs, in a process of its own.
func idle(columns []library, sources int) ([]line, error) {
	lines := []line{
		{Name: fmt.Sprintf("%d idle sources, with an http.Client each: bytes of the heap, each", sources), Reason: "jwtsession's source has a timer, its own copy of the credentials, and a client for the session calls; the peers' have the program's.", slack: 0.05},
		{Name: fmt.Sprintf("%d idle sources, with an http.Client each: goroutines, in all", sources)},
	}
	for _, lib := range columns {
		answers, err := start(role{Library: lib.name, Idle: sources}, 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", lib.name, err)
		}
		for i, word := range strings.Fields(answers[0]) {
			value, err := strconv.ParseFloat(word, 64)
			if err != nil {
				return nil, err
			}
			lines[i].Cells = append(lines[i].Cells, measured(value))
		}
	}
	return lines, nil
}

// restingCost opens sources, each of which has got its token from an API in memory, and
// answers what they cost.
func restingCost(lib library, sources int) (string, error) {
	a := api{url: "https://api.example.com/v1", password: sessiontest.Password, client: &http.Client{Transport: sessionAPI{}}, base: silence{}}
	open := func() (*contender, error) {
		c, err := lib.open(a)
		if err != nil {
			return nil, err
		}
		return c, requester(c.do, a.url+"/me")()
	}
	if c, err := open(); err != nil { // what is there once, whatever the number
		return "", err
	} else {
		c.close()
	}
	all := make([]*contender, sources)
	before, goroutines := settled()
	for i := range all {
		c, err := open()
		if err != nil {
			return "", err
		}
		all[i] = c
	}
	after, more := settled()
	runtime.KeepAlive(all)
	return fmt.Sprintf("%.0f %d", float64(after-before)/float64(sources), more-goroutines), nil
}

// settled returns what is on the heap, and the goroutines, once what was under way
// has ended.
func settled() (heap int64, goroutines int) {
	time.Sleep(300 * time.Millisecond)
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}

// sessionAPI answers every session call from memory, with a token of its own.
type sessionAPI struct{}

func (sessionAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	body := fmt.Sprintf(`{"jwtToken":%q,"expiresAt":%q}`, bench.SampleToken, time.Now().Add(hour).UTC().Format(time.RFC3339))
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    req,
	}, nil
}
