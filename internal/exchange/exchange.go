// Package exchange speaks the session protocol that a description tells of: it
// builds the requests, reads the answers, and puts what they brought into other
// requests. It makes no calls, and asks no clock.
//
// What can be known to be wrong with a description is an error of [Parse]. No
// error of the package quotes a value that was put in.
package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Description is the library's Protocol, which says what each field means. It has
// no name of its own, so that a Protocol is one.
type Description = struct {
	SignIn, Refresh, LogOut string
	Token                   string
	ExpiresAt               string
	ExpiresIn               string
	Keep                    map[string]string
	RenewableFor            time.Duration
	Send                    []string
	Rejects                 []int
}

// PacerPro is what the library's zero Protocol stands for.
var PacerPro = Description{
	SignIn:    "POST /session\n\n" + `{"email":"{email}","password":"{password}"}`,
	Refresh:   "GET /session",
	LogOut:    "DELETE /session",
	Token:     "jwtToken",
	ExpiresAt: "expiresAt",
}

// The placeholders that every description has.
const (
	Email    = "email"
	Password = "password"
	Code     = "code"
	Basic    = "basic" // made of the first two
	Token    = "token"
)

// Exchange is a description that was read. It is safe for concurrent use.
type Exchange struct {
	SignIn, Refresh, LogOut *Request // nil: there is none

	text      string
	token     path
	expiresAt path
	expiresIn path
	unit      time.Duration // of what is found at expiresIn
	fixed     time.Duration // zero: not fixed
	keep      map[string]path
	send      []sent
	rejects   []int
}

// Parse reads a description. Its errors begin with the field's name.
func Parse(d Description) (*Exchange, error) {
	e := &Exchange{text: textOf(d), keep: map[string]path{}, rejects: slices.Clone(d.Rejects)}
	for _, step := range []func(Description) error{e.parseKeep, e.parseRequests, e.parseAnswers, e.checkPaths, e.parseSend} {
		if err := step(d); err != nil {
			return nil, err
		}
	}
	for _, status := range d.Rejects {
		if status < 300 || status > 599 {
			return nil, fmt.Errorf("Protocol.Rejects: %d is no status of a refusal: give some of 300 to 599", status)
		}
	}
	if d.RenewableFor < 0 {
		return nil, fmt.Errorf("Protocol.RenewableFor: %v is no life: give a positive duration, or none", d.RenewableFor)
	}
	return e, nil
}

func (e *Exchange) parseKeep(d Description) error {
	for _, name := range slices.Sorted(maps.Keys(d.Keep)) {
		switch {
		case !IsName(name):
			return fmt.Errorf("Protocol.Keep: %q is no name for a placeholder: give it letters, digits, - and _, and a letter first", name)
		case slices.Contains([]string{Email, Password, Code, Basic, Token}, name):
			return fmt.Errorf("Protocol.Keep: {%s} is taken: give what is kept another name", name)
		}
		p, err := parsePath(d.Keep[name])
		if err != nil {
			return fmt.Errorf("Protocol.Keep: %s: %w", name, err)
		}
		e.keep[name] = p
	}
	return nil
}

func (e *Exchange) parseRequests(d Description) error {
	if strings.TrimSpace(d.SignIn) == "" {
		return errors.New(`Protocol.SignIn: there is none: give a request like "POST /login", with its headers and its body below`)
	}
	for _, r := range []struct {
		field, text string
		request     **Request
	}{{"SignIn", d.SignIn, &e.SignIn}, {"Refresh", d.Refresh, &e.Refresh}, {"LogOut", d.LogOut, &e.LogOut}} {
		if strings.TrimSpace(r.text) == "" {
			continue
		}
		parsed, err := parseRequest(r.text)
		if err == nil {
			err = e.checkNames(r.field, parsed.names)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", "Protocol."+r.field, err)
		}
		parsed.carries = r.field != "SignIn" && !slices.ContainsFunc(parsed.names, e.issued)
		*r.request = parsed
	}
	return nil
}

