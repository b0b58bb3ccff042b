package jwtsession

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// Version is the library's version, as the session calls' User-Agent has it:
// that of the module in the running program's build information, without the v.
// In a program that was built from a working copy and not from a release it is
// the revision's (0.1.1-0.20260102150405-abcdef012345) where Go has recorded
// one, and else "devel". It is for reading.
var Version = version()

const modulePath = "github.com/jwtsession/jwtsession"

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return develVersion
	}
	return versionIn(info)
}

// develVersion is Go's own "(devel)" as a User-Agent may have it: RFC 9110,
// section 10.1.5, has no parentheses in a product's version.
const develVersion = "devel"

// versionIn finds the module: it is the program's own, or one of those that it
// was built from. Where another module or a directory takes its place, that has
// been built, and its version counts.
func versionIn(info *debug.BuildInfo) string {
	for _, module := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if module.Path != modulePath {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		return cmp.Or(strings.Trim(strings.TrimPrefix(module.Version, "v"), "()"), develVersion)
	}
	return develVersion
}
