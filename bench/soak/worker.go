//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/cache/rediscache"
	"github.com/jwtsession/jwtsession/sessiontest"
)

const (
	// patience bounds a request of a worker's, and callers' waits for a token.
	patience = 3 * time.Second

	// overtime is by how much a wait may exceed its bound, and how long what waits
	// for nothing may take, on a machine that is busy.
	overtime = 600 * time.Millisecond

	loops       = 4 // that send requests, one after another
	pause       = 150 * time.Millisecond
	reportEvery = 100 * time.Millisecond
	signTimeout = 6 * time.Second

	// lease is how long others wait for a worker that was killed while it held one.
	// Tokens live for a fifteenth of what PacerPro's do, so it is a part of what is left
	// of them as well, as the default is of theirs.
	lease = 2 * time.Second

	shortestStall = 200 * time.Millisecond

	diskFull, diskFree = "disk full", "disk free"
)

// cacheKey seals what the workers share.
const cacheKey = "the key of a soak is 32 letters!"

// job is what a worker is to do.
type job struct {
	BaseURL, Password string
	Address           string // that its connections come from
	Directory         string // of a file cache; or
	Redis             string // an address
	Stranger          bool   // has the wrong password, and sends no requests
}

// report is a line that a worker writes.
type report struct {
	Live   bool
	Good   time.Time // when the latest request began that succeeded
	Count  int       // of requests
	Failed []failed  `json:",omitempty"`
	Stalls []span    `json:",omitempty"` // in which this process, or its machine, did nothing
	Broken string    `json:",omitempty"`
}

// span is a time from one moment to another.
type span struct{ Begin, End time.Time }

func (s span) overlaps(begin, end time.Time) bool { return s.Begin.Before(end) && begin.Before(s.End) }

// failed is a request that failed.
type failed struct {
	span
	Status int    // zero: there was no answer
	Error  string // then
}

// worker is one process of a fleet, from inside.
type worker struct {
	job
	source *jwtsession.TokenSource
	client *http.Client
	bare   *http.Client // which nobody signs in

	mu     sync.Mutex // guards the rest
	out    *json.Encoder
	latest report
	stalls []span // all
	beat   time.Time
}

// work does a job until in ends.
func work(j job, in io.Reader, out io.Writer) error {
	signal.Ignore(syscall.SIGXFSZ) // a full disk is an error
	w := &worker{job: j, out: json.NewEncoder(out), beat: time.Now()}
	store, err := j.cache()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(j.Address)}}).DialContext
	w.source, err = jwtsession.New(jwtsession.Config{
		BaseURL:     j.BaseURL,
		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: j.Password},
		HTTPClient:  &http.Client{Transport: transport},
		Cache:       store,
		CacheKey:    []byte(cacheKey),
		Timeout:     signTimeout,
		Logger:      log,
		OnEvent:     func(e jwtsession.Event) { fmt.Fprintf(os.Stderr, "event %+v\n", e) },
	})
	if err != nil {
		return err
	}
	w.client = &http.Client{Transport: &jwtsession.Transport{Source: w.source, Base: transport}, Timeout: patience}
	w.bare = &http.Client{Transport: transport, Timeout: patience}

	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		for lines := bufio.NewScanner(in); lines.Scan(); {
			w.setDisk(lines.Text())
		}
	}()
	var all sync.WaitGroup
	for i := range loops {
		if j.Stranger {
			break
		}
		all.Go(func() { w.send(ctx, i) })
	}
	all.Go(func() { every(ctx, 20*time.Millisecond, w.listen) })
	all.Go(func() { every(ctx, reportEvery, w.report) })
	all.Go(func() { every(ctx, 300*time.Millisecond, w.ask) })
	all.Wait()
	begin := time.Now()
	err = w.source.Close()
	w.judge("T14: Close", begin, 5*time.Second)
	if _, after := w.source.Token(); !errors.Is(after, jwtsession.ErrClosed) {
		w.breaks(fmt.Sprintf("T14: a closed source answers %v", after))
	}
	w.write()
	return err
}

