package version

import (
	"runtime/debug"
	"testing"
)

func TestTheVersionIsThatOfTheModuleInTheBuildInformation(t *testing.T) {
	const module = "example.com/library"
	other := debug.Module{Path: "example.com/program", Version: "v9.9.9"}
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"the program's own module", debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3"}}, "1.2.3"},
		{"a working copy", debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.4-0.20260102150405-abcdef012345+dirty"}}, "1.2.4-0.20260102150405-abcdef012345+dirty"},
		{"a build that knows nothing of revisions", debug.BuildInfo{Main: debug.Module{Path: module, Version: "(devel)"}}, "devel"},
		{"another's module", debug.BuildInfo{Main: other, Deps: []*debug.Module{{Path: module + "/bench", Version: "v7.0.0"}, {Path: module, Version: "v1.2.3"}}}, "1.2.3"},
		{"a fork in its place", debug.BuildInfo{Main: other, Deps: []*debug.Module{{Path: module, Version: "v1.2.3", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.2.5"}}}}, "1.2.5"},
		{"a directory in its place", debug.BuildInfo{Main: other, Deps: []*debug.Module{{Path: module, Version: "v1.2.3", Replace: &debug.Module{Path: "../fork"}}}}, "devel"},
		{"no module at all", debug.BuildInfo{Main: other}, "devel"},
	} {
		if got := in(&c.info, module); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
