package proxy

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// However often a server decodes a path, and whatever it takes for a slash, a
// path that passes must stay below the API's.
func FuzzAPathThatPassesStaysInside(f *testing.F) {
	for _, seed := range []string{"/a/b", "/..", "/%2e%2e", "/%252e", `/..\a`, "/..;a/b", "/a%2fb/../..", "/%", "/%2", "/a..b", "/...", "/.%2", "/%25%32%65%2e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if _, ok := canonical(target); !ok {
			return
		}
		for range 12 {
			for _, reading := range []string{target, strings.ReplaceAll(target, `\`, "/")} {
				if resolved := path.Join("/v1/inside", reading); resolved != "/v1/inside" && !strings.HasPrefix(resolved, "/v1/inside/") {
					t.Fatalf("%q passes, and leads to %q", target, resolved)
				}
			}
			decoded, err := url.PathUnescape(target)
			if err != nil {
				return
			}
			target = decoded
		}
	})
}

func TestAPathWithoutDotsAndEscapesPassesWithoutALook(t *testing.T) {
	if got := testing.AllocsPerRun(100, func() { readingsOf("/runs/7/splits.json") }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}
