//go:build unix

package scale

import (
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jwtsession/jwtsession"
)

var (
	accounts       = flag.Int("accounts", 2_000, "how many accounts one process has, each with a source")
	accountsSignIn = flag.Duration("signin", time.Minute, "within what time they all sign in")
	accountLife    = flag.Duration("life", 15*time.Minute, "how long tokens live; the bounds are for a quarter of an hour")
)

// T2, T3, T16: an hour of refreshes, of sources that nobody uses.
func TestManyAccountsInOneProcessRefreshEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := *accounts
		server := api{life: *accountLife}
		client := &http.Client{Transport: &server}
		sources := make([]*jwtsession.TokenSource, n)
		before := memory()
		start := time.Now()
		for i := range sources {
			ts, err := jwtsession.New(jwtsession.Config{
				BaseURL:     baseURL,
				HTTPClient:  client,
				Credentials: jwtsession.Credentials{Email: fmt.Sprintf("clerk%d@example.com", i), Password: "a password"},
			})
			if err != nil {
				t.Fatal(err)
			}
			sources[i] = ts
			go ts.Token()
			time.Sleep(*accountsSignIn / time.Duration(n))
		}
		time.Sleep(*sessionLatency)
		synctest.Wait()
		rest := memory()

		cpu, began := cpuTime(), time.Now()
		most := 0 // goroutines, a moment after each second began
		for time.Since(began) < time.Hour {
			time.Sleep(time.Second)
			most = max(most, runtime.NumGoroutine())
		}
		cpu = cpuTime() - cpu
		after := memory()

		refreshes, _ := server.refreshes.between(start, time.Now().Add(time.Second))
		t.Logf("%d accounts, tokens of %v, all signed in within %v; an hour of refreshes:", n, *accountLife, *accountsSignIn)
		t.Logf("refreshes: %d, %.2f of each account; CPU: %v, %v for each refresh", refreshes, float64(refreshes)/float64(n), cpu.Round(time.Millisecond), (cpu / time.Duration(max(refreshes, 1))).Round(time.Microsecond))
		t.Logf("heap: %d bytes for each account after signing in, %d after the hour; of the system: %d and %d MiB; goroutines: %d at most",
			(rest.HeapAlloc-before.HeapAlloc)/uint64(n), (after.HeapAlloc-before.HeapAlloc)/uint64(n), rest.Sys>>20, after.Sys>>20, most)
		even := float64(n) / (0.75 * accountLife.Seconds())
		t.Logf("calls per second, %.0f if they were even:\n\n| minutes | on average | median | the most |\n|---|---|---|---|", even)
		for from := time.Duration(0); from < time.Hour; from += *accountLife {
			rates := perSecond(server.refreshes, start.Add(from), start.Add(from+*accountLife))
			t.Logf("| %v to %v | %.0f | %d | %d |", from.Minutes(), (from + *accountLife).Minutes(), mean(rates), rates[len(rates)/2], rates[len(rates)-1])
		}

		for _, ts := range sources {
			if !ts.Status().Live {
				t.Fatal("an account has no live session")
			}
			ts.Close()
		}
		signIns, _ := server.signIns.between(start, time.Now().Add(time.Second))
		if signIns != n {
			t.Errorf("got %d sign-ins, want %d", signIns, n)
		}
		if low, high := 60/(0.80*15)-1, 60/(0.70*15); float64(refreshes) < low*float64(n) || float64(refreshes) > high*float64(n) {
			t.Errorf("got %.2f refreshes of each account in an hour, want between %.2f and %.2f", float64(refreshes)/float64(n), low, high)
		}
	})
}

func memory() runtime.MemStats {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perSecond is how many there were in each second, in ascending order.
func perSecond(m meter, start, end time.Time) []int {
	var all []int
	for at := start.Unix(); at < end.Unix(); at++ {
		all = append(all, m.seconds[at])
	}
	slices.Sort(all)
	return all
}

func mean(all []int) float64 {
	sum := 0
	for _, n := range all {
		sum += n
	}
	return float64(sum) / float64(len(all))
}
