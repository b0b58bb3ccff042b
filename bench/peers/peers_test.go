package main

import "testing"

func TestOurColumnIsAsItShouldBe(t *testing.T) {
	ours := contenders[0]
	for _, s := range scenarios {
		t.Run(s.what, func(t *testing.T) {
			if got := perform(s, ours.open); got != s.want {
				t.Errorf("%s: got %q, want %q", ours.name, got, s.want)
			}
		})
	}
}