// asDuration is what must be meant as a duration: in an answer, only an array has
// a step of digits, and nobody puts lives into one without names.
var asDuration = regexp.MustCompile(`^[+-]?[0-9][^.]*$`)

func (e *Exchange) parseAnswers(d Description) (err error) {
	if d.Token == "" {
		return errors.New(`Protocol.Token: there is none: say where the answer has the token, "data.access_token" or "header:X-Auth-Token" for instance`)
	}
	if e.token, err = parsePath(d.Token); err != nil {
		return fmt.Errorf("Protocol.Token: %w", err)
	}
	if d.ExpiresAt != "" {
		if e.expiresAt, err = parsePath(d.ExpiresAt); err != nil {
			return fmt.Errorf("Protocol.ExpiresAt: %w", err)
		}
	}
	if d.ExpiresIn == "" {
		return nil
	}
	if fixed, err := time.ParseDuration(d.ExpiresIn); err == nil {
		if e.fixed = fixed; fixed <= 0 {
			return fmt.Errorf("Protocol.ExpiresIn: %v is no life: give a positive duration", fixed)
		}
		return nil
	}
	if asDuration.MatchString(d.ExpiresIn) {
		return fmt.Errorf(`Protocol.ExpiresIn: %q is no duration: give one like "2h" or "3600s", or say where the answer has it`, d.ExpiresIn)
	}
	at, isMilliseconds := strings.CutSuffix(d.ExpiresIn, " ms")
	e.unit = time.Second
	if isMilliseconds {
		e.unit = time.Millisecond
	}
	if e.expiresIn, err = parsePath(at); err != nil {
		return fmt.Errorf(`Protocol.ExpiresIn: it is no duration like "2h", and %w`, err)
	}
	return nil
}

// issued reports whether a placeholder stands for something that a sign-in
// brings.
func (e *Exchange) issued(name string) bool {
	_, kept := e.keep[name]
	return kept || name == Token
}

// checkNames finds the placeholders of a field that cannot be known there. One
// that nobody knows may be of Credentials.Extra, unless it is all but one of those
// that there are.
func (e *Exchange) checkNames(field string, names []string) error {
	known := []string{Email, Password, Basic}
	switch field {
	case "SignIn":
		known = append(known, Code)
	case "Send":
		known = []string{Email}
	}
	if field != "SignIn" {
		known = append(append(known, Token), slices.Sorted(maps.Keys(e.keep))...)
	}
	for _, name := range names {
		switch {
		case slices.Contains(known, name):
		case e.issued(name):
			return fmt.Errorf("{%s} is not known before the sign-in", name)
		case name == Code:
			return errors.New("{code} is good for the sign-in only")
		case name == Password, name == Basic:
			return fmt.Errorf("{%s} would send the password with each request: name {token}", name)
		default:
			if meant := nearest(name, known); meant != "" && isTypo(name, meant) {
				return fmt.Errorf("unknown placeholder {%s}: did you mean {%s}?", name, meant)
			}
		}
	}
	return nil
}

// TokenPath is where answers have the token.
func (e *Exchange) TokenPath() string { return e.token.String() }

// Identity is the whole description in one text, which no other description has.
func (e *Exchange) Identity() string { return e.text }

// FixedLife is how long every session lives, if the description says that, and
// else zero.
func (e *Exchange) FixedLife() time.Duration { return e.fixed }

// TellsExpiry reports whether the description says how long sessions live, or
// where answers have it: the token itself need not tell.
func (e *Exchange) TellsExpiry() bool {
	return e.fixed > 0 || e.expiresAt.kind != "" || e.expiresIn.kind != ""
}

// Names reports whether the request, which may be nil, has the placeholder.
func (r *Request) Names(name string) bool { return r != nil && slices.Contains(r.names, name) }

// NamesCredentials reports whether a request, which may be nil, has something of
// the credentials in it.
func (e *Exchange) NamesCredentials(r *Request) bool {
	return r != nil && slices.ContainsFunc(r.names, func(name string) bool { return !e.issued(name) })
}

