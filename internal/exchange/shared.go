package exchange

import (
	"encoding/json"
	"runtime"
	"sync"
	"weak"
)

// Shared reads a description as [Parse] does, once for all who use an equal one:
// of a hundred thousand sources each would else have a copy (T16). What was read
// is kept by its users alone.
func Shared(d Description) (*Exchange, error) {
	key := textOf(d)
	known.mu.Lock()
	defer known.mu.Unlock()
	if e := known.exchanges[key].Value(); e != nil {
		return e, nil
	}
	e, err := Parse(d)
	if err != nil {
		return nil, err
	}
	known.exchanges[key] = weak.Make(e)
	runtime.AddCleanup(e, forget, key)
	return e, nil
}

var known = struct {
	mu        sync.Mutex // guards exchanges
	exchanges map[string]weak.Pointer[Exchange]
}{exchanges: map[string]weak.Pointer[Exchange]{}}

// forget drops a description that nobody uses, unless somebody does again.
func forget(key string) {
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.exchanges[key].Value() == nil {
		delete(known.exchanges, key)
	}
}

// textOf is the whole description in one text, which no other description has:
// strings and numbers only, and maps in order.
func textOf(d Description) string {
	text, _ := json.Marshal(d)
	return string(text)
}
