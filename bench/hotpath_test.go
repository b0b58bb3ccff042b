package bench

import (
	"errors"
	"net/http"
	"reflect"
	"testing"
)

// BenchmarkHotPath has each side of each comparison as a benchmark of its own;
// go run ./ratios has them take turns, and checks the bounds.
func BenchmarkHotPath(b *testing.B) {
	comparisons, err := HotPath()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range comparisons {
		b.Run(c.Name()+"/jwtsession", func(b *testing.B) { alone(b, c.Ours, c.Parallel) })
		b.Run(c.Name()+"/"+c.Peer, func(b *testing.B) { alone(b, c.Theirs, c.Parallel) })
	}
}

func alone(b *testing.B, operation func() error, parallel bool) {
	b.ReportAllocs()
	if !parallel {
		for b.Loop() {
			repeat(operation, 1)
		}
		return
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			repeat(operation, 1)
		}
	})
}

// A comparison of two sides that do different things would be worth nothing.
func TestBothTransportsSendTheSameRequest(t *testing.T) {
	source, err := liveSource()
	if err != nil {
		t.Fatal(err)
	}
	for _, headers := range []int{2, 8} {
		var sent []http.Header
		c, err := roundTrip(source, headers, roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			sent = append(sent, req.Header)
			return silent, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Ours(), c.Theirs()); err != nil {
			t.Fatal(err)
		}
		if len(sent) != 2 || !reflect.DeepEqual(sent[0], sent[1]) {
			t.Fatalf("with %d headers: got %v, want the same headers from both", headers, sent)
		}
		if got, want := sent[0].Get("Authorization"), "Bearer "+SampleToken; len(sent[0]) != headers+1 || got != want {
			t.Errorf("with %d headers: sent %d with the authorization %q, want one more and %q", headers, len(sent[0]), got, want)
		}
	}
}

func TestNoOperationOfTheHotPathFails(t *testing.T) {
	comparisons, err := HotPath()
	if err != nil {
		t.Fatal(err)
	}
	if len(comparisons) == 0 {
		t.Fatal("got no comparisons")
	}
	for _, c := range comparisons {
		if err := errors.Join(c.Ours(), c.Theirs()); err != nil {
			t.Errorf("%s beside %s: got error %v, want none", c.Name(), c.Peer, err)
		}
	}
}

// roundTripperFunc is a function as an http.RoundTripper.
type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
