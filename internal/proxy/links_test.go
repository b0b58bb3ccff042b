package proxy

import (
	"net/url"
	"testing"
)

// P9: a port that goes without saying may be said.
func TestALinkIsTheAPIsWithItsDefaultPortAndWithout(t *testing.T) {
	for _, c := range []struct{ base, link, want string }{
		{"https://api.example.com/v1", "https://api.example.com:443/v1/a", "/a"},
		{"https://api.example.com:443/v1", "https://API.example.com/v1/a", "/a"},
		{"https://api.example.com/v1", "https://api.example.com:80/v1/a", ""},
		{"http://api.example.com/v1", "http://api.example.com:80/v1/a", "/a"},
		{"http://api.example.com:80/v1", "//api.example.com/v1/a", "/a"},
		{"http://api.example.com/v1", "http://api.example.com:443/v1/a", ""},
	} {
		base, err := url.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		if got, found := (links{base: base}).turn(c.link, base); got != c.want || found != (c.want != "") {
			t.Errorf("%s of %s: got %q (%v), want %q", c.link, c.base, got, found, c.want)
		}
	}
}
