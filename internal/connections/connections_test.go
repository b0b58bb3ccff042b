package connections

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// foreignTransport is a transport of a program's own.
type foreignTransport struct{ http.RoundTripper }

// T5, T16: one clone for all, as long as there is anybody.
func TestSourcesThatShareATransportShareItsCloneAndLeaveNoneBehind(t *testing.T) {
	original := &http.Transport{IdleConnTimeout: time.Second, HTTP2: &http.HTTP2Config{SendPingTimeout: time.Minute}}
	original.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_ = original.IdleConnTimeout // so that the clone holds the original
		return nil, errors.New("no network")
	}
	var all clones
	adapted := 0
	all.adapt = func(*http.Transport) { adapted++ }
	first := all.of(original)
	for range 1000 {
		if all.of(original) != first {
			t.Fatal("got another clone, want the one that is there")
		}
	}
	if other := all.of(&http.Transport{}); other == first || len(all.known) > 2 || adapted != 2 {
		t.Errorf("got %d clones, adapted %d times, want one for each of two transports", len(all.known), adapted)
	}
	clone := ForSessions(&http.Client{Transport: original}).(*http.Transport)
	if clone.IdleConnTimeout != time.Second || clone.HTTP2.SendPingTimeout != time.Minute {
		t.Errorf("got connections that may be idle for %v, and a ping after %v, want what the program has set", clone.IdleConnTimeout, clone.HTTP2.SendPingTimeout)
	}
	if original.HTTP2.PingTimeout != 0 || original.IdleConnTimeout != time.Second {
		t.Error("the program's transport has been changed")
	}
	runtime.KeepAlive(first)
	first, original = nil, nil
	for deadline := time.Now().Add(10 * time.Second); ; runtime.GC() {
		all.mu.Lock()
		left := len(all.known)
		all.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d clones are left, want none", left)
		}
	}
}

// T5: the program's requests.
func TestTheDefaultTransportOfRequestsNoticesADeadConnection(t *testing.T) {
	for _, hc := range []*http.Client{nil, {}} {
		carries, ok := ForRequests(hc).(*http.Transport)
		if !ok || carries == http.DefaultTransport || carries.HTTP2.SendPingTimeout != requestPing || carries.IdleConnTimeout != http.DefaultTransport.(*http.Transport).IdleConnTimeout {
			t.Errorf("got %v, want the default with pings", carries)
		}
		if carries != ForRequests(nil) || carries == ForSessions(hc) || ForSessions(hc) != ForSessions(nil) {
			t.Error("got two for two sources, or the session calls', want one")
		}
	}
	if http.DefaultTransport.(*http.Transport).HTTP2 != nil {
		t.Error("http.DefaultTransport has been changed")
	}
	own := &http.Transport{}
	if got := ForRequests(&http.Client{Transport: own}); got != own || own.HTTP2 != nil {
		t.Errorf("got %v, want the program's own transport as it is", got)
	}
	foreign := &foreignTransport{}
	if got := ForRequests(&http.Client{Transport: foreign}); got != foreign || ForSessions(&http.Client{Transport: foreign}) != foreign {
		t.Errorf("got %v, want the program's own as it is", got)
	}
}
