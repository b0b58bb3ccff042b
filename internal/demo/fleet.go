package demo

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// longestFleet is how long a Fleet waits for everything to happen.
const longestFleet = 27 * time.Second

// FleetConfig says what a Fleet consists of.
type FleetConfig struct {
	// Processes is how many there are.
	Processes int

	// Worker returns a command that runs [Work] with the API at baseURL, and with a
	// store that all of them share.
	Worker func(baseURL string) *exec.Cmd
}

// Fleet is a run of several processes on one account, which share one session.
type Fleet struct {
	*chronicle
	config FleetConfig
	box    *sessiontest.Server

	sessions   chan struct{} // one for each session that the API has issued
	refreshing chan *process // who has just begun to refresh, if anybody listens

	mu        sync.Mutex // guards the rest
	processes []*process
	gone      report // the sums of those that have been replaced
	periods   periods
	marks     [cells]byte // what the API did
	problem   error
	stop      context.CancelFunc // ends the run
}

// NewFleet prepares a run. onEvent is as in [New].
func NewFleet(config FleetConfig, onEvent func(Event)) (*Fleet, error) {
	f := &Fleet{
		chronicle:  newChronicle(onEvent),
		config:     config,
		sessions:   make(chan struct{}, 1000),
		refreshing: make(chan *process),
	}
	var err error
	f.box, err = sessiontest.Start(sessiontest.WithTokenLife(tokenLife), sessiontest.WithObserver(f.observe))
	if err != nil {
		return nil, err
	}
	inOrder(f.box)
	return f, nil
}

// Run runs until everything has happened, or ctx ends, and tells how it went. No
// process is left then. It can be called once.
func (f *Fleet) Run(ctx context.Context) Totals {
	f.begin()
	defer f.box.Close()
	playing, stop := context.WithTimeout(ctx, longestFleet)
	defer stop()
	f.mu.Lock()
	f.stop = stop
	f.mu.Unlock()
	for i := range f.config.Processes {
		p, err := f.startProcess(fmt.Sprintf("process %d", i+1))
		if err != nil {
			f.fail(err)
			break
		}
		f.mu.Lock()
		f.processes = append(f.processes, p)
		f.mu.Unlock()
	}
	finished := f.play(playing)
	t := Totals{Interrupted: ctx.Err() != nil, Finished: finished, Took: f.elapsed()}

	f.box.Heal() // so that whoever waits for a session gets it
	var all sync.WaitGroup
	for _, p := range f.fleet() {
		all.Go(func() {
			if p.end() {
				f.fail(fmt.Errorf("%s did not end within %s of being told to, and was killed", p.name, seconds(grace)))
			}
		})
	}
	all.Wait()
	f.total(&t)
	return t
}

func (f *Fleet) startProcess(name string) (*process, error) {
	return startProcess(name, f.config.Worker(f.box.URL), f.heard, func(err error) {
		f.report(name, Bad, err.Error())
		f.fail(fmt.Errorf("%s %w", name, err))
	})
}

// heard passes on what a process has told.
func (f *Fleet) heard(p *process, r report) {
	p.note(r, f.elapsed())
	if r.Event != nil {
		f.report(p.name, r.Event.Tone, r.Event.Text)
	}
	if r.Refreshing {
		select {
		case f.refreshing <- p:
		default:
		}
	}
}

// observe sees each call that the API has answered.
func (f *Fleet) observe(call sessiontest.Call) {
	if call.Status != http.StatusOK || call.Op != sessiontest.OpCreate && call.Op != sessiontest.OpRefresh {
		return
	}
	f.mu.Lock()
	f.periods.add(call.Op, call.Start.Add(call.Duration))
	f.mu.Unlock()
	select {
	case f.sessions <- struct{}{}:
	default:
	}
}

// replace starts a process in the place of one that has ended.
func (f *Fleet) replace(old *process) error {
	replacement, err := f.startProcess(old.name)
	if err != nil {
		return err
	}
	last := old.heard()
	replacement.takeOver(old, f.elapsed())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = f.gone.plus(last)
	f.processes[slices.Index(f.processes, old)] = replacement
	return nil
}

// mark notes what the API does now.
func (f *Fleet) mark(mark byte) {
	at := cellAt(f.elapsed())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[at] = mark
}

// fleet is the processes of this moment.
func (f *Fleet) fleet() []*process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.processes)
}

// fail notes what must not happen, and ends the run. The first time counts.
func (f *Fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problem == nil {
		f.problem = err
		f.stop()
	}
}
