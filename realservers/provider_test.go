package realservers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/protocols"
)

// provider starts an oidc-provider, whose tokens live for life.
func provider(t *testing.T, life time.Duration) server {
	t.Helper()
	node := exec.Command("node", "provider/server.js")
	node.Env = append(os.Environ(), fmt.Sprint("LIFE=", life.Seconds()), "USER="+email, "PASSWORD="+password)
	node.Stderr = t.Output()
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatalf("start the provider: %v; it needs Node.js, and npm ci --prefix provider", err)
	}
	t.Cleanup(func() {
		stdin.Close()
		node.Wait()
	})
	lines, port := bufio.NewReader(stdout), ""
	for port == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the provider did not start: %v; it needs npm ci --prefix provider", err)
		}
		if _, err := fmt.Sscan(line, new(int)); err == nil {
			port = strings.TrimSpace(line)
		}
	}
	go lines.WriteTo(t.Output())
	address := "127.0.0.1:" + port
	return server{
		address: address, resource: "/things", life: life, ends: true,
		revoke: func() { control(t, address, "/test/revoke") },
	}
}

// control has the provider do what an administrator, or a person, would.
func control(t *testing.T, address, path string) map[string]any {
	t.Helper()
	res, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s, %v", path, res.Status, err)
	}
	return got
}

func TestAnOAuth2ServerWithClientCredentials(t *testing.T) {
	t.Parallel()
	s := provider(t, 4*time.Second)
	s.name, s.protocol = "oauth2-client-credentials", protocols.OAuth2ClientCredentials
	s.extra = map[string]string{"scope": ""}
	wholeLife(t, s)
}

// The provider detects the reuse of a refresh token, and ends its family then.
func TestAnOAuth2ServerWithPasswordsAndRotatingRefreshTokens(t *testing.T) {
	t.Parallel()
	s := provider(t, 4*time.Second)
	s.name, s.protocol = "oauth2-password", protocols.OAuth2Password
	s.extra = map[string]string{"scope": "openid offline_access", "client_id": "app", "client_secret": "the secret of the app"}
	wholeLife(t, s)
}

// A refresh token that was issued elsewhere is good for one sign-in: from there on
// the session lives in the cache, through a restart as well.
func TestAnOAuth2RefreshTokenThatWasIssuedElsewhereLivesOnInTheCache(t *testing.T) {
	t.Parallel()
	s := provider(t, 4*time.Second)
	issued, _ := control(t, s.address, "/test/issue")["refresh_token"].(string)
	s.name, s.protocol = "oauth2-refresh-token", protocols.OAuth2RefreshToken
	s.extra = map[string]string{"refresh_token": issued, "client_id": "app", "client_secret": "the secret of the app"}
	r := newRig(t, s)
	r.works("signed in")
	r.fiveLives()
	r.source.Close()

	again := newRig(t, s, r)
	again.works("restarted")
	again.await("restarted", 2, newSession...)
	again.works("restarted, in another life")
	if n := again.count(jwtsession.EventSignedIn); n != 0 {
		t.Errorf("after the restart: got %d sign-ins, want none: the token was used up", n)
	}
	again.logOut()
}
