package proxy

import (
	"fmt"
	"strings"
)

// PacerProPaths are the paths of PacerPro's session calls, below the base URL.
var PacerProPaths = []string{"/session"}

// protocolPaths are the paths of a session protocol: calls of them would end, or
// hand out, the session that all clients share. Each is a list of segments.
type protocolPaths [][]string

// mostSegments is how many segments such a path may have: isPath has a bit for each.
const mostSegments = 63

// parseProtocolPaths reads them as they are written in a [API]. A segment with
// braces in it stands for any, and for several.
func parseProtocolPaths(paths []string) (protocolPaths, error) {
	var all protocolPaths
	for _, path := range paths {
		reading, ok := canonical(path)
		segments := segments(reading)
		if !ok || len(segments) == 0 || len(segments) > mostSegments {
			return nil, fmt.Errorf("the protocol's own path is %q: give one like /session", path)
		}
		all = append(all, segments)
	}
	return all, nil
}

// have reports whether a path, as canonical reads it, is one of them for some
// server. A server may cut a path off at parameters, or take them for the part of
// a segment.
func (all protocolPaths) have(reading string) bool {
	if all.match(reading) {
		return true
	}
	for i := range len(parameters) {
		if before, _, found := strings.Cut(reading, parameters[i:i+1]); found && all.match(before) {
			return true
		}
	}
	return false
}

func (all protocolPaths) match(reading string) bool {
	for _, own := range all {
		if isPath(reading, own) {
			return true
		}
	}
	return false
}

// isPath compares a reading with a path's segments, and allocates nothing. What
// stands where a placeholder is may have slashes in it, which some servers take for
// those of the path: so it is one segment or more, of whatever name.
func isPath(reading string, own []string) bool {
	read, extended := uint64(1), false // bit n: the first n of own; all of them, with an extension
	last := len(own) - 1
	for raw := range strings.SplitSeq(reading, "/") {
		if raw == "" {
			continue
		}
		segment := bareName(raw)
		extended = extended && segment == "" || read>>last&1 == 1 && withoutExtension(segment) == own[last]
		var next uint64
		for n := range len(own) + 1 {
			if read>>n&1 == 0 {
				continue
			}
			if segment == "" || n > 0 && isPlaceholder(own[n-1]) {
				next |= 1 << n
			}
			if n < len(own) && (isPlaceholder(own[n]) || segment == own[n]) {
				next |= 1 << (n + 1)
			}
		}
		if read = next; read == 0 && !extended {
			return false
		}
	}
	return extended || read>>len(own)&1 == 1
}

func isPlaceholder(own string) bool { return strings.Contains(own, "{") }

// segments are those of a path, the last one's extension left out.
func segments(reading string) []string {
	var all []string
	for segment := range strings.SplitSeq(reading, "/") {
		if segment = bareName(segment); segment != "" {
			all = append(all, segment)
		}
	}
	if n := len(all); n > 0 {
		all[n-1] = withoutExtension(all[n-1])
	}
	return all
}

// bareName is a segment without what servers leave out: parameters, and dots and
// spaces at its end.
func bareName(segment string) string {
	return strings.TrimRight(strings.TrimLeft(name(segment), " +"), " +.")
}

// withoutExtension is a name without the ending that asks for a format.
func withoutExtension(name string) string {
	if i := strings.IndexByte(name, '.'); i > 0 {
		return strings.TrimRight(name[:i], " +")
	}
	return name
}
