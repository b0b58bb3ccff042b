package realservers

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	jwt "github.com/appleboy/gin-jwt/v3"
	"github.com/gin-gonic/gin"

	"github.com/jwtsession/jwtsession/protocols"
)

// ginJWT starts a server with the routes of gin-jwt's README. A new key, with a new
// store, ends all its sessions.
func ginJWT(t *testing.T, life time.Duration) server {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	var current atomic.Pointer[gin.Engine]
	renew := func() {
		t.Helper()
		auth, err := jwt.New(&jwt.GinJWTMiddleware{
			Realm: "test", Key: []byte(rand.Text()), Timeout: life, MaxRefresh: time.Hour, IdentityKey: "id",
			Authenticator: func(c *gin.Context) (any, error) {
				var given struct{ Username, Password string }
				if err := c.ShouldBindJSON(&given); err != nil || given.Username != email || given.Password != password {
					return nil, jwt.ErrFailedAuthentication
				}
				return given.Username, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		engine := gin.New()
		engine.POST("/login", auth.LoginHandler)
		engine.POST("/refresh", auth.RefreshHandler)
		authorized := engine.Group("/auth", auth.MiddlewareFunc())
		authorized.POST("/logout", auth.LogoutHandler)
		authorized.GET("/things", func(c *gin.Context) { c.JSON(http.StatusOK, "things") })
		current.Store(engine)
	}
	renew()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	t.Cleanup(backend.Close)
	return server{address: backend.Listener.Addr().String(), resource: "/auth/things", life: life, revoke: renew}
}

func TestAServerMadeWithGinJWT(t *testing.T) {
	t.Parallel()
	s := ginJWT(t, 4*time.Second)
	s.name, s.protocol = "gin-jwt", protocols.GinJWT
	wholeLife(t, s)
}
