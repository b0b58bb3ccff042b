package jwtsession

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/internal/sealing"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// The token of the API's documentation in what version 0.1 stored, at midnight of
// a new century: it expires in 2017.
const storedToken = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJjMGI1MDdhNy0yNzE2LTRmM2UtYWY2YS00NmIyNmZkYzI0ZTIiLCJzdWIiOjEsImV4cCI6MTUwMDMzNDk5Mywic2NwIjoidXNlciJ9.bm8gc2lnbmF0dXJlIHRoYXQgYW55Ym9keSBjaGVja3M"

// stored is what version 0.1 wrote: a session with 10 of its 15 minutes left, one
// whose life nobody knows, and the second refusal in a row, two minutes of which
// are to come.
var stored = map[string]struct {
	name                      string
	session, unknown, refusal string
}{
	"a key": {
		"b2f4cc37b45fea290aabf4fdb7bb35984673fcde",
		"KHocskS5P3L8bXtJIaw2tvHE2Pl8p0F87Dun/eYO6VO9T3kTqJR+FMBkZiUs1xFu/IgiL3GMHf3ufaghqf7wXkJ0XvsTpHboK3i3R0cbjUOXO7mMI+1H8rTIuU0XYHM9g0xMFn0lksqNnS0c4vCKHh5oz4FTmkdbE/TRECfDaQTNxQFyLqRnitWjHe0jq5DYBXejLdD3KWbgcoFbeA5vbfjr/vMFyylROYPsMzP8mU8BqlezTSeuGDXizy8UQJW3QkZDT9B71t4JJPaZ6Ktt5L7VV7o1vvsDv69b3nu41OBOOlih9taNKWe6aETgqtiqkbBMn/ypx/gxAV8Axw==",
		"eKQQIt5GUHY1au41p3HEpbFMl/O/lRi/r+ODDG+TW9LCxdedN+GgFpfSnthq/PWHRK6jrtN2yg==",
		"oSjpZI+/9bmBsyiW8Vus7KhlSRRcS8tfEFi+NXzv85MIGdjhAe8wzZSGwlDkFcdAHku8iBSfGxzX6QeY+IhxNftYlse5Sl0Y/a5aj7kiumnpOUKWtv9cqHQK2U4K3rB9LBi7J6R1S1VM9rZehhc9bxe+7RceJHzcb4zCYAUEZOJfxUXdHSKOAayECWmF8OsJ6RRy6ggZdE/oiWh9Ebya9I1VtXFglK5iJLk=",
	},
	"the password": {
		"5ede478fc53f81d6c890cb61bc755ae7f5fbd3fd",
		"AU5JuQ6HXKTgezuZ2yd9ZD90Y1LzpgWLpIRdkiExwqWppDDWYxARVrWAb7+KR7nHaPGUP2aTPHUeP3ONh1CcP6cXr56o0lj099uG/wbbz5pmJDSJWo5jDq18I48vBaNT4LDR6wrpPzjbpTsXFbmPKtp78FvYgQ1iRc6N/E9ruAr+MNiLru8DrZjuANQVrzXHWkAzBVG66Wp7FFXufVxj+fBdZt/sy8xfzsi6X5mKfQ1ffcrtwjEVb6pGqCDSGOCOxJrwFbNu+5kY1/I5GczFbh4dWp6WS2vuMNAP+UbpZgKAfylzgk0DZEpcMI5xD0+CjOEca5BKZiQqX8hgRg==",
		"sfKuYvj3TKEWDkngPhrSuC7Jq0kyhvy2NGmqExsa/KNxXmisQWaurfIk9gVFE9R2q2AyTpcuzg==",
		"a6KoeWgAWlPBNDN7QZU3mzntD2K2/1jDGjEEJSwQr/ayvgkMFDwLsX4j17en2zVN+7aBZjR2wykKok17VzYFShJfxPB/vOKAdPyc7IX9iWzX07jhcn/fLYbAmirMaw5aJ2D4QT/KZMvuOpEYLRv0OU4bt4ppHlQ3RhrpiFSw3selu4bgMB4x3iX63Wk4ZUFE5j9b9blIE3nWlQwNMLo74faZaQqTXjaPl/M=",
	},
	"an issuer's account": {
		"92a305035713e9693fb11553b7631cc9fd5462c7",
		"Z1D2d8vn8fVPnun5QFZf7uwSI8Vf9NvSmyCOqlIZMtYokNpW8ItVePA5HiHbxewpz693GQeVkwznW1uAkkzuwQTPDWf6vsyYSqFwur/OYDMmrYWGyzhqEpsgbpF5PQFo/IZb3tJT3JnJ5OMVtmaNUZ41XWgiuJQR8AfwviaPpoRQ68BS2phtkLW0aZIxS5BkhT/u9zt2iO4S8730f0fHQXCIbkYcP0K2pDSeWHYdYdVCiRq2fvoLSJyXIX6F8jWyc6tMGKkkXcHbKP2/Gx3ifqLKA5pUpktS7vxy5gG5D/zIzupeM7tJANZm7gLiooT7SmPWWj1Jbuaie5WdEQ==",
		"A2e1p3alidCwgBCqAWTyEqbe0YD4vM8uCOvpkp+tHo0yQ0ZJeEVvJXvp0yngyLO2UddqnGRw9A==",
		"SGXJPJIKLXieObgK7+78Sn2jNbGq1bB5R0YHbD3vm85ud6l0562ECWZmENCAP/ZrIGDe7dHuTrdwkU3wUjNe26C2W1Rhhavn9yQgYp+XO3XKCYw1jBRvaLDgJxYCm+nDLlsSHRqJAyZvQFBQnobJaFKmX6diLot9QbWdbL9rPlrwUUtWzmvLsQx1DQ8qaTxXCUA7qkKmTzVzR/0wK3y5ELHcYajeu1sqwZU=",
	},
}

