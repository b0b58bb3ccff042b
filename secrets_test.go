package jwtsession

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// printed is everything that a program may make of a value without meaning to.
func printed(v any) map[string]string {
	all := map[string]string{}
	for _, verb := range []string{"", "%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%.3f", "%c", "%U", "%T", "%z", "%!", "%-30v", "%030s", "% x"} {
		all[verb] = fmt.Sprintf(verb, v)
	}
	all["Sprint"], all["Sprintln"] = fmt.Sprint(v), fmt.Sprintln(v)
	text, err := json.Marshal(v)
	all["JSON"] = fmt.Sprintf("%s %v", text, err)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog, text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog, JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).With("with", v).WithGroup("group").Info("message", "value", v, slog.Group("inner", "value", v))
		all[name] = b.String()
	}
	return all
}

// shownNowhere fails the test if a canary is in anything that is made of v.
func shownNowhere(t testing.TB, name string, v any) {
	t.Helper()
	for how, text := range printed(v) {
		clear := strings.Contains(text, "CANARY") || strings.Contains(text, "eyJ")
		coded := strings.Contains(strings.ToLower(strings.ReplaceAll(text, " ", "")), fmt.Sprintf("%x", "CANARY"))
		if clear || coded {
			t.Errorf("%s, %s: shows a secret: %.300s", name, how, text)
			return // the other ways would say the same
		}
	}
}

// holders are the ways in which a program's own values hold one of ours.
func holders[T any](v T) map[string]any {
	type exported struct {
		Name  string
		Value T
	}
	type pointer struct{ Value *T }
	return map[string]any{
		"itself": v, "a pointer": &v, "a slice": []T{v}, "an array": [1]T{v}, "a slice of pointers": []*T{&v},
		"a map": map[string]T{"key": v}, "a field": exported{"name", v}, "a pointer to a field": &exported{"name", v},
		"a field that is a pointer": pointer{&v}, "an interface": []any{v, &v}, "nested": map[string][]exported{"key": {{"name", v}}},
		"an interface's field": struct{ Any any }{v}, "embedded in depth": struct{ Outer struct{ Inner exported } }{struct{ Inner exported }{exported{"name", v}}},
	}
}

// hidden are ways to hold a value out of sight: in a field that is not exported,
// of which fmt asks nobody how it wants to be shown.
func hidden[T any](v T) map[string]any {
	type unexported struct{ value T }
	return map[string]any{
		"an unexported field": unexported{v}, "a pointer to one": &unexported{v}, "a slice of them": []unexported{{v}},
		"an unexported map": struct{ all map[string]T }{map[string]T{"key": v}}, "an unexported interface": struct{ any any }{v},
	}
}

// X1: each exported type that holds a secret, or leads to one.
func TestNoTypeOfOursShowsASecretHoweverItIsPrinted(t *testing.T) {
	session := Session{Token: realToken() + "CANARY", ExpiresAt: time.Unix(1500334993, 0)}
	opaque := Session{Token: canaryOpaque}
	config := Config{
		BaseURL: "https://api.example.com/v1", Credentials: canaryCredentials, CacheKey: []byte("CANARY-key-32-bytes-CANARY-key-3"),
		Account: "worker", HTTPClient: http.DefaultClient, OnEvent: func(Event) {}, Timeout: time.Second,
	}
	client := clientOf(t, "", nil)
	live := Session{Token: canaryOpaque, ExpiresAt: time.Now().Add(time.Hour)}
	source := newSourceOf(t, Config{BaseURL: "https://api.example.com", Issuer: &issuerFuncs{create: func(context.Context) (Session, error) { return live, nil }}})
	if got := token(t, source); got != canaryOpaque {
		t.Fatalf("got %q: the source holds no canary", got)
	}
	failed := failure(t, opRefresh, 401, http.Header{"X-Amzn-Requestid": {canaryOpaque}}, `{"message":"bad `+canaryOpaque+`","type":"`+canaryOpaque+`"}`).(*APIError)
	event := Event{Kind: EventRefreshFailed, Account: "example.com", Err: fmt.Errorf("wrapped: %w", failed)}
	status := source.Status()
	status.LastError = failed

	all := map[string]map[string]any{
		"Credentials":       holders(canaryCredentials),
		"Session":           holders(session),
		"an opaque Session": holders(opaque),
		"Config":            holders(config),
		"a Config with a provider behind a pointer": holders(Config{Credentials: &canaryCredentials}),
		"a Config with a password in its URL":       holders(Config{BaseURL: "https://user:CANARY@example.com/?CANARY#CANARY", Origins: []string{"https://CANARY@example.com"}}),
		"Client":                                    holders(*client),
		"*Client":                                   holders(client),
		"*TokenSource":                              holders(source),
		"Transport":                                 holders(Transport{Source: source, Base: source.Client().Transport}),
		"http.Client":                               holders(*source.Client()),
		"*APIError":                                 holders(failed),
		"APIError":                                  holders(*failed),
		"Event":                                     holders(event),
		"Status":                                    holders(status),
		"a provider's function":                     holders(CredentialsProviderFunc(canaryCredentials.Retrieve)),

		"an unexported Client":       hidden(*client),
		"an unexported *Client":      hidden(client),
		"an unexported *TokenSource": hidden(source),
		"an unexported Transport":    hidden(Transport{Source: source}),
		"an unexported *Transport":   hidden(&Transport{Source: source}),
		"an unexported http.Client":  hidden(source.Client()),
		"an unexported *APIError":    hidden(failed),
		"an unexported Event":        hidden(event),
		"an unexported Status":       hidden(status),
		"an unexported function":     hidden(canaryCredentials.Retrieve),
	}
	for name, values := range all {
		for holder, v := range values {
			shownNowhere(t, name+" in "+holder, v)
		}
	}
}

