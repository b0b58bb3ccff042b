package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

func TestAMutantLivesThatNoTestNoticesAndNoOtherDoes(t *testing.T) {
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
	if got, want := fmt.Sprint(len(mutants), lived), "4 [{1 . adult.go:6:41 > → >=}]"; got != want {
		t.Errorf("got %s, want %s: the tests try no age of 18", got, want)
	}
}
