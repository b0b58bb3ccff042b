package bench

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/jwtsession/jwtsession"
)

// crowd is how many sources one process has to carry.
const crowd = 100_000

// maxSourceBytes is what a source with a live session may keep of the heap, at
// most about 1 KiB: here an eighth more.
const maxSourceBytes = 1024 + 1024/8

// kinds of sources, by what they share with each other.
var kinds = []struct {
	name   string
	config func(i int) jwtsession.Config
}{
	{"an issuer shared", func(int) jwtsession.Config {
		return jwtsession.Config{Issuer: Issuer{Life: hour}, BaseURL: baseURL}
	}},
	{"a client each", func(i int) jwtsession.Config {
		return jwtsession.Config{
			BaseURL:     baseURL,
			HTTPClient:  sessionAPI,
			Credentials: jwtsession.Credentials{Email: fmt.Sprintf("clerk%d@example.com", i), Password: fmt.Sprintf("password %d", i)},
		}
	}},
	{"a client and OnEvent each", func(i int) jwtsession.Config {
		return jwtsession.Config{
			BaseURL:     baseURL,
			HTTPClient:  sessionAPI,
			Credentials: jwtsession.Credentials{Email: fmt.Sprintf("clerk%d@example.com", i), Password: fmt.Sprintf("password %d", i)},
			OnEvent:     func(jwtsession.Event) {},
		}
	}},
	{"a described protocol each", func(i int) jwtsession.Config {
		return jwtsession.Config{
			BaseURL:     baseURL,
			HTTPClient:  sessionAPI,
			Credentials: jwtsession.Credentials{Email: fmt.Sprintf("clerk%d@example.com", i), Password: fmt.Sprintf("password %d", i)},
			Protocol: &jwtsession.Protocol{
				SignIn:  "POST /login\n\n" + `{"user": "{email}", "password": "{password}"}`,
				Refresh: "POST /renew\n\n" + `{"token": "{token}"}`,
				LogOut:  "POST /logout",
				Token:   "jwtToken", ExpiresAt: "expiresAt",
			},
		}
	}},
}

// sessionAPI answers every sign-in from memory, each with a token of its own.
var sessionAPI = &http.Client{Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, req.Body)
	req.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(`{"jwtToken":"` + SampleToken + `","expiresAt":"` + time.Now().Add(hour).UTC().Format(time.RFC3339) + `"}`)),
		Request:    req,
	}, nil
})}

// BenchmarkScale builds 100,000 sources, signs each in, and reports what one of
// them costs at rest: bytes of the heap, its token of 192 bytes and what the
// runtime keeps for its timer included, and goroutines. Then it forgets them
// all, without Close, and reports how many of them are left, and how many bytes:
// those of their timers, which go off into nothing within a minute. (T3, T16)
//
//	go test -run - -bench Scale -benchtime 1x .
func BenchmarkScale(b *testing.B) {
	for _, kind := range kinds {
		b.Run(strings.ReplaceAll(kind.name, " ", "_"), func(b *testing.B) {
			haveGoroutines(crowd)
			var c cost
			for b.Loop() {
				c = measureCrowd(b, crowd, kind.config, awaitGoroutines(runtime.NumGoroutine()), func() {})
			}
			b.ReportMetric(c.bytes, "B/source")
			b.ReportMetric(c.objects, "objects/source")
			b.ReportMetric(float64(c.goroutines), "goroutines")
			b.ReportMetric(float64(c.left), "left")
			b.ReportMetric(c.bytesLeft, "B/source-for-a-minute")
			b.ReportMetric(c.signIn.Seconds()*1e6/crowd, "µs/sign-in")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// T3, T16: in virtual time, for the minute that a forgotten source's timer takes.
func TestManySourcesRestWithoutGoroutinesAndAreCollectedOnceForgotten(t *testing.T) {
	const n = crowd / 10
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				haveGoroutines(n)
				c := measureCrowd(t, n, kind.config, synctest.Wait, func() {
					time.Sleep(time.Minute + time.Second)
					synctest.Wait()
				})
				if c.goroutines != 0 {
					t.Errorf("got %d more goroutines, want none", c.goroutines)
				}
				if c.bytes > maxSourceBytes {
					t.Errorf("got %.0f bytes for each source, want at most %d", c.bytes, maxSourceBytes)
				}
				if c.left != 0 {
					t.Errorf("%d of %d forgotten sources were not collected", c.left, n)
				}
				if c.bytesLeft > maxSourceBytes/10 { // with its timer each leaves about 150
					t.Errorf("the forgotten sources left %.0f bytes each behind, want them back", c.bytesLeft)
				}
			})
		})
	}
}

// haveGoroutines has so many at once, which then end. The runtime keeps what it
// allocated for them; it would else do so when a busy machine has events wait to be
// handed over, or the timers of the forgotten sources go off all at once, and count
// as theirs.
func haveGoroutines(n int) {
	var all sync.WaitGroup
	end := make(chan struct{})
	for range n {
		all.Go(func() { <-end })
	}
	close(end)
	all.Wait()
}

// cost is what sources with a live session cost.
type cost struct {
	bytes, objects float64 // of the heap, for each source at rest
	goroutines     int     // in all, more than before
	signIn         time.Duration
	left           int     // that were not collected, though forgotten
	bytesLeft      float64 // of the heap, for each source, after all were forgotten
}

// measureCrowd measures n sources, and leaves none of them. It calls settle before
// it looks at those at rest, and forgotten before it looks for what is left.
func measureCrowd(t testing.TB, n int, config func(i int) jwtsession.Config, settle, forgotten func()) cost {
	t.Helper()
	sources := make([]*jwtsession.TokenSource, n)
	remembered := make([]weak.Pointer[jwtsession.TokenSource], n)
	before, goroutines := settledHeap(), runtime.NumGoroutine()

	start := time.Now()
	for i := range sources {
		ts, err := jwtsession.New(config(i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ts.Token(); err != nil {
			t.Fatal(err)
		}
		sources[i], remembered[i] = ts, weak.Make(ts)
	}
	c := cost{signIn: time.Since(start)}
	settle()
	rest := settledHeap()
	c.goroutines = runtime.NumGoroutine() - goroutines
	c.bytes = float64(int64(rest.HeapAlloc)-int64(before.HeapAlloc)) / float64(n)
	c.objects = float64(int64(rest.HeapObjects)-int64(before.HeapObjects)) / float64(n)
	for _, ts := range sources {
		if !ts.Status().Live {
			t.Fatal("a source has no live session: the figures would be worth nothing")
		}
	}

	clear(sources)
	settledHeap() // a timer that goes off while its source has not been collected is set again
	forgotten()
	after := settledHeap()
	for _, ts := range remembered {
		if ts.Value() != nil {
			c.left++
		}
	}
	c.bytesLeft = float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / float64(n)
	return c
}

// settledHeap returns what is on the heap once nothing more can be collected: a
// cleanup that one collection starts may free memory for the next.
func settledHeap() runtime.MemStats {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// awaitGoroutines returns a function that waits until there are no more of them
// than so many: the last sign-in's is about to end when its caller gets the token.
func awaitGoroutines(want int) func() {
	return func() {
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > want && time.Now().Before(deadline); {
			runtime.Gosched()
		}
	}
}
