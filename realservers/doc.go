// Package realservers holds the library against servers of other people's making,
// each of which a test starts on a free port: PocketBase and a server made with
// gin-jwt, which are Go modules, and the certified OpenID provider oidc-provider,
// which is an npm package and needs Node.js:
//
//	npm ci --prefix provider
//	go test ./...
//
// It is a module of its own, so that nobody who imports the library has these
// servers in go.sum.
package realservers
