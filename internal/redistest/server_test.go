//go:build unix

package redistest

import (
	"context"
	"syscall"
	"testing"
	"time"
)

func TestAServerThatWasKilledAnswersAgainAfterItsStartAndHasForgottenAll(t *testing.T) {
	t.Parallel()
	s := Start(t)
	client := s.Client(t)
	if err := client.Set(t.Context(), "name", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("the server that was killed answers")
	}
	s.Start()
	n, err := client.Exists(t.Context(), "name").Result()
	if err != nil || n != 0 {
		t.Errorf("after its start: got %d entries and error %v, want an empty server", n, err)
	}
}

func TestAServerThatWasStoppedAcceptsAndDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Signal(syscall.SIGSTOP)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Client(t).Ping(short).Err(); err == nil {
		t.Error("the server that was stopped answers")
	}
	s.Signal(syscall.SIGCONT)
	if err := s.Client(t).Ping(t.Context()).Err(); err != nil {
		t.Errorf("the server that goes on: got error %v, want an answer", err)
	}
}
