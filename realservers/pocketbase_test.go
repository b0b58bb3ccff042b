package realservers

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations"

	"github.com/jwtsession/jwtsession/protocols"
)

// pocketBase starts a PocketBase with one record in an auth collection. Tokens
// live for as short a time as it lets them.
func pocketBase(t *testing.T, collection string) server {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: t.TempDir()})
	must(app.Bootstrap())
	t.Cleanup(func() { app.ResetBootstrapState() })
	must(app.RunAllMigrations())
	accounts, err := app.FindCollectionByNameOrId(collection)
	must(err)
	accounts.AuthToken.Duration = 10
	must(app.Save(accounts))
	record := core.NewRecord(accounts)
	record.SetEmail(email)
	record.SetPassword(password)
	must(app.Save(record))

	router, err := apis.NewRouter(app)
	must(err)
	router.GET("/things", func(e *core.RequestEvent) error { return e.JSON(200, "things") }).Bind(apis.RequireAuth(collection))
	mux, err := router.BuildMux()
	must(err)
	backend := httptest.NewServer(mux)
	t.Cleanup(backend.Close)

	change := func(f func(*core.Record)) {
		t.Helper()
		record, err := app.FindAuthRecordByEmail(collection, email)
		must(err)
		f(record)
		must(app.Save(record))
	}
	return server{
		address:  backend.Listener.Addr().String(),
		resource: "/things",
		life:     10 * time.Second,
		revoke:   func() { change(func(r *core.Record) { r.RefreshTokenKey() }) },
	}
}

func TestAPocketBaseUser(t *testing.T) {
	t.Parallel()
	s := pocketBase(t, "users")
	s.name, s.protocol = "pocketbase", protocols.PocketBase
	wholeLife(t, s)
}

func TestAPocketBaseSuperuser(t *testing.T) {
	t.Parallel()
	s := pocketBase(t, core.CollectionNameSuperusers)
	s.name, s.protocol = "pocketbase-superusers", protocols.PocketBaseSuperusers
	wholeLife(t, s)
}
