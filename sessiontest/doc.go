// Package sessiontest has a session API in a box, for tests: of this module and
// of programs that use it. As httptest does, it starts a real server in one
// line.
//
//	box := sessiontest.NewServer()
//	defer box.Close()
//	ts, err := jwtsession.New(jwtsession.Config{
//		BaseURL:     box.URL,
//		HTTPClient:  box.Client(),
//		Credentials: jwtsession.Credentials{Email: sessiontest.Email, Password: sessiontest.Password},
//	})
//
// The box has users, and signs them in, refreshes and revokes their sessions as
// PacerPro's API does: its tokens are real ones, signed with HS256, all those of a
// user share one jti, and a revocation, which changes the jti, ends them all.
// Every path below [Server.URL] but /session is a protected resource, which
// answers those who carry a live token, and gives all others a 401.
//
// [Server.Inject] makes calls go wrong, [Server.Counts] tells what has been
// called, and [InMemory] moves it all into a bubble of testing/synctest, where a
// week takes seconds: go test -run AWeekGoesBy . of this module lets one pass.
package sessiontest
