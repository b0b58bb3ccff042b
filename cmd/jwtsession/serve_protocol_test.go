package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/protocols"
	"github.com/jwtsession/jwtsession/sessiontest"
)

// O8: a client of another API signs in, refreshes and logs out.
func TestServeSpeaksAnotherProtocol(t *testing.T) {
	p := start(t, nil, "serve", "--addr", "127.0.0.1:0", "--protocol", "gin-jwt", "--rotation", "--token-life", "90s")
	_, greeting := p.line(t, "Calls:")
	told := strings.Join(greeting, "\n")
	_, base, _ := strings.Cut(greeting[0], "The API in a box is at ")
	if !strings.Contains(told, "To sign in, below that:\n  POST /login\n") {
		t.Errorf("got the greeting\n%s\nwant the request of a sign-in", told)
	}
	client, err := protocols.GinJWT.NewClient(base, jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password}, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := client.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(first.ExpiresAt); left < time.Minute || left > 90*time.Second {
		t.Errorf("got a life of %v, want 90s", left)
	}
	second, err := client.Refresh(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Refresh(t.Context(), first); err == nil {
		t.Error("a refresh token that was used up: got no error")
	}
	if _, err = client.Refresh(t.Context(), second); err == nil {
		t.Error("the session of a refresh token that was used twice: got no error")
	}
}

func TestServeNamesTheProtocolsThatThereAre(t *testing.T) {
	for args, want := range map[string]string{
		"--protocol gin":                   `--protocol is "gin": give one of cisco-aci, `,
		"--rotation":                       "--rotation is for a --protocol with refresh tokens",
		"--rotation --protocol pocketbase": "--rotation is for a --protocol with refresh tokens",
	} {
		code, _, stderr := commandLine(t, append([]string{"serve"}, strings.Fields(args)...)...)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("serve %s: got %d and %q, want 2 and %q", args, code, stderr, want)
		}
	}
}
