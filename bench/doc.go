// Package bench measures jwtsession beside the libraries that people use for the
// same job, in the same run of the same program. It is a module of its own, so
// that none of its dependencies become the library's.
//
//	go run ./ratios                               time and allocations per request
//	go run ./compare                              all else, library by library, and pictures
//	go test -run - -bench Scale -benchtime 1x .   what 100,000 sources cost
//	go test -race ./...                           third-party consumers of the source
package bench