// Needs are the names of what the description wants to know of the credentials,
// each once and in order. {basic} is made of the first two, and is none.
func (e *Exchange) Needs() []string {
	names := map[string]bool{}
	for _, placeholders := range [][]string{e.SignIn.placeholders(), e.Refresh.placeholders(), e.LogOut.placeholders(), e.sentNames()} {
		for _, name := range placeholders {
			switch {
			case name == Basic:
				names[Email], names[Password] = true, true
			case !e.issued(name):
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// placeholders are those of a request, which may be nil.
func (r *Request) placeholders() []string {
	if r == nil {
		return nil
	}
	return r.names
}

// Rotates reports whether a refresh uses up something that was kept, as a refresh
// token is.
func (e *Exchange) Rotates() bool { return len(e.Uses()) > 0 }

// Uses are the names of what was kept that a refresh uses.
func (e *Exchange) Uses() (names []string) {
	if e.Refresh == nil {
		return nil
	}
	for _, name := range e.Refresh.names {
		if name != Token && e.issued(name) {
			names = append(names, name)
		}
	}
	return names
}

// Keeps are the names of what is kept.
func (e *Exchange) Keeps() []string { return slices.Sorted(maps.Keys(e.keep)) }

// Has reports whether a state has all that a request needs of it.
func (e *Exchange) Has(r *Request, state string) bool {
	kept := e.Kept(state)
	return !slices.ContainsFunc(r.names, func(name string) bool {
		_, has := kept[name]
		return name != Token && e.issued(name) && !has
	})
}

// Rejects reports whether a status says that the session has ended.
func (e *Exchange) Rejects(status int) bool {
	if len(e.rejects) == 0 {
		return status == http.StatusUnauthorized
	}
	return slices.Contains(e.rejects, status)
}

// CheckExtra finds what is wrong with the names of Credentials.Extra: those that
// the description does not leave free, and those that it names and nobody has.
func (e *Exchange) CheckExtra(extra map[string]string) error {
	taken := []string{Email, Password, Code, Basic, Token}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if slices.Contains(taken, name) || e.issued(name) {
			return fmt.Errorf("Credentials.Extra: {%s} is taken: give it another name", name)
		}
	}
	for _, field := range []struct {
		name         string
		placeholders []string
	}{{"SignIn", e.SignIn.placeholders()}, {"Refresh", e.Refresh.placeholders()}, {"LogOut", e.LogOut.placeholders()}, {"Send", e.sentNames()}} {
		for _, name := range field.placeholders {
			if _, known := extra[name]; known || slices.Contains(taken, name) || e.issued(name) {
				continue
			}
			candidates := append(slices.Sorted(maps.Keys(extra)), taken...)
			advice := "set it in Credentials.Extra"
			if field.name != "SignIn" {
				advice = "have Protocol.Keep say where the answer has it, or " + advice
			} else if slices.Contains([]string{"identity", "login", "name", "user", "user_name", "username"}, strings.ToLower(name)) {
				advice = "write {email} for who signs in, or " + advice
			}
			if meant := nearest(name, append(candidates, slices.Sorted(maps.Keys(e.keep))...)); meant != "" {
				advice = fmt.Sprintf("did you mean {%s}? Else %s", meant, advice)
			}
			return fmt.Errorf("%s: unknown placeholder {%s}: %s", "Protocol."+field.name, name, advice)
		}
	}
	return nil
}

// nearest returns the one of the names that differs the least, if that is little.
func nearest(name string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	best := slices.MinFunc(names, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	if distance(name, best) > max(1, len(name)/3) {
		return ""
	}
	return best
}

// isTypo reports whether a name is sure to be meant as another one.
func isTypo(name, meant string) bool {
	return distance(name, meant) <= 1 && strings.EqualFold(name[:1], meant[:1])
}

// distance counts the letters to add, to leave out, to replace and to swap with
// the next one (optimal string alignment), whatever their case.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
