package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	// workerRate is how many requests a second a worker sends.
	workerRate = 20

	// workerGrace is how long its requests may go on after the end.
	workerGrace = 3 * time.Second

	// logOut is the one thing that a worker can be told.
	logOut = "log out"
)

// report is a line that a worker writes: how it is doing, and what has happened
// if anything has.
type report struct {
	Requests, Failed, Recovered, Adopted int
	ExpiresAt                            time.Time // of its session
	Refreshing                           bool      // it has just begun to
	Event                                *Event    `json:",omitempty"`
}

// worker is one process of a Fleet.
type worker struct {
	load
	source *jwtsession.TokenSource

	mu      sync.Mutex // guards the rest
	out     *json.Encoder
	adopted int
	told    bool // of a 401 that the end of the latest session caused
}

// Work makes requests to the API at baseURL until in ends, with a session that
// store shares, and tells out of it. It is what each process of a Fleet does.
func Work(baseURL string, store cache.Cache, in io.Reader, out io.Writer) error {
	w := &worker{out: json.NewEncoder(out)}
	w.load = load{
		chronicle: newChronicle(func(e Event) { w.write(report{Event: &e}) }),
		url:       baseURL,
		recovered: w.recoveredFrom401,
	}
	source, err := jwtsession.New(jwtsession.Config{
		BaseURL:     baseURL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
		HTTPClient:  timedClient(announced{http.DefaultTransport, w}),
		Cache:       store,
		OnEvent:     w.sessionEvent,
	})
	if err != nil {
		return err
	}
	w.source, w.client = source, source.Client()

	ctx, stop := context.WithCancel(context.Background())
	requests, abandon := context.WithCancel(context.Background())
	defer abandon()
	go func() {
		defer stop()
		for lines := bufio.NewScanner(in); lines.Scan(); {
			if lines.Text() == logOut {
				go source.Revoke(ctx) // how it went is told by an event
			}
		}
	}()
	go func() {
		for sleep(ctx, 100*time.Millisecond) {
			w.write(report{})
		}
	}()
	w.send(ctx, requests, workerRate, time.Hour)
	last := time.AfterFunc(workerGrace, abandon)
	defer last.Stop()
	w.inFlight.Wait()
	w.write(report{})
	return source.Close()
}

// write completes a report, and writes it.
func (w *worker) write(r report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.ExpiresAt = w.source.Status().ExpiresAt
	r.Requests, r.Failed, r.Recovered = w.tally.counts()
	r.Adopted = w.adopted
	w.out.Encode(r) // if nobody reads it, in ends as well
}

func (w *worker) sessionEvent(e jwtsession.Event) {
	w.mu.Lock()
	switch e.Kind {
	case jwtsession.EventAdopted:
		w.adopted++
	case jwtsession.EventRejected, jwtsession.EventRevoked:
		w.told = false
	}
	w.mu.Unlock()
	tone, text := describe(e)
	w.tell(tone, text)
}

// recoveredFrom401 tells of the first request that a session saved.
func (w *worker) recoveredFrom401() {
	w.mu.Lock()
	told := w.told
	w.told = true
	w.mu.Unlock()
	if !told {
		w.tell(Good, "401 recovered: the request was sent again, and succeeded")
	}
}

// announced tells of a refresh before it is sent.
type announced struct {
	base http.RoundTripper
	w    *worker
}

func (a announced) RoundTrip(req *http.Request) (*http.Response, error) {
	_, isRequest := req.Context().Value(stopwatchKey{}).(*stopwatch)
	if !isRequest && req.Method == http.MethodGet {
		a.w.write(report{Refreshing: true})
	}
	return a.base.RoundTrip(req)
}
