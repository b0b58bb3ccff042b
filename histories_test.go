package jwtsession

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	historiesFor   = flag.Duration("histories.for", 2*time.Second, "how long random histories are run")
	historiesCount = flag.Int("histories.count", 0, "run this many, however long it takes")
	historiesSeed  = flag.Uint64("histories.seed", 0, "repeat the history of this seed; 0: fresh ones")
)

// TestRandomHistoriesKeepTheRules lives through lives of token sources that nobody
// has thought of, in virtual time, and holds them to the rules at every step. A
// seed makes the same history again; what is left to chance in it is the sources'
// own draw of their waits.
func TestRandomHistoriesKeepTheRules(t *testing.T) {
	if *historiesSeed != 0 {
		for range 20 {
			if h := historyOf(*historiesSeed); !holds(t, h) {
				return
			}
		}
		return
	}
	first, start := rand.Uint64(), time.Now()
	n := 0
	for ; n < *historiesCount || *historiesCount == 0 && time.Since(start) < *historiesFor; n++ {
		if !holds(t, historyOf(first+uint64(n))) {
			break
		}
	}
	t.Logf("%d histories in %v, from seed %d on", n, time.Since(start).Round(time.Millisecond), first)
}

// holds runs a history, and tells of the shortest one like it that breaks a rule.
func holds(t *testing.T, h history) bool {
	t.Helper()
	broken := enact(t, h)
	if broken == "" {
		return true
	}
	seed := h.seed
	h, broken = shortest(t, h, broken)
	t.Errorf("seed %d: %s\n%s", seed, broken, h)
	return false
}

// shortest leaves out of a history what it takes to break a rule without.
func shortest(t *testing.T, h history, broken string) (history, string) {
	for size := len(h.steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(h.steps); {
			less := h
			less.steps = slices.Delete(slices.Clone(h.steps), at, at+size)
			if got := enactSomeTimes(t, less); got != "" {
				h, broken = less, got
			} else {
				at += size
			}
		}
	}
	return h, broken
}

// enactSomeTimes gives chance some, too.
func enactSomeTimes(t *testing.T, h history) string {
	for range 3 {
		if broken := enact(t, h); broken != "" {
			return broken
		}
	}
	return ""
}

// history is what happens to some sources.
type history struct {
	seed     uint64
	sources  int
	shared   bool // by a cache
	rotating bool // the server's refresh tokens; else it is PacerPro's
	lies     bool // the server may judge wrongly
	clocks   bool // of the sources may be set
	spoiled  bool // the cache may fail, and somebody may write to it
	life     time.Duration
	latency  time.Duration
	steps    []happening
}

// happening is one thing that happens.
type happening struct {
	kind   kind
	source int
	n      int
	d      time.Duration
	what   string // of the server's or the cache's trouble
	to     string // the calls that it befalls
}

type kind int

const (
	passes kind = iota
	asks
	asksBriefly
	requests
	uploads
	invalidates
	invalidatesOld
	revokes
	reopens
	logsOutElsewhere
	serverFails
	serverHeals
	cacheFails
	cacheHeals
	keepsEntry
	putsEntryBack
	takesWrongPassword
	takesRightPassword
	setsClock
	kinds
)

var kindNames = [kinds]string{
	"time passes", "asks for a token", "asks for a token, and gives up soon", "makes a request", "uploads",
	"has its token invalidated", "hears of an old token", "revokes", "is closed, and another opened", "log-out elsewhere",
	"the server fails", "the server is well", "the cache fails", "the cache is well", "somebody copies the entry",
	"somebody puts the entry back", "the provider has the wrong password", "the provider has the right password", "the clock is set",
}

// weights are how often each happens.
var weights = [kinds]int{
	passes: 30, asks: 14, asksBriefly: 3, requests: 12, uploads: 3, invalidates: 6, invalidatesOld: 2, revokes: 4, reopens: 2,
	logsOutElsewhere: 6, serverFails: 12, serverHeals: 5, cacheFails: 4, cacheHeals: 3, keepsEntry: 2, putsEntryBack: 2,
	takesWrongPassword: 1, takesRightPassword: 2, setsClock: 2,
}