// O4: what the first version wrote is found and read.
func TestTheEntriesOfVersion01AreRead(t *testing.T) {
	for kind, entries := range stored {
		t.Run(kind, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
				open := func(entry string, ttl time.Duration) *TokenSource {
					store := cache.NewMemory()
					data, err := base64.StdEncoding.DecodeString(entry)
					if err != nil {
						t.Fatal(err)
					}
					put(t, store, entries.name, cache.Entry{Data: data, TTL: ttl})
					config := Config{Cache: store, CacheKey: []byte("thirty-two bytes of a test's key")}
					switch kind {
					case "an issuer's account":
						config.Issuer, config.Account = &issuerFuncs{}, "worker@example.com"
						return newSourceOf(t, config)
					case "the password":
						config.CacheKey = nil
					}
					config.BaseURL = "https://api.example.com/v1"
					config.Credentials = Credentials{Email: "clerk@example.com", Password: "correct horse battery staple"}
					config.HTTPClient = clientThat(errAway)
					return newSourceOf(t, config)
				}

				ts := open(entries.session, 10*time.Minute)
				if got := token(t, ts); got != storedToken {
					t.Errorf("the session: got %q, want the token of the entry", got)
				}
				if left := time.Until(ts.Status().ExpiresAt); left != 10*time.Minute {
					t.Errorf("the session lives for %v, want 10 min", left)
				}
				low, high := 15*time.Minute*earliestRefresh/100-5*time.Minute, 15*time.Minute*latestRefresh/100-5*time.Minute
				if due := time.Until(ts.Status().RefreshAt); due < low || due > high {
					t.Errorf("the session is refreshed in %v, want in %v to %v: 5 min of its life are over", due, low, high)
				}

				ts = open(entries.unknown, 0)
				if got := token(t, ts); got != "an-opaque-token" || !ts.Status().ExpiresAt.IsZero() {
					t.Errorf("a session of unknown life: got %q until %v, want the entry's, and no expiry", got, ts.Status().ExpiresAt)
				}

				ts = open(entries.refusal, 17*time.Minute)
				_, err := ts.Token()
				var api *APIError
				if !errors.Is(err, ErrInvalidCredentials) || !errors.As(err, &api) || api.Message != "Invalid email or password." || api.Op != "create" {
					t.Errorf("the refusal: got %v, want the server's words of then", err)
				}
				pass(2*time.Minute - time.Second)
				if _, err := ts.Token(); !errors.Is(err, ErrInvalidCredentials) {
					t.Errorf("a second before it is over: got %v, want the refusal", err)
				}
				pass(time.Second)
				if _, err := ts.Token(); errors.Is(err, ErrInvalidCredentials) {
					t.Error("the refusal counts for longer than it says")
				}
			})
		})
	}
}

