// Package version tells the version of a module in the running program.
package version

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// Of returns the module's version as the running program's build information has
// it, without the v, or "devel" where that knows none.
func Of(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return devel
	}
	return in(info, module)
}

// devel is Go's own "(devel)" as a User-Agent may have it: RFC 9110, section
// 10.1.5, has no parentheses in a product's version.
const devel = "devel"

// in finds the module: it is the program's own, or one of those that it was built
// from. Where another module or a directory takes its place, that has been built,
// and its version counts.
func in(info *debug.BuildInfo, module string) string {
	for _, built := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if built.Path != module {
			continue
		}
		if built.Replace != nil {
			built = built.Replace
		}
		return cmp.Or(strings.Trim(strings.TrimPrefix(built.Version, "v"), "()"), devel)
	}
	return devel
}
