package jwtsession

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jwtsession/jwtsession/internal/redaction"
	"golang.org/x/oauth2"
)

// lockedBuffer is what a logger writes to while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// X4
func TestAServerThatRepeatsTheRequestInItsErrorShowsNoPassword(t *testing.T) {
	const password = `Tr0ub4dor&3`
	for name, repeat := range map[string]func(body string) string{
		"in a JSON string":                  func(body string) string { return jsonOf(map[string]string{"message": "cannot read " + jsonOf(body)}) },
		"in a JSON string in a JSON string": func(body string) string { return jsonOf(map[string]string{"error": jsonOf(jsonOf(body))}) },
		"in HTML":                           func(body string) string { return "<pre>" + strings.ReplaceAll(body, `"`, "&quot;") + "</pre>" },
		"in a URL":                          func(body string) string { return "see /errors?body=" + url.QueryEscape(body) },
		"as it is":                          func(body string) string { return body },
	} {
		var log lockedBuffer
		var body string
		server := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			content, _ := io.ReadAll(r.Body)
			body = string(content)
			w.WriteHeader(http.StatusUnprocessableEntity)
			io.WriteString(w, repeat(body))
		})
		ts := newSourceOf(t, Config{BaseURL: server.baseURL, Credentials: Credentials{Email: "clerk@example.com", Password: password}, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		_, err := ts.Token()
		ts.Close()
		for at := range len(password) - 3 {
			if part := password[at : at+4]; strings.Contains(fmt.Sprint(err), part) || strings.Contains(log.String(), part) {
				t.Errorf("%s: got the error %v and the log %s, which have %q of the password", name, err, log.String(), part)
			}
		}
		if !strings.Contains(body, "Tr0ub4dor") || !errors.Is(err, ErrInvalidCredentials) || !strings.Contains(err.Error(), "left out") || !strings.Contains(log.String(), "left out") {
			t.Errorf("%s: got the error %v and the log %s, want both to say that the server's words are left out", name, err, log.String())
		}
	}
}

// X1: an error that shows a secret is known by what it is, and gives nothing
// away.
func TestAnErrorThatShowsASecretKeepsItsMeaningOnly(t *testing.T) {
	plain := errors.New("nothing in it")
	if got := redact(canaryOpaque).error(plain); got != plain {
		t.Errorf("got %v, want the error itself", got)
	}
	if got := redact(canaryOpaque).error(nil); got != nil {
		t.Errorf("got %v, want nil", got)
	}
	api := &APIError{Op: "refresh", Host: "example.com", StatusCode: 401, Message: "token " + canaryOpaque, Type: canaryOpaque}
	chatty := fmt.Errorf("refresh with %s: %w", canaryOpaque, &unusableError{err: api})
	err := fmt.Errorf("outer: %w", redact(canaryOpaque).error(chatty))
	if !errors.Is(err, ErrUnauthorized) {
		t.Errorf("got %v, want one that Is ErrUnauthorized as before", err)
	}
	if !strings.Contains(err.Error(), "left out") || !strings.Contains(err.Error(), "refresh at example.com: 401") {
		t.Errorf("got %v, want it to say that it is left out, and what the server said of it", err)
	}
	var own *unusableError
	var clean *APIError
	if !errors.As(err, &own) || !errors.As(err, &clean) || clean.StatusCode != 401 || clean.Op != "refresh" {
		t.Errorf("got %v, want an *APIError of a 401 that is not worth repeating", err)
	}
	var other interface{ NotThere() }
	if errors.As(err, &other) {
		t.Error("it is something that it never was")
	}
	for layer := err; layer != nil; layer = errors.Unwrap(layer) {
		shownNowhere(t, "an error's layer", layer)
	}
	shownNowhere(t, "its APIError", clean)
	shownNowhere(t, "its mark", own)
}

// X1: the password of a proxy is none of the call's, and in the error of a transport
// that was given it wrong.
func TestNoErrorShowsThePasswordOfAProxy(t *testing.T) {
	address := strings.Join([]string{"http://user:CANARY%zz", "proxy:8080"}, "@") // vet reads constants, and would say that it is none
	hc := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(address) }}}
	client, err := NewClient("", Credentials{Email: "clerk@example.com", Password: "hunter2"}, hc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Create(t.Context())
	shownNowhere(t, "the error", err)
	if err == nil || !strings.Contains(err.Error(), "sign in at api.pacerpro.com: "+redaction.LeftOut+" (*url.Error)") {
		t.Errorf("got %v, want one that says that it is left out, and what it was", err)
	}
}

