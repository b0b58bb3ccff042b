package jwtsession

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/cache/rediscache"
	"github.com/jwtsession/jwtsession/internal/proctest"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// TestMain makes the test binary one process of a fleet, or one that is to make a
// request, if it was started as such.
func TestMain(m *testing.M) {
	if role := os.Getenv(workerVariable); role != "" {
		var w worker
		if err := json.Unmarshal([]byte(role), &w); err != nil {
			panic(err)
		}
		w.run()
		os.Exit(0)
	}
	if base := os.Getenv(localVariable); base != "" {
		requestLocally(base)
		os.Exit(0)
	}
	proctest.Beside(8)
	os.Exit(m.Run())
}

const workerVariable = "JWTSESSION_TEST_WORKER"

// worker is what one process of a fleet is to do: from "start" on its standard
// input to the end of that it makes requests, one after another, and then writes
// its report. "revoke" logs out, and one of mortal's moments has it die then.
type worker struct {
	BaseURL   string
	Password  string
	Directory string // of a file cache; or
	Redis     string // the socket of a Redis
	Skew      time.Duration
	Pause     time.Duration // between requests
	Protocol  *Protocol
	Death     string // a directory with the deaths that have been died; empty: nobody is to die
}

// report is what became of a worker.
type report struct {
	Requests int
	Failed   int           // got no answer, or another one than 200
	Waited   int           // found no live session
	Longest  time.Duration // that one of these waited
	Events   map[EventKind]int
	Error    string // the last one
}

func (w worker) run() {
	r := report{Events: map[EventKind]int{}}
	m := &mortal{directory: w.Death}
	ts, err := New(Config{
		Protocol:    w.Protocol,
		HTTPClient:  m.client(w.Protocol),
		BaseURL:     w.BaseURL,
		Credentials: Credentials{Email: sessiontest.Email, Password: w.Password},
		Cache:       m.cache(w.cache()),
		CacheKey:    []byte("thirty-two bytes of a test's key"),
		OnEvent: func(e Event) { // ends with Close, before r is written
			r.Events[e.Kind]++
			if e.Err != nil {
				r.Error = e.Err.Error()
			}
		},
	})
	if err != nil {
		panic(err)
	}
	if w.Skew != 0 {
		setClock(ts, func() time.Time { return time.Now().Add(w.Skew) })
	}
	commands := make(chan string)
	go func() {
		defer close(commands)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			commands <- lines.Text()
		}
	}()
	fmt.Println("ready")
	<-commands
	client, failure := ts.Client(), error(nil)
	for open := true; open; {
		if !ts.current.Load().liveAt(ts.clock()) {
			r.Waited++
			r.Longest = max(r.Longest, took(func() { ts.Token() }))
		}
		r.Requests++
		if err := w.request(client); err != nil {
			r.Failed++
			failure = err
		}
		var command string
		select {
		case command, open = <-commands:
		case <-time.After(w.Pause):
		}
		switch command {
		case beforeRequest, beforeStore, afterStore:
			m.next.Store(command)
		case "revoke":
			if err := ts.Revoke(context.Background()); err != nil {
				failure = err
			}
			fmt.Println("revoked")
		}
	}
	ts.Close()
	if failure != nil {
		r.Error = failure.Error()
	}
	json.NewEncoder(os.Stdout).Encode(r)
}

func (w worker) cache() cache.Cache {
	if w.Redis != "" {
		redis.SetLogger(silent{})
		return rediscache.New(redis.NewClient(&redis.Options{Network: "unix", Addr: w.Redis}))
	}
	store, err := filecache.New(w.Directory)
	if err != nil {
		panic(err)
	}
	return store
}

// silent drops what go-redis says of a server that is away.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func (w worker) request(client *http.Client) error {
	res, err := client.Get(w.BaseURL + "/me")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", res.Status)
	}
	return nil
}

// process is a worker that runs.
type process struct {
	t       testing.TB
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
}

// startWorkers starts processes, which wait for "start". What is left of them at
// the test's end is killed.
func startWorkers(t testing.TB, workers ...worker) []*process {
	t.Helper()
	fleet := make([]*process, len(workers))
	for i, w := range workers {
		role, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		p := &process{t: t, command: exec.Command(os.Args[0])}
		p.command.Env = append(os.Environ(), workerVariable+"="+string(role))
		p.command.Stderr = os.Stderr
		stdin, err := p.command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := p.command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
		if err := p.command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.kill)
		fleet[i] = p
	}
	for _, p := range fleet {
		p.expect("ready")
	}
	return fleet
}

// tell gives all processes a command at once.
func tell(fleet []*process, command string) {
	var all sync.WaitGroup
	for _, p := range fleet {
		all.Go(func() { io.WriteString(p.stdin, command+"\n") })
	}
	all.Wait()
}

func (p *process) expect(line string) {
	p.t.Helper()
	if got, err := p.stdout.ReadString('\n'); err != nil || got != line+"\n" {
		p.t.Fatalf("a worker said %q, %v; want %q", got, err, line)
	}
}

// end ends all processes, and returns their reports.
func end(fleet []*process) []report {
	reports := make([]report, len(fleet))
	var all sync.WaitGroup
	for i, p := range fleet {
		all.Go(func() {
			var alive bool
			if reports[i], alive = p.report(); !alive {
				p.t.Error("a worker has died")
			}
		})
	}
	all.Wait()
	return reports
}

// report ends a process, and returns what it has to tell, if it is alive.
func (p *process) report() (r report, alive bool) {
	p.stdin.Close()
	err := json.NewDecoder(p.stdout).Decode(&r)
	p.command.Wait()
	return r, err == nil
}

func (p *process) kill() {
	p.stdin.Close()
	p.command.Process.Kill()
	p.command.Wait()
}
