package exchange

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Cookies are those that an answer leaves its client with, each as it is written
// there: what a server may want back (RFC 6265) is more than net/http lets pass. Of
// several with one name it is the last, and none if that one deletes it.
func Cookies(header http.Header) (all []Field) {
	for _, line := range header["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, found := strings.Cut(pair, "=")
		if !found {
			continue
		}
		name = strings.TrimSpace(name)
		all = slices.DeleteFunc(all, func(f Field) bool { return f.Name == name })
		if !deletes(attributes) {
			all = append(all, Field{name, strings.TrimSpace(value)})
		}
	}
	return all
}

func cookie(header http.Header, name string) string {
	for _, f := range Cookies(header) {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

var (
	maxAge  = regexp.MustCompile(`^-?[0-9]+$`)
	hasGone = regexp.MustCompile(`^(?:-|0+$)`)
	// Of the year 1999 or before, in any of the forms that dates have there.
	longAgo = regexp.MustCompile(`[ -](?:1[6-9][0-9]{2}|[7-9][0-9])(?:[^0-9]|$)`)
)

// deletes reports whether a cookie with these attributes is gone when it comes: by
// its Max-Age, which goes first, or by its Expires (RFC 6265, section 5.3). Nobody
// here asks a clock, so that only a date which is past by any counts: those that
// delete cookies are in 1970.
func deletes(attributes string) bool {
	byAge, byDate, hasAge := false, false, false
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "max-age":
			if maxAge.MatchString(value) {
				hasAge, byAge = true, hasGone.MatchString(value)
			}
		case "expires":
			byDate = longAgo.MatchString(value)
		}
	}
	return byAge || byDate && !hasAge
}