// X4: what a program asks an error for is there, as far as it shows nothing.
func TestWhatIsInAnErrorThatIsLeftOutIsFound(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	err := redact(canaryOpaque).error(&url.Error{Op: "Get", URL: "https://example.com/?" + canaryOpaque, Err: fmt.Errorf("%w and %w", refused, context.Canceled)})
	if !strings.Contains(err.Error(), redaction.LeftOut) || !strings.Contains(err.Error(), "*url.Error") {
		t.Errorf("got %q, want it to say that it is left out, and what it was", err)
	}
	if !errors.Is(err, context.Canceled) || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
		t.Errorf("got %v, want all that it is, and nothing else", err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op != refused {
		t.Errorf("got the *net.OpError %v, want that which is in it", op)
	}
	var network net.Error
	if !errors.As(err, &network) || !network.Timeout() || network != net.Error(refused) {
		t.Errorf("got the net.Error %v, want one that shows nothing", network)
	}
	var oauth *oauth2.RetrieveError
	if errors.As(err, &oauth) {
		t.Errorf("got the *oauth2.RetrieveError %v, want none: no server has answered", oauth)
	}
	mine := &url.Error{Op: "mine"}
	outer := mine
	if errors.As(err, &outer) || outer != mine {
		t.Errorf("got the *url.Error %v, which shows a secret, or took away what the program had there", outer)
	}
}

// X4: our own words may have anything in common with a password, and are shown.
func TestAnErrorInOurOwnWordsIsShownWhateverThePassword(t *testing.T) {
	server := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"message":"Bad pass phrase"}`)
	})
	ts := newSourceOf(t, Config{BaseURL: server.baseURL, Credentials: Credentials{Email: "clerk@example.com", Password: "password"}})
	_, err := ts.Token()
	if want := ": 401 Unauthorized: \"" + redaction.LeftOut + "\"; check the e-mail address and the password"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want it to end with %s", err, want)
	}
	gone := errors.New("the vault is sealed")
	ts = newSourceOf(t, Config{Credentials: CredentialsProviderFunc(func(context.Context) (Credentials, error) {
		return Credentials{Password: "credentials"}, gone
	})})
	if _, err := ts.Token(); !errors.Is(err, gone) || !strings.Contains(err.Error(), "get the credentials for api.pacerpro.com: the vault is sealed") {
		t.Errorf("got %v, want the provider's error in our words", err)
	}
}

// X4: of a state the values are secret, and the names are not.
func TestTheValuesInAStateAreSecret(t *testing.T) {
	for state, want := range map[string]map[string]bool{
		`{"refresh_token":"CANARY-1","nested":{"pins":[12345678]},"on":true,"none":null}`: {"CANARY-1": false, "ANAR": false, "2345": false, "refresh_token nested pins true null": true},
		"opaque-state":        {"que-st": false, "opal": true},
		"12345678":            {"pin 3456": false},
		`"in quotes"`:         {"quot": false},
		`{"a":"one"} {"b":1}`: {`"one"`: false},
		"":                    {"anything": true},
	} {
		for text, shown := range want {
			if got := redact(Session{Token: "t0ken", State: state}.secrets()...).quote(text); (got == text) != shown {
				t.Errorf("with the state %s: got %q for %q, want it shown: %v", state, got, text, shown)
			}
		}
	}
	for _, s := range []Session{{Token: "t", State: canaryOpaque}, {State: `{"refresh":"CANARY"}`}} {
		for holder, v := range holders(s) {
			shownNowhere(t, "a Session with a state in "+holder, v)
		}
	}
}

// S2: only what is ours says where a redirect leads.
func TestAMessageThatEndsLikeOursStaysAsItIs(t *testing.T) {
	const message = "the link was changed, which is not followed"
	if got := redact(canaryOpaque).answer(&APIError{Message: message}).Message; got != message {
		t.Errorf("got %q, want %q", got, message)
	}
}