// troubles are what may befall a server's answers, and those that lie.
var (
	troubles     = []string{"500", "503 and wait", "429 and wait", "hang", "drop", "truncate", "late", "very late", "html", "redirect", "no content"}
	shortLives   = []string{"same expiry", "expired"}
	lies         = []string{"401", "404", "403"}
	cacheFaults  = []string{"fails", "hangs", "panics", "returns too late", "writes fail", "writes hang", "writes are slow"}
	spans        = []time.Duration{0, 0, 10 * time.Millisecond, time.Second, time.Second, 5 * time.Second, 30 * time.Second, 61 * time.Second, 5 * time.Minute, 11 * time.Minute, time.Hour}
	clockChanges = []time.Duration{-time.Hour, -2 * time.Minute, -10 * time.Second, 10 * time.Second, 2 * time.Minute, 20 * time.Minute, 3 * time.Hour}
)

// historyOf makes the history of a seed.
func historyOf(seed uint64) history {
	r := rand.New(rand.NewPCG(seed, 0))
	one := func(of []string) string { return of[r.IntN(len(of))] }
	h := history{
		seed: seed, sources: 1 + r.IntN(3), shared: r.IntN(3) > 0, rotating: r.IntN(4) == 0,
		lies: r.IntN(4) == 0, clocks: r.IntN(6) == 0, spoiled: r.IntN(2) == 0,
		life:    []time.Duration{15 * time.Minute, 15 * time.Minute, 3 * time.Minute, 20 * time.Second, 24 * time.Hour}[r.IntN(5)],
		latency: []time.Duration{0, 0, 300 * time.Millisecond, 4 * time.Second, 16 * time.Second}[r.IntN(5)],
	}
	total := 0
	for _, w := range weights {
		total += w
	}
	h.clocks = h.clocks && !h.rotating // an issuer tells expiries by the local clock
	h.latency = min(h.latency, h.life/60)
	for range 5 + r.IntN(45) {
		at, k := r.IntN(total), kind(0)
		for ; at >= weights[k]; k++ {
			at -= weights[k]
		}
		s := happening{kind: k, source: r.IntN(h.sources)}
		switch k {
		case passes:
			s.d = spans[r.IntN(len(spans))]
		case asksBriefly:
			s.d = time.Duration(r.IntN(5000)) * time.Millisecond
		case serverFails:
			s.n, s.what, s.to = 1+r.IntN(3), one(troubles), one([]string{"create", "refresh", "refresh", "revoke", "resource"})
			if s.to == "refresh" && r.IntN(6) == 0 {
				s.what = one(shortLives)
			}
			if s.to == "resource" {
				s.what = "401"
			}
			if h.lies && (s.to == "create" || s.to == "refresh") && r.IntN(3) == 0 {
				s.what = one(lies)
			}
		case cacheFails, keepsEntry, putsEntryBack:
			if !h.shared || !h.spoiled {
				continue
			}
			s.what = one(cacheFaults)
		case setsClock:
			if !h.clocks {
				continue
			}
			s.d = clockChanges[r.IntN(len(clockChanges))]
		}
		h.steps = append(h.steps, s)
	}
	return h
}

// String is the history as a person reads it.
func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sources, sharing a cache: %v, rotation: %v, lies: %v, clocks: %v, spoiled: %v, lives of %v, latency %v\n",
		h.sources, h.shared, h.rotating, h.lies, h.clocks, h.spoiled, h.life, h.latency)
	for i, s := range h.steps {
		fmt.Fprintf(&b, "%3d  %s\n", i, s)
	}
	return b.String()
}

func (s happening) String() string {
	switch s.kind {
	case passes:
		return fmt.Sprint(s.d, " pass")
	case serverFails:
		return fmt.Sprintf("the server fails: %s to the next %d of %s", s.what, s.n, s.to)
	case cacheFails:
		return "the cache: " + s.what
	case logsOutElsewhere, serverHeals, cacheHeals, keepsEntry, putsEntryBack, takesWrongPassword, takesRightPassword:
		return kindNames[s.kind]
	case setsClock:
		return fmt.Sprintf("%s, %v off", kindNames[s.kind], s.d)
	case asksBriefly:
		return fmt.Sprintf("source %d: %s, %v", s.source, kindNames[s.kind], s.d)
	}
	return fmt.Sprintf("source %d: %s", s.source, kindNames[s.kind])
}
