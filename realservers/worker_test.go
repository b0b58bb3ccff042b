package realservers

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/protocols"
)

const (
	workerVariable = "REALSERVERS_WORKER"
	cacheKey       = "thirty-two bytes of a test's key"
)

// worker is another process on the same cache: it makes a request each 100 ms,
// until its standard input ends, and then writes its report.
type worker struct {
	BaseURL, Resource   string
	Protocol, Directory string
	Extra               map[string]string
}

type report struct {
	Requests, Failed, SignedIn int
	Error                      string // of the last that failed
}

// TestMain makes the test binary a worker, if it was started as one.
func TestMain(m *testing.M) {
	role := os.Getenv(workerVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	var w worker
	if err := json.Unmarshal([]byte(role), &w); err != nil {
		panic(err)
	}
	w.run()
}

func (w worker) run() {
	store, err := filecache.New(w.Directory)
	if err != nil {
		panic(err)
	}
	protocol, _ := protocols.ByName(w.Protocol)
	var r report
	ts, err := jwtsession.New(jwtsession.Config{
		BaseURL: w.BaseURL, Protocol: &protocol, Cache: store, CacheKey: []byte(cacheKey),
		Credentials: jwtsession.Credentials{Email: email, Password: password, Extra: w.Extra},
		OnEvent: func(e jwtsession.Event) { // ends with Close
			if e.Kind == jwtsession.EventSignedIn {
				r.SignedIn++
			}
		},
	})
	if err != nil {
		panic(err)
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	client, failure := ts.Client(), ""
	for open := true; open; {
		r.Requests++
		res, err := client.Get(w.BaseURL + w.Resource)
		if err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if err != nil || res.StatusCode != http.StatusOK {
			r.Failed++
			if err != nil {
				failure = err.Error()
			} else {
				failure = res.Status
			}
		}
		select {
		case <-ended:
			open = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	ts.Close()
	r.Error = failure
	json.NewEncoder(os.Stdout).Encode(r)
}

// process is a worker that runs.
type process struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.Closer
	stdout  io.Reader
}

func startWorker(t *testing.T, w worker) *process {
	t.Helper()
	role, _ := json.Marshal(w)
	p := &process{t: t, command: exec.Command(os.Args[0])}
	p.command.Env = append(os.Environ(), workerVariable+"="+string(role))
	p.command.Stderr = t.Output()
	stdin, err := p.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdout, err = p.command.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.command.Process.Kill()
		p.command.Wait()
	})
	return p
}

// end has the worker end, and returns what it has to tell.
func (p *process) end() (r report) {
	p.t.Helper()
	p.stdin.Close()
	if err := json.NewDecoder(p.stdout).Decode(&r); err != nil {
		p.t.Errorf("the report of the other process: %v", err)
	}
	p.command.Wait()
	return r
}
