package protocols

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jwtsession/jwtsession"
)

// Portainer's log-out looks at its cookie only: asked with a Bearer token it ends
// nothing, or the connection.
func TestAPortainerIsNotAskedForTheLogOutThatIsForItsCookieOnly(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /api/auth":
			io.WriteString(w, `{"jwt": "a-token"}`)
		case "POST /api/auth/logout":
			if _, err := r.Cookie("portainer_api_key"); err != nil {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()
	client, err := Portainer.NewClient(server.URL, jwtsession.Credentials{Email: "clerk", Password: "a password"}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.Create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Revoke(context.Background(), session); err != nil {
		t.Errorf("got the error %v, want the session to be forgotten", err)
	}
}
