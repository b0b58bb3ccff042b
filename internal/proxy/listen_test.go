package proxy

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestAHostLeavesOutThePortThatIsItsSchemes(t *testing.T) {
	for _, c := range []struct {
		address, cert string
		want          []string
	}{
		{"127.0.0.1:80", "", []string{"127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"}},
		{"127.0.0.1:443", "cert.pem", []string{"127.0.0.1:443", "localhost:443", "127.0.0.1", "localhost"}},
		{"[::1]:443", "cert.pem", []string{"[::1]:443", "localhost:443", "[::1]", "localhost"}},
		{"127.0.0.1:80", "cert.pem", []string{"127.0.0.1:80", "localhost:80"}},
		{"127.0.0.1:443", "", []string{"127.0.0.1:443", "localhost:443"}},
		{"127.0.0.1:8888", "", []string{"127.0.0.1:8888", "localhost:8888"}},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		if got := loopbackHosts(addr, Config{CertFile: c.cert}); !slices.Equal(got, c.want) {
			t.Errorf("%s with certificate %q: got %q, want %q", c.address, c.cert, got, c.want)
		}
	}
}

func TestACertificateWithoutNamesNeedsHosts(t *testing.T) {
	nameless, key, _ := certificate(t)
	config := Config{CertFile: nameless, KeyFile: key}
	if names, err := certificateNames(config); err == nil || !strings.Contains(err.Error(), "no subject alternative name") {
		t.Errorf("got %q and error %v, want an error that says what the certificate lacks", names, err)
	}
	config.Hosts = []string{"api.internal"}
	if names, err := certificateNames(config); err != nil || len(names) != 0 {
		t.Errorf("with a host: got %q and error %v, want none of both", names, err)
	}
}
