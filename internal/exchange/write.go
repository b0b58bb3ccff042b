package exchange

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// Write returns an answer in which [Exchange.Read] finds all this: what a server
// does that speaks the protocol. What a has not, the answer has not either; a
// fixed life is in none.
func (e *Exchange) Write(a Answer) (http.Header, []byte) {
	w := writer{header: http.Header{"Content-Type": {"application/json"}}, json: map[string]any{}}
	if a.Token != "" {
		w.put(e.token, a.Token)
	}
	if a.ExpiresAt != "" {
		w.put(e.expiresAt, a.ExpiresAt)
	}
	if a.Life > 0 && e.expiresIn.kind != "" {
		w.put(e.expiresIn, strconv.FormatInt(int64(a.Life/e.unit), 10))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Kept)) {
		w.put(e.keep[name], a.Kept[name])
	}
	body, _ := json.Marshal(w.json)
	return w.header, body
}

// writer puts things into one answer.
type writer struct {
	header http.Header
	json   any
}

func (w *writer) put(p path, value string) {
	switch p.kind {
	case "header":
		w.header.Set(p.name, value)
	case "cookie":
		w.header.Add("Set-Cookie", p.name+"="+value+"; Path=/; HttpOnly")
	case "body":
		w.json = value
	case "json":
		w.json = placed(w.json, p.steps, value)
	}
}

// placed returns JSON that has the value at the end of the steps. A whole number is
// one there, too.
func placed(in any, steps []string, value string) any {
	if len(steps) == 0 {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && strconv.FormatInt(n, 10) == value {
			return n
		}
		return value
	}
	if index, err := strconv.ParseUint(steps[0], 10, 8); err == nil {
		elements, _ := in.([]any)
		for uint64(len(elements)) <= index {
			elements = append(elements, nil)
		}
		elements[index] = placed(elements[index], steps[1:], value)
		return elements
	}
	members, _ := in.(map[string]any)
	if members == nil {
		members = map[string]any{}
	}
	members[steps[0]] = placed(members[steps[0]], steps[1:], value)
	return members
}