// clientThat returns a client that reaches nobody.
func clientThat(fails error) *http.Client {
	return &http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, fails })}
}

// read01 is how version 0.1 reads an entry: it goes by the TTL, and knows these
// three fields only. It returns a token, or an empty one with how long it keeps
// the credentials back.
func read01(t *testing.T, e cache.Entry, sealer *sealing.Sealer) (token string, left, rest time.Duration) {
	t.Helper()
	content, err := sealer.Open(e.Data)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Token   string        `json:"token"`
		Life    time.Duration `json:"life"`
		Refusal *struct {
			Wait time.Duration `json:"wait"`
		} `json:"refusal"`
	}
	if err := json.Unmarshal(content, &r); err != nil {
		t.Fatal(err)
	}
	switch {
	case r.Refusal != nil:
		return "", 0, min(e.TTL-15*time.Minute, r.Refusal.Wait, 15*time.Minute)
	case checkToken(r.Token) != nil || r.Life > 0 && e.TTL <= 0:
		return "", 0, 0
	case r.Life == 0:
		return r.Token, time.Hour, 0 // it would be for ever
	}
	return r.Token, min(e.TTL, r.Life), 0
}

// Two versions may share a cache for a while. The older one must not take what
// this one stored for a session that lives longer than it does.
func TestVersion01TakesNoExpiredTokenOfANewEntryForALiveOne(t *testing.T) {
	const life = 10 * time.Minute
	limited := &APIError{Op: "refresh", Host: "api.example.com", StatusCode: 429, RetryAfter: time.Hour}
	for name, c := range map[string]struct {
		renewable bool
		refresh   error // what the refreshes meet
		create    error // what the sign-ins after the first meet
		reads     bool  // version 0.1 goes on with the session while it lives
	}{
		"a session":                                 {false, nil, nil, true},
		"one that can be renewed":                   {true, nil, nil, false},
		"with a Retry-After that outlasts it":       {false, limited, nil, false},
		"renewable, with a Retry-After":             {true, limited, nil, false},
		"with a refusal beside it":                  {false, ErrUnauthorized, ErrInvalidCredentials, false},
		"with a server's refusal beside it":         {false, ErrUnauthorized, &APIError{Op: "create", StatusCode: 401}, false},
		"renewable, with a refusal beside it":       {true, ErrUnauthorized, &APIError{Op: "create", StatusCode: 401}, false},
		"with a chain that ended, and no way on":    {true, errLost, errAway, false},
		"with a chain that ended, and then refused": {true, errLost, &APIError{Op: "create", StatusCode: 401}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
				store, end := cache.NewMemory(), time.Now().Add(life)
				first := true
				issuer := &issuerFuncs{
					create: func(context.Context) (Session, error) {
						if !first {
							return Session{}, c.create
						}
						first = false
						s := Session{Token: "first", ExpiresAt: end}
						if c.renewable {
							s.State, s.RenewableUntil = "state", end.Add(time.Hour)
						}
						return s, nil
					},
					refresh: func(context.Context, Session) (Session, error) { return Session{}, c.refresh },
				}
				ts := newSourceOf(t, Config{Issuer: issuer, Account: "worker@example.com"}, through(store))
				token(t, ts)
				sealer := sealing.FromKey([]byte("thirty-two bytes of a test's key"), "account", "worker@example.com")
				seen := false
				for range 90 * 6 {
					entry, err := store.Load(t.Context(), ts.sharing.Name())
					if err == nil {
						got, left, rest := read01(t, entry, sealer)
						if got != "" && time.Now().Add(left).After(end.Add(time.Second)) {
							t.Fatalf("%v before its end version 0.1 takes the token for one that lives for %v", time.Until(end), left)
						}
						if rest > 15*time.Minute {
							t.Fatalf("version 0.1 keeps the credentials back for %v, want a quarter of an hour at most", rest)
						}
						seen = seen || got != ""
					}
					if c.refresh == nil && time.Now().Add(3*time.Minute).After(end) {
						break
					}
					pass(10 * time.Second)
					if !time.Now().Before(end) {
						ts.Token()
					}
				}
				if c.reads && !seen {
					t.Error("version 0.1 cannot go on with an ordinary session")
				}
			})
		})
	}
}