func (j job) cache() (cache.Cache, error) {
	if j.Redis == "" {
		return filecache.New(j.Directory)
	}
	redis.SetLogger(silence{})
	return rediscache.New(redis.NewClient(&redis.Options{Addr: j.Redis}), rediscache.WithLease(lease)), nil
}

// silence drops what go-redis says of a server that is away.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// every calls f until ctx ends.
func every(ctx context.Context, pause time.Duration, f func()) {
	for ctx.Err() == nil {
		f()
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// send sends requests, one of which now and then is redirected to a foreign host.
func (w *worker) send(ctx context.Context, loop int) {
	n := loop
	every(ctx, pause, func() {
		path := "/me"
		if n++; n%13 == 0 {
			path = elsewhere
		}
		begin := time.Now()
		request := w.request
		if loop == 0 {
			request = w.requestByHand
		}
		status, err := request(path)
		w.judge("H5: a request", begin, patience)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.latest.Count++
		if err == nil && status == http.StatusOK {
			if begin.After(w.latest.Good) {
				w.latest.Good = begin
			}
			return
		}
		f := failed{span: span{begin, time.Now()}, Status: status}
		if err != nil {
			f.Error = err.Error()
		}
		w.latest.Failed = append(w.latest.Failed, f)
	})
}

func (w *worker) request(path string) (int, error) {
	res, err := w.client.Get(w.BaseURL + path)
	return read(res, err)
}

func read(res *http.Response, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// requestByHand is request for a program that has a use for the token alone.
func (w *worker) requestByHand(string) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 2 {
		token, err := w.source.TokenContext(ctx)
		if err != nil {
			return 0, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.BaseURL+"/me", nil)
		if err != nil {
			return 0, err
		}
		token.SetAuthHeader(req)
		status, err = read(w.bare.Do(req))
		if err != nil || status != http.StatusUnauthorized {
			return status, err
		}
		w.source.Invalidate(token.AccessToken)
	}
	return status, nil
}

// ask asks for a token as a caller who has little time.
func (w *worker) ask() {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	token, err := w.source.TokenContext(ctx)
	w.judge("T5: a wait of at most 100 ms for a token", begin, 100*time.Millisecond)
	if err == nil && token.Expiry.Before(begin) {
		w.breaks("T6: a token was handed out that has expired")
	}
}

// judge breaks unless what began then ended in time, but for stalls.
func (w *worker) judge(what string, begin time.Time, within time.Duration) {
	took := time.Since(begin)
	if took < within+overtime {
		return
	}
	time.Sleep(50 * time.Millisecond) // a stall is noticed by its end
	w.mu.Lock()
	for _, s := range w.stalls {
		if s.overlaps(begin, begin.Add(took)) {
			took -= s.End.Sub(s.Begin)
		}
	}
	w.mu.Unlock()
	if took >= within+overtime {
		w.breaks(fmt.Sprintf("%s took %v", what, took))
	}
}

func (w *worker) breaks(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.latest.Broken == "" {
		w.latest.Broken = what
	}
}

// listen notices when this process did nothing.
func (w *worker) listen() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.beat) > shortestStall {
		s := span{w.beat, now}
		w.stalls, w.latest.Stalls = append(w.stalls, s), append(w.latest.Stalls, s)
	}
	w.beat = now
}

func (w *worker) report() {
	begin := time.Now()
	status := w.source.Status()
	w.judge("T5: Status", begin, 0)
	fmt.Fprintf(os.Stderr, "status %+v\n", status)
	w.mu.Lock()
	w.latest.Live = status.Live
	w.mu.Unlock()
	w.write()
}

// write writes what there is to tell. If nobody reads it, in ends as well.
func (w *worker) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.Encode(w.latest)
	w.latest = report{Live: w.latest.Live, Good: w.latest.Good}
}

// setDisk has no file take anything more, or what it likes.
func (w *worker) setDisk(command string) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		w.breaks(err.Error())
		return
	}
	limit.Cur = limit.Max
	if strings.TrimSpace(command) == diskFull {
		limit.Cur = 16
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		w.breaks(err.Error())
	}
}
