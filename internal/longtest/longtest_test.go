package longtest

import "testing"

func TestALongTestRunsWhereTheVariableSaysSoAndNowhereElse(t *testing.T) {
	for value, want := range map[string]bool{"": false, wanted: true} {
		t.Setenv(variable, value)
		if got := IsOn(t); got != want {
			t.Errorf("%s=%q: long tests run: got %v, want %v", variable, value, got, want)
		}
		hasRun := false
		t.Run("", func(t *testing.T) { Run(t); hasRun = true })
		if hasRun != want {
			t.Errorf("%s=%q: a test that Run marks: ran %v, want %v", variable, value, hasRun, want)
		}
	}
}
