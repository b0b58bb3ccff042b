//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

func somePlan(seed uint64) plan {
	return plan{seed: seed, stores: []string{"file", "redis", "file", "redis"}, workers: 3, allowed: kinds}
}

// drawn returns the faults of so many steps.
func (p plan) drawn(steps int) (all []fault) {
	for step := 1; step <= steps; step++ {
		all = append(all, p.step(step, len(all)+1)...)
	}
	return all
}

func TestASeedDrawsTheSameFaultsAgainAndAnotherOneOthers(t *testing.T) {
	first, again, other := somePlan(5).drawn(60), somePlan(5).drawn(60), somePlan(6).drawn(60)
	if !slices.Equal(first, again) {
		t.Error("one seed drew two histories, want one")
	}
	if slices.Equal(first, other) {
		t.Error("two seeds drew one history, want two")
	}
}

func TestTenMinutesHaveEveryKindOfFaultAndFiveHundredOfThem(t *testing.T) {
	const atMost = 5 * time.Second // for a step, on a slow machine
	all := somePlan(7).drawn(int(10 * time.Minute / atMost))
	if len(all) < 500 {
		t.Errorf("ten minutes have %d faults, want 500", len(all))
	}
	for _, k := range kinds {
		if !slices.ContainsFunc(all, func(f fault) bool { return f.kind == k }) {
			t.Errorf("ten minutes have no %q", k.name)
		}
	}
}

func TestFaultsAreNumberedInTheirOrderAndEndWithTheirStep(t *testing.T) {
	for i, f := range somePlan(8).drawn(100) {
		if f.number != i+1 {
			t.Fatalf("fault %d has the number %d", i+1, f.number)
		}
		if f.length < shortestFault || f.at < 0 || f.at+f.length > stepTime {
			t.Errorf("%v ends %v after its step's begin, want at most %v", f, f.at+f.length, stepTime)
		}
		if f.kind.store != "" && f.kind.store != somePlan(8).stores[f.fleet] {
			t.Errorf("%v befalls a fleet with another store", f)
		}
	}
}

// A rejection counts for a minute (T12): a second one would explain a sign-in.
func TestAFleetsSessionsAreRejectedAtMostOnceAMinute(t *testing.T) {
	last := map[int]int{}
	rejections := 0
	for _, f := range somePlan(9).drawn(500) {
		if f.kind.class != rejection {
			continue
		}
		rejections++
		since := time.Duration(f.step-last[f.fleet]) * stepTime
		if last[f.fleet] > 0 && since < time.Minute+longestFault {
			t.Errorf("%v comes %v after the one before, want a minute and more", f, since)
		}
		last[f.fleet] = f.step
	}
	if rejections < 40 {
		t.Errorf("500 steps have %d rejections, want 40 and more", rejections)
	}
}

func TestOnlyTheKindsThatAreAllowedAreDrawn(t *testing.T) {
	p := somePlan(10)
	kill, _ := kindNamed("kill")
	p.allowed = []kind{kill}
	all := p.drawn(60)
	if len(all) == 0 {
		t.Error("no fault was drawn")
	}
	for _, f := range all {
		if f.kind != kill {
			t.Errorf("%v was drawn, and only a kill is allowed", f)
		}
	}
}

func TestFaultsAreFoundByTheirNumbers(t *testing.T) {
	p := somePlan(11)
	all := p.drawn(40)
	got, err := p.numbered("3, 70,12")
	want := []fault{all[2], all[11], all[69]}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	for _, list := range []string{"", "x", "0", "-1", "1,,2"} {
		if _, err := p.numbered(list); err == nil {
			t.Errorf("the list %q is no error", list)
		}
	}
}

func TestATimeWithoutFaultsIsShortened(t *testing.T) {
	var got []int
	for _, step := range closer([]fault{{number: 1, step: 30}, {number: 2, step: 30}, {number: 3, step: 32}, {number: 4, step: 90}}) {
		got = append(got, len(step))
	}
	want := []int{0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 1}
	if !slices.Equal(got, want) {
		t.Errorf("the steps have %v faults, want %v", got, want)
	}
}
