package proxy

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestMemoryForBodiesIsChargedAsTheyArrive(t *testing.T) {
	b := newBodies()
	announced, sending := io.Pipe()
	arrived := make(chan func())
	go func() {
		_, release, _ := b.keep(announced, largestKept)
		arrived <- release
	}()
	sending.Write([]byte("x")) // of a MiB
	if got := largestKeptTotal - b.room.Load(); got > 4<<10 {
		t.Errorf("a body of which one byte has come takes %d bytes, want 4 KiB at most", got)
	}
	sending.Close()
	(<-arrived)()
	if got := b.room.Load(); got != largestKeptTotal {
		t.Errorf("after its end there is room for %d bytes, want %d", got, largestKeptTotal)
	}
}

func TestKeptBodiesAreBoundedAllInAll(t *testing.T) {
	b := newBodies()
	var releases []func()
	for range largestKeptTotal / largestKept {
		content, release, err := b.keep(bytes.NewReader(make([]byte, largestKept)), largestKept)
		if err != nil || len(content) != largestKept {
			t.Fatalf("got %d bytes (%v), want all that there are", len(content), err)
		}
		releases = append(releases, release)
	}
	content, release, err := b.keep(strings.NewReader("x"), 1)
	if len(content) != 0 || err != nil {
		t.Errorf("got %d bytes (%v), want none: there is no room", len(content), err)
	}
	release()
	for _, release := range releases {
		release()
	}
	if got := b.room.Load(); got != largestKeptTotal {
		t.Errorf("at the end there is room for %d bytes, want %d", got, largestKeptTotal)
	}
}

// When the room ends in the middle of a body, it passes whole all the same.
func TestABodyForWhichThereIsNoMoreRoomPassesAsItArrives(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t)
	p.bodies.room.Store(100 << 10)
	content := bytes.Repeat([]byte("0123456789"), 50_000)
	if got := do(t, request(t, "POST", p.URL()+"/runs", bytes.NewReader(content))); got.status != 200 || a.last(t).body != string(content) {
		t.Errorf("got %d, and the API %d bytes; want 200, and the %d that were sent", got.status, len(a.last(t).body), len(content))
	}
}