// X1: fmt shows what an interface holds, where it cannot say it with the verb: of
// a transport that would be the password of a proxy, and a race with its
// connections.
func TestAClientInAnUnexportedFieldShowsNothingOfItsTransport(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"jwtToken":"opaque"}`)
	}))
	t.Cleanup(proxy.Close)
	way, err := url.Parse(strings.Replace(proxy.URL, "://", "://user:CANARY@", 1))
	if err != nil {
		t.Fatal(err)
	}
	through := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(way)}}
	t.Cleanup(through.CloseIdleConnections)
	client := clientOf(t, "http://127.0.0.1:9", through)
	if _, err := client.Create(t.Context()); err != nil {
		t.Fatalf("through the proxy: %v", err) // which leaves a connection in the transport
	}
	for holder, v := range hidden(*client) {
		shownNowhere(t, holder, v)
	}
}

// keyed is a transport with its key in it.
type keyed struct{ key string }

func (keyed) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }

// X1: the same of a transport that is no pointer.
func TestAClientInAnUnexportedFieldShowsNothingOfATransportOfTheProgramsOwn(t *testing.T) {
	client := clientOf(t, "", &http.Client{Transport: keyed{"CANARY"}})
	for holder, v := range hidden(*client) {
		shownNowhere(t, holder, v)
	}
	for holder, v := range hidden(client) {
		shownNowhere(t, "as a pointer, "+holder, v)
	}
}

// clerk is an issuer of a program's, with its password in it.
type clerk struct{ password string }

func (clerk) Create(context.Context) (Session, error)           { return Session{}, nil }
func (clerk) Refresh(context.Context, Session) (Session, error) { return Session{}, nil }
func (clerk) Revoke(context.Context, Session) error             { return nil }

// X1
func TestASourceInAnUnexportedFieldShowsNothingOfItsIssuerAndItsProvider(t *testing.T) {
	for name, config := range map[string]Config{
		"an issuer":  {Issuer: clerk{"CANARY"}},
		"a provider": {Issuer: clerk{}, Credentials: canaryCredentials},
	} {
		for holder, v := range hidden(newSourceOf(t, config)) {
			shownNowhere(t, name+" in "+holder, v)
		}
	}
}

// X1: what Go does not allow. fmt shows a struct in an unexported field as it
// is, and follows a pointer, an exported one's to a struct of the program's as
// well, with a verb that pointers do not have. The doc comment of Credentials
// says what to do. This test notices if Go changes its mind.
func TestAnUnexportedFieldIsWhereFmtAsksNobody(t *testing.T) {
	for verb, v := range map[string]any{
		"%v":  struct{ c Credentials }{canaryCredentials},
		"%+v": struct{ s Session }{Session{Token: canaryOpaque}},
		"%s":  struct{ c *Credentials }{&canaryCredentials},
		"%q":  struct{ s *Session }{&Session{Token: canaryOpaque}},
		"% s": struct{ Account *struct{ Session Session } }{&struct{ Session Session }{Session{Token: canaryOpaque}}},
	} {
		if got := fmt.Sprintf(verb, v); !strings.Contains(got, "CANARY") {
			t.Errorf("%s: got %q: fmt asks unexported fields now, so that the doc comments may promise more", verb, got)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d"} {
		if got := fmt.Sprintf(verb, struct{ c *Credentials }{&canaryCredentials}); strings.Contains(got, "CANARY") {
			t.Errorf("behind a pointer, %s: got %q, want an address", verb, got)
		}
	}
}

// chattyError is an issuer's error with a token in a field.
type chattyError struct{ Token string }

// X1
func TestNoVerbPrintsWhatIsInAnErrorOfAnEventOrAStatus(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sessiontest.Server) {
		const canary = "canary-in-a-field"
		var j journal
		ts := newSourceOf(t, Config{Issuer: &issuerFuncs{refresh: func(context.Context, Session) (Session, error) {
			return Session{}, chattyError{canary}
		}}}, j.record)
		token(t, ts)
		pass(12*time.Minute + time.Second)
		if len(j.all()) < 2 || ts.Status().LastError == nil {
			t.Fatal("there was no failure: the test would show nothing")
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			for _, value := range []any{ts.Status(), j.all(), struct{ E Event }{j.all()[1]}} {
				if text := fmt.Sprintf(verb, value); strings.Contains(text, canary) || !strings.Contains(text, "the issuer failed") {
					t.Errorf("%s of a %T: %s; want the error's text and not its field", verb, value, text)
				}
			}
		}
	})
}

// X4: an error of an issuer's may quote any of them.
func TestTheSecretsOfAStateAreItsValuesOrElseTheWholeOfIt(t *testing.T) {
	for state, want := range map[string][]string{
		`{"refresh": "one"}`:        {"one"},
		`[1234567890123456789, {}]`: {"1234567890123456789"},
		`one`:                       {`one`},
		`{"refresh": "one"} two`:    {`{"refresh": "one"} two`},
	} {
		if got := stateSecrets(state); !slices.Equal(got, want) {
			t.Errorf("of the state %s: got %q, want %q", state, got, want)
		}
	}
}
