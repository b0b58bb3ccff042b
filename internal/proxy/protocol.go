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

// parseProtocolPaths reads them as they are written in a [API]. A segment with
// braces in it stands for any.
func parseProtocolPaths(paths []string) (protocolPaths, error) {
	var all protocolPaths
	for _, path := range paths {
		reading, ok := canonical(path)
		segments := segments(reading)
		if !ok || len(segments) == 0 {
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

// isPath compares a reading with a path's segments, and allocates nothing.
func isPath(reading string, own []string) bool {
	n := 0
	last := ""
	for segment := range strings.SplitSeq(reading, "/") {
		segment = bareName(segment)
		if segment == "" {
			continue
		}
		if n > 0 && !isSegment(last, own[n-1]) || n == len(own) {
			return false
		}
		last = segment
		n++
	}
	return n == len(own) && isSegment(withoutExtension(last), own[n-1])
}

func isSegment(segment, own string) bool {
	return segment == own || strings.Contains(own, "{")
}

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
