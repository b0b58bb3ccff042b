package proxy

import (
	"strings"
	"testing"
)

func TestAHostIsANameAndAPortAtMost(t *testing.T) {
	for _, host := range []string{"", ":80", "a b", "a/b", "a?b", "user@a", "http://a", "a:port", "[::1", "%zz"} {
		if err := (Config{Hosts: []string{host}, Secret: "a-secret-of-the-clients"}).Validate(); err == nil || !strings.Contains(err.Error(), "give a name") {
			t.Errorf("the host %q: got error %v, want one that says what to give", host, err)
		}
	}
	for _, host := range []string{"a", "a.b", "A:80", "[::1]", "[::1]:80", "10.0.0.1:80", "*.internal"} {
		if err := (Config{Hosts: []string{host}, Secret: "a-secret-of-the-clients"}).Validate(); err != nil {
			t.Errorf("the host %q: got error %v, want none", host, err)
		}
	}
}
