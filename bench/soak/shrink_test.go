//go:build linux

package main

import (
	"slices"
	"testing"
)

func numbersOf(faults []fault) (all []int) {
	for _, f := range faults {
		all = append(all, f.number)
	}
	return all
}

func TestAHistoryIsShortenedToTheFaultsThatAreNeeded(t *testing.T) {
	for _, needed := range [][]int{{1}, {100}, {50}, {99, 100}, {1, 100}, {17, 40, 41, 93}, {3, 4, 5, 6, 7, 8}} {
		runs := 0
		got := shrink(somePlan(1).drawn(40)[:100], func(faults []fault) bool {
			runs++
			if !slices.IsSortedFunc(faults, func(a, b fault) int { return a.number - b.number }) {
				t.Errorf("the history %v is not in its order", numbersOf(faults))
			}
			for _, n := range needed {
				if !slices.Contains(numbersOf(faults), n) {
					return false
				}
			}
			return true
		})
		if !slices.Equal(numbersOf(got), needed) {
			t.Errorf("got the faults %v, want %v", numbersOf(got), needed)
		}
		if runs > 120 {
			t.Errorf("the faults %v took %d runs, want at most 120", needed, runs)
		}
	}
}

func TestOfAHistoryThatDoesNotBreakAgainNothingIsLeft(t *testing.T) {
	if got := shrink(somePlan(1).drawn(10), func([]fault) bool { return false }); got != nil {
		t.Errorf("got the faults %v, want none", numbersOf(got))
	}
}

// There is no time for all that could be left out.
func TestWhatWasFoundInTimeIsKept(t *testing.T) {
	all := somePlan(1).drawn(40)[:100]
	runs := 0
	got := shrink(all, func(faults []fault) bool {
		runs++
		return runs == 3
	})
	if want := all[100-16:]; !slices.Equal(got, want) {
		t.Errorf("got the faults %v, want the last 16", numbersOf(got))
	}
}
