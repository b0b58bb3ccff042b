// Package bench measures jwtsession beside the libraries that people use for the
// same job, in the same run of the same program; and in the folders beside it,
// under load and under faults. It is a module of its own, so that none of its
// dependencies become the library's.
//
//	go run ./ratios                               time and allocations per request
//	go run ./compare                              all else, library by library, and pictures
//	go test -run - -bench Scale -benchtime 1x .   what 100,000 sources cost
//	go run ./load                                 the proxy beside nginx and a bare one
//	go run ./matrix                               the proxy's clients of many kinds
//	go run ./soak -for 10m                        real processes under faults
//	go run ./mutants ./internal/sharing           what the tests do not notice
//	go test -race ./...                           third-party consumers of the source
package bench
