package origin

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// S3
func TestOnlyHTTPSAndHTTPToThisMachineAreSecure(t *testing.T) {
	const (
		fine = iota
		insecure
		mistaken // an error of another kind
	)
	cases := map[string]int{
		"https://api.example.com":              fine,
		"HTTPS://API.EXAMPLE.COM/v1":           fine,
		"https://api.example.com:8443/v1/":     fine,
		"https://192.0.2.1":                    fine,
		"https://[2001:db8::1]:8443/v1":        fine,
		"http://localhost:8080/v1":             fine,
		"http://LOCALHOST":                     fine,
		"HTTP://localhost":                     fine,
		"http://127.0.0.1:8080":                fine,
		"http://127.255.255.254":               fine,
		"http://[::1]:8080/v1":                 fine,
		"http://[0:0:0:0:0:0:0:1]":             fine,
		"http://[::ffff:127.0.0.1]":            fine,
		"http://api.example.com":               insecure,
		"HTTP://api.example.com":               insecure,
		"http://127.0.0.1.evil.com":            insecure,
		"http://localhost.evil.com":            insecure,
		"http://evil-localhost":                insecure,
		"http://127.1":                         insecure, // an address to some resolvers only
		"http://2130706433":                    insecure,
		"http://0.0.0.0:8080":                  insecure,
		"http://[::]:8080":                     insecure,
		"http://192.168.0.1":                   insecure,
		"http://[2001:db8::1]":                 insecure,
		"http://[::ffff:192.0.2.1]":            insecure,
		"http://user@api.example.com":          insecure,
		"http://localhost@evil.com":            insecure,
		"http://localhost:80@evil.com/v1":      insecure,
		"ftp://localhost":                      insecure,
		"ws://localhost":                       insecure,
		"//api.example.com/v1":                 insecure,
		"http://user:CANARY@localhost":         mistaken,
		"https://user:CANARY@api.example.com":  mistaken,
		"https://CANARY@api.example.com":       mistaken,
		"https://api.example.com/?key=CANARY":  mistaken,
		"https://api.example.com/?":            mistaken,
		"https://api.example.com/#CANARY":      mistaken,
		"https://":                             mistaken,
		"https:///v1":                          mistaken,
		"https://:443/CANARY":                  mistaken,
		"https:api.example.com":                mistaken,
		"api.example.com":                      mistaken,
		"localhost:8080":                       mistaken,
		"https://api.example.com:CANARY":       mistaken,
		"https://api.example.com/%zz?k=CANARY": mistaken,
		"https://[::1":                         mistaken,
		"https://api.example.com\r\nX: CANARY": mistaken,
		"file:///etc/hosts":                    mistaken,
	}
	for u, want := range cases {
		_, urlErr := ParseURL(u)
		_, originErr := Parse(strings.Replace(u, "/v1", "", 1))
		for name, err := range map[string]error{"ParseURL": urlErr, "Parse": originErr} {
			got := fine
			switch {
			case errors.Is(err, ErrInsecure):
				got = insecure
			case err != nil:
				got = mistaken
			}
			if got != want {
				t.Errorf("%s of %q: got error %v, want %s", name, u, err, []string{"none", "ErrInsecure", "one, but not ErrInsecure"}[want])
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s of %q: the error shows what may be a secret: %v", name, u, err)
			}
		}
	}
}

// H1
func TestAnOriginHasNoPath(t *testing.T) {
	for s, fine := range map[string]bool{
		"https://files.example.com":    true,
		"https://files.example.com/":   true,
		"https://files.example.com/a":  false,
		"https://files.example.com?a":  false,
		"https://files.example.com/#a": false,
	} {
		if _, err := Parse(s); (err == nil) != fine {
			t.Errorf("%q: got error %v, want none: %v", s, err, fine)
		}
	}
}

// H1: one host has many spellings, and an origin has one.
func TestAHostIsReadInOneWayHoweverItIsSpelled(t *testing.T) {
	for base, cases := range map[string]map[string]bool{
		"https://api.example.com": {
			"https://api.example.com": true, "https://API.Example.COM": true, "https://api.example.com.": true, "https://api.example.com:443": true, "https://api.example.com.:443": true,
			"https://api.example.com:": true, "https://user:word@api.example.com/path?query": true,
			"http://api.example.com": false, "https://api.example.com:444": false, "https://api.example.com:80": false, "https://api.example.com.evil.com": false, "https://api.example.com..": false,
			"https://xapi.example.com": false, "https://example.com": false, "https://аpi.example.com": false, // a Cyrillic а
			"https://ａｐｉ.example.com": false, "https://api。example。com": false, // to net/http alone, they are the same
			"https://api.example.com@evil.com": false, "https://": false, "https://.": false, "/path": false,
		},
		"HTTPS://Bücher.EXAMPLE.:443": {
			"https://xn--bcher-kva.example": true, "https://XN--BCHER-KVA.example.": true, "https://bücher.example": true, "https://BÜCHER.example": true, "https://b%C3%BCcher.example": true,
			"https://bu\u0308cher.example": false,
			"https://bucher.example":       false, "https://bücher.example.com": false, "https://buecher.example": false,
		},
		"https://xn--strae-oqa.example": {"https://straße.example": true, "https://strasse.example": false},
		"https://strasse.example":       {"https://STRASSE.example": true, "https://straße.example": false},
		"https://例え.テスト":                {"https://xn--r8jz45g.xn--zckzah": true, "https://例え.テスト.": true},
		"https://[0:0:0:0:0:0:0:1]:8443": {
			"https://[::1]:8443": true, "https://[0000::0001]:8443": true, "https://[0:0::1]:8443": true,
			"https://[::1]": false, "https://[::2]:8443": false, "https://127.0.0.1:8443": false, "https://[::ffff:0.0.0.1]:8443": false,
		},
		"https://[2001:DB8::A]":  {"https://[2001:db8:0:0::a]:443": true, "https://[2001:db8::b]": false},
		"http://localhost.:8080": {"http://LOCALHOST:8080": true, "http://localhost:8080": true, "http://127.0.0.1:8080": false},
		"http://127.0.0.1:80":    {"http://127.0.0.1": true, "http://127.0.0.1.": true, "http://127.0.0.1:8080": false, "http://127.1": false},
	} {
		o, err := Parse(base)
		if err != nil {
			t.Errorf("%q as an origin: got error %v, want none", base, err)
			continue
		}
		for s, want := range cases {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Match(u) != nil; got != want {
				t.Errorf("%q, of the origin %q: got %v, want %v", s, base, got, want)
			}
			if !want {
				continue
			}
			before := *u
			normal := Normalized(u)
			if again := Normalized(normal); again != normal || o.Match(normal) != normal || *u != before {
				t.Errorf("%q is normalized to %q and that to %q, want the origin's host at once, and the first one as it was", s, normal, again)
			}
		}
	}
}

// S3: what no request could be sent to is an error at once.
func TestAHostThatNoRequestCouldBeSentToIsAnError(t *testing.T) {
	for _, s := range []string{"https://.", "https://[::1%25é]x", "https://[v1.x]", "https://[12345::]"} {
		if u, err := ParseURL(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, u)
		}
	}
}
