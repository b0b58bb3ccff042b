package cachetest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jwtsession/jwtsession/cache"
)

// recorder is a test whose failures are what another test wants.
type recorder struct {
	testing.TB // for what a check does not call
	cleanups   []func()

	mu        sync.Mutex
	failures  []string
	isSkipped bool
}

// verdict runs a check in a bubble and returns what it reported.
func verdict(t *testing.T, d demand, open func(*testing.T) cache.Cache, options ...Option) *recorder {
	t.Helper()
	r := &recorder{}
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, open, options)
		r.TB = t
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer r.cleanUp()
			d.check(r, s)
		}()
		<-done
	})
	return r
}

func (r *recorder) cleanUp() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Error(args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprint(args...))
}

func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Skip(...any) {
	r.mu.Lock()
	r.isSkipped = true
	r.mu.Unlock()
	runtime.Goexit()
}
