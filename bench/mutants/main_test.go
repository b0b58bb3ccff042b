//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestAMutantLivesThatNoTestNoticesOrComesByAndNoOtherDoes(t *testing.T) {
	place := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module example.com/adult\n\ngo 1.26\n",
		"adult.go": `// Package adult has a limit, and a loop.
package adult

const limit = 9 + 9

func isAdult(age int) bool { return age > limit }

func adults(ages ...int) (n int) {
	_ = limit
	for _, age := range ages {
		if !isAdult(age) {
			continue
		}
		n++
	}
	return n
}

func isChild(age int) bool { return !isAdult(age) && age >= 0 }

func first(ages []int) int {
	for {
		if len(ages) == 0 {
			continue
		}
		return ages[0]
	}
}
`,
		"adult_test.go": `package adult

import "testing"

func TestAdults(t *testing.T) {
	if adults(40, 3, 50) != 2 {
		t.Error("wrong")
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(place, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mutants, err := plant(place, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	trial := trial{place: place, skip: regexp.MustCompile("Nothing"), patience: time.Minute, workers: 2}
	if err := trial.prepare([]string{"."}); err != nil {
		t.Fatal(err)
	}
	lived, _ := trial.all(mutants)
	var got []string
	for _, m := range mutants {
		got = append(got, fmt.Sprint(m.at, " ", m.change, ": ", trial.tried(m)))
	}
	want := []string{
		"adult.go:6:41 > → >=: " + livedOn, // no age of 18 is tried
		"adult.go:6:41 > → <=: " + killed,
		"adult.go:12:4 continue → break: " + killed,
		"adult.go:14:4 ++ → --: " + killed,
		"adult.go:19:58 >= → >: " + neverMet,
		"adult.go:19:58 >= → <: " + neverMet,
		"adult.go:19:51 && → ||: " + neverMet,
		"adult.go:23:16 == → !=: " + neverMet, // a loop without an end has no break
	}
	if !slices.Equal(got, want) || len(lived) != 5 {
		t.Errorf("of the mutants %d live, want 5:\ngot  %q\nwant %q", len(lived), got, want)
	}
}
