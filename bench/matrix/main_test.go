package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/jwtsession/jwtsession/internal/longtest"
)

func TestNoClientIsResetAndEachAnswerIsTheOneThatIsDue(t *testing.T) {
	longtest.Run(t)
	for _, c := range clients {
		if c.program == "" {
			continue
		}
		if _, err := exec.LookPath(c.program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed: the proxy was not tried with it", c.program)
			}
			t.Skipf("%s is not installed: the proxy was not tried with it", c.program)
		}
	}
	rows, err := run(t.Context(), true)
	print(t.Output(), rows)
	if err != nil {
		t.Error(err)
	}
}

func TestWhatCurlWritesIsReadAsOneLineForEachAnswer(t *testing.T) {
	got := curlAnswers([]string{"{} 401 ", `{"code":"api_timeout"}`, " 504 ", "error Recv failure"})
	want := []string{"401 {}", `504 {"code":"api_timeout"}`, "error Recv failure"}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}
